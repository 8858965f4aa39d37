# SPDX-License-Identifier: GPL-3.0-or-later
"""SEDA packages: valid by construction, judged as an archival system would; hostile files."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime

import pytest
from archivage_samples import RNG, SEDA, header, item, official
from hypothesis import given, settings
from hypothesis import strategies as st

from packmairie.engines.xml_schemas import load_rng, load_xsd
from packmairie.formats.seda.manifest import Rules, Unit, write_manifest
from packmairie.formats.seda.verify import Schemas, verify_package
from packmairie.formats.xml import parse
from packmairie.model.preuve import State

VERSIONS = ("2.1", "2.2", "2.3")


def official_xsd(version):
    name = f"seda-{version}-main.xsd"
    folder = SEDA / ("seda-2.3" if version == "2.3" else "official-2.0-2.2")
    return load_xsd(folder / name, [SEDA / "official-2.0-2.2"])


@pytest.fixture(scope="module")
def compiled():
    return {version: official_xsd(version) for version in VERSIONS} if SEDA.is_dir() else {}


def package(files=None, units=None, version="2.2", extra=(), manifest="manifest.xml", edit=None):
    """Return the bytes of a package; ``edit`` changes the manifest's text, ``extra`` adds entries."""
    files = {"content/BDO00001.pdf": b"contenu"} if files is None else files
    stream = io.BytesIO()
    write_manifest(stream, header(version), units or [Unit("Titre", "RecordGrp", (item(),))])
    text = stream.getvalue()
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        archive.writestr(manifest, edit(text) if edit else text)
        for name, content in files.items():
            archive.writestr(name, content)
        for info, content in extra:
            archive.writestr(info, content)
    return io.BytesIO(result.getvalue())


def reasons(stream, schemas=None):
    return [f"{found.place} : {found.reason}" for found in verify_package(stream, schemas or Schemas(None)).errors]


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=60).filter(
    lambda text: text.strip() and "\ufffe" not in text
)


@official
class TestManifest:
    @pytest.mark.parametrize("version", VERSIONS)
    @settings(max_examples=10, deadline=None)
    @given(titles=st.lists(TEXTS, min_size=1, max_size=4), name=TEXTS, days=st.dates(), size=st.integers(1, 10**13))
    def test_valid_whatever_the_names_and_dates(self, compiled, version, titles, name, days, size):
        first = item(1, name=name, size=size)
        bare = item(2, puid="", modified=datetime(1970, 1, 1, tzinfo=UTC), uri="content/BDO00002")
        rules = Rules("APP-1", "Destroy", "ACC-1", days)
        inner = tuple(Unit(title, "File", description=name) for title in titles)
        units = [Unit(titles[0], "RecordGrp", (first, bare), inner, rules, start=days, end=days)]
        stream = io.BytesIO()
        write_manifest(stream, header(version), units)
        root = parse(stream.getvalue())
        assert compiled[version].validate(root.getroottree()), compiled[version].error_log

    @pytest.mark.parametrize("version", VERSIONS)
    def test_the_official_schema_refuses_what_is_wrong(self, compiled, version):
        found = verify_package(
            package(
                version=version, edit=lambda text: text.replace(b"<Date>", b"<Jour>").replace(b"</Date>", b"</Jour>")
            ),
            Schemas(compiled[version]),
        )
        assert any("Jour" in finding.reason for finding in found.errors)
        assert verify_package(package(version=version), Schemas(compiled[version])).state is State.CONFORME


class TestVerify:
    def test_without_schema_nothing_is_sure(self):
        found = verify_package(package(), Schemas(None))
        assert found.state is State.NON_VERIFIE
        assert "--schemas" in found.unverified[0]
        asked = verify_package(package(), Schemas(None, None, True))
        assert any("RELAX NG" in gap for gap in asked.unverified)

    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            ("content/BDO00001.pdf", b"Contenu", "empreinte différente"),
            ("content/BDO00001.pdf", b"contenus", "octets"),
            ("content/autre.pdf", b"contenu", "absent du paquet"),
        ],
    )
    def test_content(self, name, content, reason):
        assert any(reason in text for text in reasons(package({name: content})))

    def test_both_directions(self):
        found = reasons(package({"content/BDO00001.pdf": b"contenu", "content/intrus.pdf": b"x"}))
        assert found == ["content/intrus.pdf : présent dans le paquet, absent du manifeste"]

    @pytest.mark.parametrize("name", ["../fuite.pdf", "/etc/x", "content/../../x", "c:\\x", "content\\x"])
    def test_names_that_leave(self, name):
        info = zipfile.ZipInfo("x")
        info.filename = name
        assert any("sort du paquet" in text for text in reasons(package(extra=[(info, b"x")])))

    def test_link(self):
        info = zipfile.ZipInfo("content/lien")
        info.external_attr = 0o120777 << 16
        assert any("lien" in text for text in reasons(package(extra=[(info, b"/etc/passwd")])))

    def test_layout(self):
        assert any("2 fichiers à la racine" in text for text in reasons(package(extra=[("lisez-moi.txt", b"x")])))
        assert any("2 dossiers" in text for text in reasons(package(extra=[("autre/x", b"x")])))
        assert any("aucun manifest" in text for text in reasons(package(manifest="bordereau.xml")))
        assert not any("racine" in text for text in reasons(package(manifest="commune_manifest.xml")))

    def test_entities_are_refused(self):
        laughs = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><ArchiveTransfer>&b;'
        laughs += b"</ArchiveTransfer>"
        assert any("DOCTYPE" in text for text in reasons(package(edit=lambda _text: laughs)))
        late = b"<a>" + b" " * 5000 + b"</a>"
        assert any("ArchiveTransfer" in text for text in reasons(package(edit=lambda _text: late)))

    def test_an_entry_that_lies_about_its_size(self):
        bomb = io.BytesIO()
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
            stream = io.BytesIO()
            write_manifest(stream, header(), [Unit("t", "File", (item(content=b"0" * 10),))])
            archive.writestr("manifest.xml", stream.getvalue())
            archive.writestr("content/BDO00001.pdf", b"0" * 5_000_000)
        assert any("octets" in text for text in reasons(bomb))

    @pytest.mark.parametrize("content", [b"", b"PK", b"x" * 100, b"PK\x05\x06" + b"\x00" * 18])
    def test_not_a_package(self, content):
        assert reasons(io.BytesIO(content))

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 4000), st.integers(0, 255))
    def test_no_damage_breaks_the_verification(self, position, value):
        content = bytearray(package().getvalue())
        content[position % len(content)] = value
        verify_package(io.BytesIO(bytes(content)), Schemas(None))

    def test_vitam_rules(self):
        def edit(text):
            return text.replace(b"<ArchivalAgreement>ACCORD-1</ArchivalAgreement>", b"").replace(
                b"BinaryMaster_1", b"Binary Master"
            )

        found = reasons(package(edit=edit))
        assert any("accord" in text for text in found)
        assert any("usage" in text for text in found)

    def test_references(self):
        found = reasons(package(edit=lambda text: text.replace(b"Id>GOT00001<", b"Id>GOT00009<")))
        assert len([text for text in found if "GOT0000" in text]) == 2

    def test_profile(self, tmp_path):
        rng = tmp_path / "profil.rng"
        rng.write_text(RNG.replace("@titre@", "Délibérations"), encoding="utf-8")
        profile = load_rng(rng)
        good = package(units=[Unit("Délibérations", "RecordGrp", (item(),))])
        bad = package(units=[Unit("Autre chose", "RecordGrp", (item(),))])
        assert reasons(good, Schemas(None, profile, True)) == []
        assert any("profil d'archivage" in text for text in reasons(bad, Schemas(None, profile, True)))

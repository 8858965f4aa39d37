# SPDX-License-Identifier: GPL-3.0-or-later
"""Acts: verified before they leave, valid for the official schema, answered in forms that were recorded."""

from __future__ import annotations

from datetime import date

import pytest
from envois_samples import PDF, SCHEMAS
from hypothesis import given, settings
from hypothesis import strategies as st
from s2low_samples import ACTES, EXAMPLES

from packmairie.engines.xml_schemas import load_xsd
from packmairie.formats.actes.act import Act, Attachment, Sender, department_of, nature_of, plain_subject, verify_act
from packmairie.formats.actes.classification import read_classification
from packmairie.formats.actes.documents import look
from packmairie.formats.actes.message import document_names, envelope, envelope_name, message, message_name
from packmairie.formats.actes.number import is_number, propose_number
from packmairie.formats.actes.replies import Acknowledgement, Anomaly, mismatch, read_state_reply
from packmairie.formats.actes.s2low import Status, create_fields, read_answer, read_status
from packmairie.formats.xml import parse
from packmairie.model.preuve import State

official = pytest.mark.skipif(not ACTES.is_dir(), reason=f"schémas officiels absents de {SCHEMAS}")
TODAY = date(2026, 11, 24)
SENDER = Sender("216207084", "062", "1", "Mairie d'essai", "contact@exemple.fr")


def act(**changes):
    values = {
        "number": "2026_017",
        "nature": 1,
        "matiere": "7.1",
        "day": date(2026, 10, 15),
        "subject": "Budget supplémentaire",
        "document": Attachment("deliberation.pdf", 1000, "99_DE"),
    }
    return Act(**{**values, **changes})


@pytest.fixture(scope="module")
def xsd():
    return load_xsd(ACTES / "actesv1_1.xsd") if ACTES.is_dir() else None


@pytest.fixture(scope="module")
def classified():
    return read_classification((EXAMPLES / "pastell-classification.xml").read_bytes()) if ACTES.is_dir() else None


class TestNumber:
    @pytest.mark.parametrize(
        ("written", "proposed"),
        [
            ("2026-017", "2026_017"),
            ("n° 2026-017 bis", "2026_017_BIS"),
            ("Délibération n° 12", "12"),
            ("arrêté 2026/é4", "2026_E4"),
            ("2026-10-15-conseil-017", "61015CONSEIL017"),
            ("NO12", "NO12"),
            ("NO", "NO"),
            ("no 12", "12"),
            ("x", ""),
            ("", ""),
            ("日本", ""),
        ],
    )
    def test_proposals(self, written, proposed):
        assert propose_number(written) == proposed

    @given(st.text(max_size=40))
    def test_a_proposal_is_always_accepted(self, text):
        proposed = propose_number(text)
        assert proposed == "" or is_number(proposed)

    @given(st.from_regex(r"[0-9A-Z](_?[0-9A-Z]){1,7}", fullmatch=True))
    def test_a_good_number_is_left_as_it_is(self, number):
        assert propose_number(number) == number


TEXTS = st.text(st.characters(codec="iso-8859-1", exclude_categories=["Cc"]), min_size=1, max_size=80).filter(str.strip)


@official
class TestMessages:
    @settings(max_examples=20, deadline=None)
    @given(
        number=st.from_regex(r"[0-9A-Z_]{2,15}", fullmatch=True),
        subject=TEXTS,
        day=st.dates(date(2000, 1, 1), date(2099, 1, 1)),
        matiere=st.lists(st.integers(1, 99), min_size=2, max_size=5),
        nature=st.integers(1, 6),
        annexes=st.integers(0, 4),
        paper=st.booleans(),
    )
    def test_valid_whatever_the_values(self, xsd, number, subject, day, matiere, nature, annexes, paper):
        made = act(
            number=number,
            subject=subject,
            day=day,
            matiere=".".join(map(str, matiere)),
            nature=nature,
            annexes=tuple(Attachment(f"a{n}.png", 1, "99_AU") for n in range(annexes)),
            on_paper=paper,
        )
        for content in (message(made, SENDER, TODAY), envelope(made, SENDER)):
            assert b"ISO-8859-1" in content.split(b"\n")[0]
            root = parse(content)
            assert xsd.validate(root.getroottree()), xsd.error_log
        assert subject.encode("iso-8859-1") in message(made, SENDER, TODAY) or any(
            c in subject for c in "&<>\u00a0\u0085\r"
        )

    def test_names(self):
        made = act(annexes=(Attachment("Plan.PDF", 1, "21_DA"),))
        assert message_name(made, SENDER) == "062-216207084-20261015-2026_017-DE-1-1_0.xml"
        assert document_names(made, SENDER) == (
            "99_DE-062-216207084-20261015-2026_017-DE-1-1_1.pdf",
            "21_DA-062-216207084-20261015-2026_017-DE-1-1_2.pdf",
        )
        assert envelope_name(SENDER, TODAY, 1) == "EACT--216207084--20261124-1.xml"
        assert department_of("62") == "062"
        assert department_of("974") == "974"

    def test_the_official_schema_refuses_what_it_must(self, xsd):
        wrong = Sender("216207084", "62", "1", "x", "mairie+actes@exemple.fr")
        assert not xsd.validate(parse(envelope(act(), wrong)).getroottree())

    def test_recorded_acknowledgement_is_valid_and_read(self, xsd):
        content = (EXAMPLES / "006-210600235-20180522-684-AI-1-2_5279.xml").read_bytes()
        assert xsd.validate(parse(content).getroottree())
        reply = read_state_reply(content)
        assert isinstance(reply, Acknowledgement)
        assert (reply.identifier, reply.received) == ("006-210600235-20180522-684-AI", "2018-05-28")

    def test_recorded_anomaly_is_not_valid_and_read(self, xsd):
        content = (EXAMPLES / "ANO_EACT--214400152--20180925-1.xml").read_bytes()
        assert not xsd.validate(parse(content).getroottree())
        reply = read_state_reply(content)
        assert isinstance(reply, Anomaly)
        assert reply.code == "999"
        assert "pas reconnu" in reply.detail


@official
class TestClassification:
    def test_recorded(self, classified):
        assert classified.day == date(2017, 11, 13)
        assert classified.natures[1].main_type == "99_DE"
        assert classified.natures[2].main_type == "99_AT"
        assert classified.matieres["7.10"] == "Divers"
        assert len(classified.natures) == 6

    def test_prefixless_attributes(self):
        content = (EXAMPLES / "pastell-classification.xml").read_bytes().replace(b" actes:Code", b" Code")
        assert read_classification(content).natures[1].main_type == "99_DE"

    @pytest.mark.parametrize("content", [b"", b"KO\nrien", b"<x/>", b"<RetourClassification/>"])
    def test_refusals(self, content):
        with pytest.raises(ValueError, match=r"."):
            read_classification(content)


@official
class TestVerify:
    def test_a_sound_act(self, classified):
        assert verify_act(act(), SENDER, classified, TODAY).findings == ()

    @pytest.mark.parametrize(
        ("changes", "reason", "remedy"),
        [
            ({"number": "2026-017"}, "numéro", "2026_017"),
            ({"day": date(2026, 11, 25)}, "futur", "attendre"),
            ({"day": date(2025, 1, 1)}, "plus d'un an", "date"),
            ({"subject": "x" * 500}, "499", "raccourcir"),
            ({"subject": "日本"}, "ISO-8859-1", "autrement"),
            ({"subject": ""}, "vide", "objet"),
            ({"nature": 9}, "nature 9", "Actes individuels"),
            ({"matiere": "7"}, "deux niveaux", "7.1"),
            ({"matiere": "99.9"}, "absente", "classification"),
            ({"document": Attachment("a.pdf", 1, "99_AR")}, "hors de la nature", "99_DE"),
            ({"document": Attachment("a.pdf", 151 * 1024 * 1024, "99_DE")}, "151 Mio", "alléger"),
            ({"document": Attachment("a.pdf", 1, "99_DE", ("PDF tronqué",))}, "tronqué", "refaire"),
        ],
    )
    def test_refusals(self, classified, changes, reason, remedy):
        found = verify_act(act(**changes), SENDER, classified, TODAY)
        assert any(reason in item.reason and remedy in item.remedy for item in found.findings), found

    @pytest.mark.parametrize("address", ["mairie+actes@exemple.fr", "contact@mairie.collectif"])
    def test_return_addresses(self, classified, address):
        sender = Sender("216207084", "062", "1", "x", address)
        assert any("retour" in item.reason for item in verify_act(act(), sender, classified, TODAY).errors)

    def test_without_classification_nothing_is_sure(self):
        assert verify_act(act(), SENDER, None, TODAY).state is State.NON_VERIFIE

    def test_subjects(self):
        assert plain_subject("Cœur de l’Artois – 20 €\u202f: suite…") == "Coeur de l'Artois - 20 EUR : suite..."
        assert plain_subject("É\n\tà") == "É à"
        assert nature_of("Délibération") == 1
        assert nature_of("5") == 5
        assert nature_of("x") is None


class TestDocuments:
    @pytest.mark.parametrize(
        ("name", "content", "fault"),
        [
            ("a.pdf", PDF, ""),
            ("a.pdf", b"", "vide"),
            ("a.pdf", b"<html>", "pas un PDF"),
            ("a.pdf", PDF[:-7], "tronqué"),
            ("a.pdf", PDF.replace(b"<<", b"<</Encrypt 1 0 R"), "protégé"),
            ("a.docx", b"PK", "PDF"),
            ("a", b"x", "PDF"),
        ],
    )
    def test_acts(self, tmp_path, name, content, fault):
        path = tmp_path / "f"
        path.write_bytes(content)
        with path.open("rb") as stream:
            faults, _doubts = look(stream, name, act=True)
        assert bool(faults) == bool(fault)
        assert fault in " ".join(faults)

    def test_active_content_is_told(self, tmp_path):
        path = tmp_path / "f"
        path.write_bytes(b"%PDF-1.7\n" + b"x" * (1024 * 1024 + 1015) + b"/JavaScript" + b"y" * 50 + b"%%EOF")
        with path.open("rb") as stream:
            faults, doubts = look(stream, "a.pdf", act=True)
        assert faults == ()
        assert doubts == ("contient JavaScript",)

    def test_images(self, tmp_path):
        path = tmp_path / "f"
        path.write_bytes(b"\x89PNG\r\n\x1a\n...")
        with path.open("rb") as stream:
            assert look(stream, "plan.png", act=False) == ((), ())
        with path.open("rb") as stream:
            assert look(stream, "plan.jpg", act=False)[0]
        with path.open("rb") as stream:
            assert look(stream, "plan.png", act=True)[0]


class TestS2low:
    def test_fields(self):
        fields = create_fields(act(annexes=(Attachment("p.pdf", 1, "21_DA"),)))
        assert fields["en_attente"] == "1"
        assert fields["type_acte"] == "99_DE"
        assert fields["type_pj[]"] == ["21_DA"]
        assert (fields["classif1"], fields["classif2"]) == ("7", "1")

    def test_answers(self):
        assert read_answer(b"OK\n666") == (True, "666")
        assert read_answer("KO\nnuméro déjà pris".encode("iso-8859-1")) == (False, "numéro déjà pris")
        with pytest.raises(ValueError, match="inattendue"):
            read_answer(b"<html>")
        assert read_status(b"OK\n17\n") == Status(17, b"")
        assert read_status(b"OK\n-1\nrefus").code == -1
        for wrong in (b"KO\ninconnue", b"OK\nx", b"", b"OK"):
            with pytest.raises(ValueError, match=r"."):
                read_status(wrong)

    @given(st.binary(max_size=60))
    def test_no_answer_breaks_the_reader(self, content):
        for read in (read_answer, read_status, read_state_reply):
            try:
                read(content)
            except ValueError:
                continue

    def test_an_acknowledgement_of_another_act(self):
        good = Acknowledgement("062-216207084-20261015-2026_017-DE", "2026-10-20", "2026_017", "2026-10-15", "")
        assert mismatch(good, act(), SENDER) == ""
        other = Acknowledgement("062-216207084-20261015-2026_018-DE", "2026-10-20", "2026_018", "2026-10-15", "")
        assert "attendu" in mismatch(other, act(), SENDER)
        assert mismatch(Acknowledgement("", "", "", "", ""), act(), SENDER)
        assert mismatch(Acknowledgement(good.identifier, "", "", "", ""), act(), SENDER)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The desired state, computed once: what each commune gets, what it does not, and what is refused."""

from __future__ import annotations

import pytest
from core_samples import commune, edit, make_pack, pack, set_existing
from hypothesis import given, settings
from hypothesis import strategies as st
from inventory_samples import OEUF, RIENCOURT

from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault, ensure_vault_password, write_secrets
from packmairie.model.problem import PackmairieError
from packmairie.model.record import Record, Zone
from packmairie.model.secret import SecretKind, SecretWish, placeholder
from packmairie.operations import desired
from packmairie.operations.status import checks_of

MX = {"nom": "@", "type": "MX", "valeurs": ["10 mx.ailleurs.example."]}
OTHER = {"nom": "essai.fr", "dns": "externe"}


@pytest.fixture(autouse=True)
def _own_password(monkeypatch):
    for name in ("PACKMAIRIE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)


def state(*communes):
    settings = pack(*communes)
    source = desired.offline_secrets(settings)
    return desired.zones(settings, source), desired.trees(settings, source)


def types_of(zone: Zone) -> set[str]:
    return {f"{record.name} {record.type}".strip() for record in zone.records}


def problems(call, *arguments, **options) -> tuple[str, ...]:
    with pytest.raises(PackmairieError) as caught:
        call(*arguments, **options)
    return tuple(str(problem) for problem in caught.value.problems)


class TestExisting:
    def test_gets_no_records_nor_files_of_that_brique(self):
        both = {"messagerie": "Prestataire", "presence": "Prestataire"}
        kept = commune(existant=both, domaine={"nom": "essai.fr", "enregistrements": [MX]})
        (platform, zone), trees = state(kept)
        assert types_of(zone) == {"CAA", "NS", "MX"}
        assert zone.records[-1] != MX
        assert next(record for record in zone.records if record.type == "MX").values == ("10 mx.ailleurs.example.",)
        assert not any("62708" in record.name for record in platform.records)
        parts = [part for name, tree in trees.items() if name != "dns" for file in tree.files for part in file.parts]
        assert {part.commune for part in parts} == {None}

    def test_wants_no_secret(self):
        kept = commune(existant={"messagerie": "Prestataire"}, domaine=OTHER)
        assert dict(desired.wished_secrets(pack(kept)))["62708"] == ()

    def test_is_checked_all_the_same(self):
        kept = commune(existant={"messagerie": "Prestataire", "presence": "Prestataire"}, domaine=OTHER)
        names = {check.name for code, check in checks_of(pack(kept), ["62708"]) if code == "62708"}
        assert {f"rpnt-{family}.{number}" for family in (1, 2) for number in range(1, 9)} | {"caa"} == names

    def test_another_commune_is_not_touched(self):
        kept = commune("62633", existant={"messagerie": "Prestataire"}, domaine={"nom": "oeuf.fr", "dns": "externe"})
        zones, trees = state(kept, commune())
        boxes = next(file for file in trees["postfix"].files if file.path.endswith("boites"))
        assert {part.commune for part in boxes.parts} == {None, "62708"}
        assert "_dmarc TXT" in types_of(zones[2])


class TestZones:
    def test_the_platform_s_is_first_and_knows_whose_its_records_are(self):
        (platform, *towns), _ = state(commune(), commune("62633"))
        assert platform.commune is None
        assert platform.owners == {
            f"pm{number}.{code}._domainkey": code for number in (1, 2) for code in ("62633", "62708")
        }
        assert [zone.commune for zone in towns] == ["62708", "62633"]

    def test_a_zone_kept_elsewhere_is_computed_but_not_managed(self):
        (_, zone), trees = state(commune(domaine=OTHER))
        assert not zone.managed
        assert "MX" in types_of(zone)
        assert "NS" not in types_of(zone)
        assert not any("essai.fr" in file.path for file in trees["dns"].files)

    def test_every_value_of_every_zone_is_full(self):
        zones, _ = state(commune(), commune("62633"), commune("59529", domaine=OTHER))
        for zone in zones:
            for record in zone.records:
                assert all(value.strip() for value in record.values)

    def test_briques_that_wish_the_same_set_are_joined(self):
        kept = {"nom": "@", "type": "TXT", "valeurs": ["site=1"]}
        (_, zone), _ = state(commune(domaine={"nom": "essai.fr", "enregistrements": [kept]}))
        texts = next(record for record in zone.records if (record.name, record.type) == ("", "TXT"))
        assert set(texts.values) == {"site=1", "v=spf1 include:_spf.pack.example -all"}

    @pytest.mark.parametrize(
        "kept",
        [
            {"nom": "mta-sts", "type": "A", "valeurs": ["192.0.2.7"]},
            {"nom": "pm1._domainkey", "type": "TXT", "valeurs": ["v=DKIM1; p=x"]},
            {"nom": "pm1._domainkey", "type": "CNAME", "valeurs": ["ailleurs.example."]},
            {"nom": "@", "type": "CNAME", "valeurs": ["ailleurs.example."]},
            {"nom": "www", "type": "CNAME", "valeurs": ["a.example.", "b.example."]},
        ],
    )
    def test_an_alias_has_no_company(self, kept):
        bad = commune(domaine={"nom": "essai.fr", "enregistrements": [kept]})
        (told,) = problems(state, bad, commune("62633"))
        assert "commune 62708" in told
        assert "est un alias" in told or "mène ailleurs" in told
        assert "domaine.enregistrements" in told

    def test_every_commune_s_fault_is_told_at_once(self):
        kept = {"nom": "@", "type": "CNAME", "valeurs": ["ailleurs.example."]}
        bad = [
            commune(code, domaine={"nom": f"essai{code}.fr", "enregistrements": [kept]}) for code in ("62708", "62633")
        ]
        assert len(problems(state, *bad)) == 2

    def test_a_second_spf_policy_would_void_both(self):
        kept = {"nom": "@", "type": "TXT", "valeurs": ["v=spf1 include:spf.exemple.fr -all"]}
        (told,) = problems(state, commune(domaine={"nom": "essai.fr", "enregistrements": [kept]}))
        assert "SPF" in told
        assert "messagerie.spf" in told

    @settings(max_examples=40)
    @given(
        st.lists(
            st.builds(
                Record,
                st.sampled_from(["", "a", "b"]),
                st.sampled_from(["A", "AAAA"]),
                st.lists(st.sampled_from(["1", "2", "3"]), min_size=1, max_size=3, unique=True).map(tuple),
                st.integers(60, 7200),
            ),
            max_size=8,
        )
    )
    def test_joining_loses_no_value_and_doubles_none(self, records):
        sets = desired.joined(records)
        assert len({(record.name, record.type) for record in sets}) == len(sets)
        assert all(len(set(record.values)) == len(record.values) for record in sets)
        before = {(record.name, record.type, value) for record in records for value in record.values}
        assert {(record.name, record.type, value) for record in sets for value in record.values} == before
        assert desired.joined(sets) == sets
        for record in sets:
            ttls = [known.ttl for known in records if (known.name, known.type) == (record.name, record.type)]
            assert record.ttl == min(ttls)


class TestOwner:
    @pytest.mark.parametrize(
        ("name", "commune"),
        [
            ("pm1.62708._domainkey", "62708"),
            ("pm1.2A004._domainkey", "2A004"),
            ("pm1.59999._domainkey", "59999"),
            ("mx", None),
            ("pm1._domainkey", None),
            ("", None),
            ("x627081._domainkey", None),
            ("_spf", None),
        ],
    )
    def test_of_a_record_of_the_platform_s_zone(self, name, commune):
        assert desired.owner_of(Zone("pack.example", (), None), name) == commune

    def test_of_a_commune_s_zone(self):
        assert desired.owner_of(Zone("essai.fr", (), "62708"), "pm1.59999._domainkey") == "62708"


class TestSecrets:
    @pytest.fixture
    def folder(self, tmp_path):
        folder = make_pack(tmp_path / "pack")
        ensure_vault_password(folder)
        return folder

    def test_missing_ones_are_named_with_their_owner(self, folder):
        absent = desired.missing_secrets(load_pack(folder), Vault(folder))
        assert {(missing.commune, missing.wish.name) for missing in absent} >= {
            ("plateforme", "dns.tsig"),
            ("62633", "messagerie.boites.sonde"),
            ("62708", "messagerie.dkim.pm2"),
        }

    def test_a_plan_makes_do_with_placeholders(self, folder):
        source = desired.vault_secrets(load_pack(folder), Vault(folder), allow_missing=True)
        assert source("plateforme")["dns.tsig"] == placeholder(SecretKind.TSIG)
        assert not list(folder.glob("secrets/*"))

    def test_a_deployment_refuses(self, folder):
        write_secrets(folder, "62708", {"messagerie.boites.sonde": placeholder(SecretKind.MAILBOX)})
        source = desired.vault_secrets(load_pack(folder), Vault(folder), allow_missing=False)
        (told,) = problems(source, "62708")
        assert "secrets/62708.yml" in told
        assert "messagerie.dkim.pm1" in told
        assert "messagerie.boites.sonde" not in told
        assert "packmairie inventory secrets" in told

    def test_so_does_the_tree_of_a_host(self, folder):
        assert problems(desired.host_tree, folder, "postfix")
        assert desired.host_tree(folder, "postfix", allow_missing=True).files

    def test_what_the_vault_holds_wins(self, folder):
        Vault(folder).generate({"plateforme": [SecretWish("dns.tsig", SecretKind.TSIG)]})
        source = desired.vault_secrets(load_pack(folder), Vault(folder), allow_missing=True)
        assert source("plateforme")["dns.tsig"] != placeholder(SecretKind.TSIG)

    def test_offline_opens_no_vault(self, folder):
        (folder / "secrets").mkdir()
        (folder / "secrets" / "62708.yml").write_text("illisible")
        settings = load_pack(folder)
        assert desired.trees(settings, desired.offline_secrets(settings))["postfix"].files

    def test_a_tree_that_no_brique_fills_is_empty(self, folder):
        assert desired.host_tree(folder, "caddy", allow_missing=True).files == ()


class TestSelection:
    def test_none_means_all_in_the_pack_s_order(self):
        assert desired.select(pack(commune("62633"), commune()), []) == ("62633", "62708")
        assert desired.select(pack(commune("62633"), commune()), ["62708", "62633"]) == ("62633", "62708")

    def test_unknown_codes_are_all_told_with_what_to_do(self):
        told = problems(desired.select, pack(commune()), ["62708", "59529", "xx"])
        assert len(told) == 2
        assert "packmairie inventory add 59529" in told[0]

    def test_an_empty_pack_is_a_mistake(self):
        (told,) = problems(desired.select, pack(), [])
        assert "aucune commune" in told


class TestFolder:
    def test_a_file_that_says_existing(self, tmp_path):
        folder = make_pack(tmp_path / "pack")
        set_existing(folder, OEUF)
        settings = load_pack(folder)
        zones = desired.zones(settings, desired.offline_secrets(settings))
        assert {zone.commune: len(zone.records) for zone in zones[1:]}["62633"] == 3  # CAA, and the site's

    def test_a_managed_zone_without_its_mx_is_refused_at_its_line(self, tmp_path):
        folder = make_pack(tmp_path / "pack")
        path = folder / "communes" / RIENCOURT
        set_existing(folder, RIENCOURT)
        edit(path, "dns: externe", "dns: geree")
        told = problems(load_pack, folder)
        assert any("MX" in line and RIENCOURT in line for line in told)


class TestChosenCommunes:
    def test_opens_the_vaults_of_the_chosen_communes_alone(self):
        known = pack(commune(), commune("62633", domaine={"nom": "oeuf.fr"}))
        opened = []
        offline = desired.offline_secrets(known)

        def source(name):
            opened.append(name)
            return offline(name)

        found = desired.trees(known, source, ["62708"])
        zones = desired.zones(known, source, ["62708"])
        assert set(opened) == {"plateforme", "62708"}
        parts = {part.commune for tree in found.values() for file in tree.files for part in file.parts}
        assert parts == {None, "62708"}
        assert [zone.name for zone in zones] == [known.file.plateforme.domaine, known.commune("62708").domaine.nom]
        assert {name for name, _wishes in desired.wished_secrets(known, ["62708"])} == {"plateforme", "62708"}

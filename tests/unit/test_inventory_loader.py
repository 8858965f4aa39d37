# SPDX-License-Identifier: GPL-3.0-or-later
"""A pack as a whole: every problem told at once, in French, at its line."""

from __future__ import annotations

import re
from typing import Any

import pytest
from inventory_samples import OEUF, RICH, RIENCOURT, edit, make_pack

from packmairie.inventory.loader import load_pack
from packmairie.inventory.schema import schema_texts
from packmairie.inventory.wording import PATTERNS, keys_at
from packmairie.model.commune import Commune
from packmairie.model.pack import PackFile
from packmairie.model.problem import PackmairieError

DEMO = "inventories/demo"


def problems_of(folder) -> list[str]:
    with pytest.raises(PackmairieError) as caught:
        load_pack(folder)
    assert all(problem.remedy for problem in caught.value.problems)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def rich_problems(folder, before: str, after: str) -> list[str]:
    (folder / "communes" / RIENCOURT).write_text(RICH, encoding="utf-8")
    edit(folder / "communes" / RIENCOURT, before, after)
    return problems_of(folder)


@pytest.fixture
def pack(tmp_path):
    return make_pack(tmp_path / "pack")


class TestSound:
    def test_written_pack_loads(self, pack):
        loaded = load_pack(pack)
        assert [commune.insee for commune in loaded.communes] == ["62633", "62708"]
        assert loaded.folder == str(pack)
        assert not loaded.commune("62633").domaine.confirme

    def test_every_key_loads(self, pack):
        (pack / "communes" / RIENCOURT).write_text(RICH, encoding="utf-8")
        commune = load_pack(pack).commune("62708")
        assert commune.agents[0].quota_mo == 500
        assert commune.service_public is not None

    def test_without_communes(self, pack):
        for path in (pack / "communes").iterdir():
            path.unlink()
        assert load_pack(pack).communes == ()
        (pack / "communes").rmdir()
        assert load_pack(pack).communes == ()


class TestNotAPack:
    def test_missing_folder(self, tmp_path):
        assert "n'existe pas" in problems_of(tmp_path / "absent")[0]

    def test_missing_pack_file(self, tmp_path):
        assert "n'est pas un pack" in problems_of(tmp_path)[0]

    def test_communes_files_only(self, pack):
        for name in ("62708.yml~", "x.yaml", ".62708.yml.swp", "notes.txt", ".cache.yml"):
            (pack / "communes" / name).write_text("x")
        (pack / "communes" / "sub").mkdir()
        for name in ("README.md", ".gitkeep", ".62708-a.yml.ab_c1.tmp"):
            (pack / "communes" / name).write_text("x")
        told = problems_of(pack)
        assert len(told) == 6
        assert "le renommer x.yml" in next(line for line in told if "x.yaml" in line)


class TestOneFile:
    @pytest.mark.parametrize(
        ("before", "after", "expected"),
        [
            (
                'insee: "62708"',
                "insee: 62708",
                r":1: insee : « 62708 » sans guillemets est lu comme un nombre → écrire \"62708\"",
            ),
            ('["62450"]', "[62450]", r":6: codes_postaux\[1\] : « 62450 » sans guillemets"),
            ('["62450"]', "[02450]", r":6: .*base huit.*entre guillemets"),
            ('["62450"]', '["62130"]', r":6: codes_postaux : 62130 n'est pas un code postal.*62450"),
            ("population: 33", "population: 34", r":7: population : « 34 ».*« 33 »"),
            ("population: 33", "population: trente", r":7: population : « trente » n'est pas un nombre entier"),
            ('"216207084"', '"216207085"', r":4: siren : .*clé de contrôle"),
            ('"216207084"', '"216206334"', r":5: siret : ne commence pas par le SIREN"),
            (
                'nom: "Riencourt-lès-Bapaume"',
                'nom: "Riencourt"',
                r":2: nom : .*le registre 2026 dit « Riencourt-lès-Bapaume »",
            ),
            ("dns: geree", "dns: gere", r":16: domaine.dns : « gere » n'est pas un choix.*« geree »"),
            ("  dns: geree", "  dsn: geree", r":16: domaine.dsn : clé inconnue → vouliez-vous dire « dns » \?"),
            ("confirme: false", "confirme: peut-être", r":17: domaine.confirme : .*true ou false"),
            (
                '"riencourt-les-bapaume.fr"',
                '"Riencourt.fr"',
                r":15: domaine.nom : « Riencourt.fr » n'est pas un nom de domaine",
            ),
            ("depuis: 2026-01-15", "depuis: 15/01/2026", r":23: convention.depuis : .*AAAA-MM-JJ"),
            ("depuis: 2026-01-15", "depuis: 2026-02-30", r":23: convention.depuis : .*AAAA-MM-JJ"),
            (
                '    nom: "Secrétariat"',
                "    nom: no",
                r":27: agents\[1\].nom : « no » sans guillemets est lu comme vrai ou faux",
            ),
            ('    nom: "Secrétariat"', "    nom:", r":27: agents\[1\].nom : valeur vide"),
            ("quota_mo: 500", "quota_mo: 5", r":28: agents\[1\].quota_mo : « 5 » est trop petit → au moins 50"),
            ("quota_mo: 500", "quota: 500", r":28: agents\[1\].quota : clé inconnue → vouliez-vous dire « quota_mo »"),
            ('"secretariat"', '"contact"', r":25: agents : « contact » est réservé"),
            ('"secretariat"', '"site"', r":25: agents : « site » est réservé"),
            ('"mairie": ["contact"]', '"site": ["contact"]', r":31: messagerie.alias.site : « site » est réservé"),
            ('"mairie": ["contact"]', '"Mairie": ["contact"]', r":31: messagerie.alias.Mairie : la clé « Mairie »"),
            ('"mairie": ["contact"]', '"mairie": "contact"', r":31: messagerie.alias.mairie : .*liste"),
            ('"mairie": ["contact"]', '"mairie": ["maire"]', r":31: .*« maire », qui n'existe pas"),
            ("  presence: ", "  presance: ", r":34: existant.*« presance » n'est pas une brique"),
            ("existant:\n", "existante:\n", r":33: existante : clé inconnue → vouliez-vous dire « existant »"),
            ("epci:\n", "epci: oui\nepci2:\n", r":9: epci : « oui » là où un groupe de clés est attendu"),
            ('insee: "62708"\n', "", r":1: insee : clé obligatoire absente"),
            ('  nom: "riencourt-les-bapaume.fr"\n', "", r":14: domaine.nom : clé obligatoire absente"),
            ("type: A\n", "type: AAAAA\n", r":20: domaine.enregistrements\[1\].type : .*AAAA"),
            ('nom: "vieux"', 'nom: "Vieux nom"', r":19: domaine.enregistrements\[1\].nom : .*un nom dans la zone"),
        ],
    )
    def test_told_in_french_at_its_line(self, pack, before, after, expected):
        told = rich_problems(pack, before, after)
        assert any(re.search(rf"^communes/{RIENCOURT}{expected}", line) for line in told), told
        assert not any(word in line for line in told for word in ("Input should", "valid", "String", "Field required"))

    def test_one_address_one_problem(self, pack):
        edit(pack / "pack.yml", "adresse: 192.0.2.10", "adresse: dix")
        assert [line.split(" → ")[0] for line in problems_of(pack)] == [
            "pack.yml:29: plateforme.hotes.plateforme.adresse : « dix » n'est pas une adresse IP"
        ]

    def test_rule_of_the_pack(self, pack):
        edit(pack / "pack.yml", "groupes: [dns, frontal, messagerie]", "groupes: [dns]")
        assert re.match(
            r"pack.yml:\d+: plateforme.hotes : aucun hôte ne joue frontal, messagerie", problems_of(pack)[0]
        )


class TestTogether:
    def test_everything_at_once_in_order(self, pack):
        edit(pack / "pack.yml", "domaine: pack.example", "domain: pack.example")
        edit(pack / "communes" / RIENCOURT, "population: 33", "population: x")
        edit(pack / "communes" / RIENCOURT, "millesime: 2026", "milesime: 2026")
        edit(pack / "communes" / OEUF, "insee:", "\tinsee:")
        places = [line.split(": ")[0] for line in problems_of(pack)]
        assert len(places) == 6
        files = [place.rsplit(":", 1)[0] for place in places]
        assert files == sorted(files)
        lines = [int(place.rsplit(":", 1)[1]) for place in places if RIENCOURT in place]
        assert lines == sorted(lines)

    def test_file_name(self, pack):
        (pack / "communes" / RIENCOURT).rename(pack / "communes" / "62709-riencourt.yml")
        assert "ne correspond pas au nom du fichier" in problems_of(pack)[0]
        (pack / "communes" / "62709-riencourt.yml").rename(pack / "communes" / "627081.yml")
        assert "ne correspond pas au nom du fichier" in problems_of(pack)[0]

    def test_same_code_twice(self, pack):
        copy = pack / "communes" / "62708-copie.yml"
        copy.write_bytes((pack / "communes" / RIENCOURT).read_bytes())
        edit(copy, "riencourt-les-bapaume.fr", "autre.fr")
        told = problems_of(pack)
        assert len(told) == 1
        assert "déjà la commune de 62708-copie.yml" in told[0]

    def test_same_code_twice_even_when_a_file_is_wrong(self, pack):
        copy = pack / "communes" / "62708-copie.yml"
        copy.write_text('insee: "62708"\n')
        assert any("déjà la commune" in line for line in problems_of(pack))

    @pytest.mark.parametrize(
        ("domain", "said"),
        [
            ("riencourt-les-bapaume.fr", "déjà le domaine"),
            ("mairie.riencourt-les-bapaume.fr", "se trouve dans le domaine"),
            ("pack.example", "domaine de la plateforme"),
            ("oeuf.pack.example", "domaine de la plateforme"),
        ],
    )
    def test_domains(self, pack, domain, said):
        edit(pack / "communes" / OEUF, "nom: oeuf-en-ternois.fr", f"nom: {domain}")
        told = problems_of(pack)
        assert len(told) == 1
        assert said in told[0]

    def test_unknown_code(self, pack):
        path = pack / "communes" / OEUF
        edit(path, '"62633"', '"62999"')
        path.rename(path.with_name("62999-x.yml"))
        assert "n'est pas au registre 2026" in problems_of(pack)[0]
        edit(path.with_name("62999-x.yml"), "domaine:", "derogation: commune nouvelle\ndomaine:")
        assert len(load_pack(pack).communes) == 2

    def test_departments_of_another_alphabet(self, pack):
        edit(pack / "communes" / RIENCOURT, '["62450"]', '["٦٢٤٥٠"]')
        assert "code postal" in problems_of(pack)[0]


class TestEligible:
    def make_big(self, tmp_path):
        return make_pack(tmp_path / "big", "59474")  # 1 000 inhabitants exactly

    def test_refused(self, tmp_path):
        told = problems_of(self.make_big(tmp_path))
        assert len(told) == 1
        assert "1\u202f000 habitants au millésime 2026" in told[0]
        assert re.search(r"59474-prisches.yml:\d+: commune non éligible", told[0])

    @pytest.mark.parametrize("line", ["derogation: délibération d'exemple", "convention: {depuis: 2026-01-01}"])
    def test_admitted(self, tmp_path, line):
        pack = self.make_big(tmp_path)
        edit(pack / "communes" / "59474-prisches.yml", "domaine:", f"{line}\ndomaine:")
        assert len(load_pack(pack).communes) == 1

    def test_population_cannot_be_typed_smaller(self, tmp_path):
        pack = self.make_big(tmp_path)
        edit(pack / "communes" / "59474-prisches.yml", "population: 1000", "population: 999")
        assert "le registre 2026 dit « 1000 »" in problems_of(pack)[0]

    def test_an_older_file_is_judged_by_the_register(self, tmp_path):
        pack = self.make_big(tmp_path)
        edit(pack / "communes" / "59474-prisches.yml", "population: 1000", "population: 990")
        edit(pack / "communes" / "59474-prisches.yml", "millesime: 2026", "millesime: 2025")
        assert "1\u202f000 habitants au millésime 2026" in problems_of(pack)[0]


class TestTables:
    def test_every_pattern_has_words(self):
        def patterns(schema: Any):
            if isinstance(schema, dict):
                if isinstance(schema.get("pattern"), str):
                    yield schema["pattern"]
                for key, value in schema.items():
                    yield from patterns(value)
                    if key == "patternProperties":
                        yield from value
            elif isinstance(schema, list):
                for item in schema:
                    yield from patterns(item)

        found = {*patterns(Commune.model_json_schema()), *patterns(PackFile.model_json_schema())}
        assert found <= set(PATTERNS)

    def test_keys_at(self):
        assert keys_at(Commune, ("agents", 0)) == ["identifiant", "nom", "quota_mo", "groupes"]
        assert keys_at(Commune, ("messagerie", "alias")) == []
        assert "adresse" in keys_at(PackFile, ("plateforme", "hotes", "x"))

    def test_committed_schemas_are_current(self, request):
        folder = request.config.rootpath / "docs" / "schemas"
        for name, text in schema_texts().items():
            assert (folder / f"{name}.json").read_text(encoding="utf-8") == text, "packmairie inventory schema"


def test_demo_pack_is_sound(request):
    loaded = load_pack(request.config.rootpath / DEMO)
    assert [commune.insee for commune in loaded.communes] == ["59529", "62633", "62708"]

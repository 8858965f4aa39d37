# SPDX-License-Identifier: GPL-3.0-or-later
"""``packmairie inventory`` from its arguments to the files: what is written, and when nothing is."""

from __future__ import annotations

import json
import re
import stat
import time
from pathlib import Path

import pytest
from inventory_samples import OEUF, RIENCOURT, edit, make_pack

from packmairie.cli.main import run
from packmairie.inventory.atomic import write_file, write_new_files
from packmairie.inventory.loader import load_pack
from packmairie.model.problem import ExitCode, PackmairieError
from packmairie.operations import inventory as operations
from packmairie.operations.inventory import Wish


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    for name in ("PACKMAIRIE_PACK", "PACKMAIRIE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pack(tmp_path):
    return make_pack(tmp_path / "pack", "62708")


@pytest.fixture
def cli(capsys):
    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


class TestAtomic:
    def test_replaces_whole_with_its_mode(self, tmp_path):
        path = tmp_path / "x"
        write_file(path, "un", mode=0o600)
        write_file(path, "deux", mode=0o640)
        assert path.read_text() == "deux"
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert list(tmp_path.iterdir()) == [path]

    def test_all_or_none(self, tmp_path):
        (tmp_path / "b").write_text("déjà là")
        before = snapshot(tmp_path)
        with pytest.raises(FileExistsError):
            write_new_files({tmp_path / "a": "1", tmp_path / "b": "2", tmp_path / "c": "3"})
        assert snapshot(tmp_path) == before

    def test_never_through_a_link(self, tmp_path):
        (tmp_path / "cible").write_text("intacte")
        (tmp_path / "a").symlink_to("cible")
        with pytest.raises(FileExistsError):
            write_new_files({tmp_path / "a": "1"})
        assert (tmp_path / "cible").read_text() == "intacte"


class TestAdd:
    def test_from_the_register(self, pack):
        added = operations.add(pack, Wish(("62633",)))
        assert added.files == {"62633": pack / "communes" / OEUF}
        commune = load_pack(pack).commune("62633")
        assert commune.nom == "Œuf-en-Ternois"
        assert commune.domaine.nom == "oeuf-en-ternois.fr"
        assert not commune.domaine.confirme
        text = (pack / "communes" / OEUF).read_text(encoding="utf-8")
        assert "bureau d'enregistrement" in text
        assert re.search(r'^insee: "62633"$', text, re.MULTILINE)

    def test_all_or_nothing(self, pack):
        before = snapshot(pack)
        with pytest.raises(PackmairieError) as caught:
            operations.add(pack, Wish(("62633", "59350", "62708", "99999", "80001")))
        assert snapshot(pack) == before
        lines = [str(problem) for problem in caught.value.problems]
        assert len(lines) == 4
        assert "59350 Lille: non éligible" in lines[0]
        assert "déjà dans le pack" in lines[1]
        assert "introuvable au registre" in lines[2]
        assert "département 80" in lines[3]

    def test_a_name_instead_of_a_code(self, pack):
        with pytest.raises(PackmairieError, match="vouliez-vous dire 62633 Œuf-en-Ternois"):
            operations.add(pack, Wish(("œuf",)))

    def test_waiver_is_recorded(self, pack):
        motive = 'accord du 3 mars : "pilote" # test'
        operations.add(pack, Wish(("59474",), waiver=motive))
        assert load_pack(pack).commune("59474").derogation == motive

    def test_domain_and_external_zone(self, pack):
        operations.add(pack, Wish(("62633",), domain="mairie-oeuf.fr", dns=operations.DnsMode.EXTERNE))
        domain = load_pack(pack).commune("62633").domaine
        assert (domain.nom, domain.dns.value, domain.confirme) == ("mairie-oeuf.fr", "externe", True)

    @pytest.mark.parametrize(
        "wish",
        [
            Wish(),
            Wish(("62633",), all_eligible=True),
            Wish(("62633", "62001"), domain="x.fr"),
            Wish(all_eligible=True, waiver="x"),
            Wish(("62633",), domain="a\nb: c"),
            Wish(("62633",), domain="Œuf.fr"),
            Wish(("62633",), domain="riencourt-les-bapaume.fr"),
            Wish(("62633",), domain="x.pack.example"),
            Wish(("59474",), waiver="a\nderogation: b"),
            Wish(("59474",), waiver=""),
            Wish(("59474",), waiver="{{ x }}"),
            Wish(("59474",), waiver="x" * 300),
        ],
    )
    def test_bad_choices_change_nothing(self, pack, wish):
        before = snapshot(pack)
        with pytest.raises(PackmairieError):
            operations.add(pack, wish)
        assert snapshot(pack) == before

    def test_not_into_an_unsound_pack(self, pack):
        edit(pack / "communes" / RIENCOURT, "population: 33", "population: x")
        with pytest.raises(PackmairieError, match="n'est pas un nombre entier"):
            operations.add(pack, Wish(("62633",)))
        assert not (pack / "communes" / OEUF).exists()

    def test_policy_of_another_year(self, pack):
        edit(pack / "pack.yml", "millesime: 2026", "millesime: 2030")
        edit(pack / "communes" / RIENCOURT, "domaine:", "convention: {depuis: 2026-01-01}\ndomaine:")
        with pytest.raises(PackmairieError, match=r"eligibilite\.millesime"):
            operations.add(pack, Wish(("62633",)))
        with pytest.raises(PackmairieError, match=r"eligibilite\.millesime"):
            operations.add(pack, Wish(all_eligible=True))

    @pytest.mark.slow
    def test_all_eligible(self, pack):
        seen: list[tuple[int, int]] = []
        added = operations.add(pack, Wish(all_eligible=True), lambda done, total: seen.append((done, total)))
        assert len(added.files) == 904
        assert added.already == ("62708",)
        assert seen[-1] == (904, 904)
        started = time.process_time()
        assert len(load_pack(pack).communes) == 905
        assert time.process_time() - started < 2.5

    def test_all_eligible_again_adds_nothing(self, pack):
        edit(pack / "pack.yml", "population_moins_de: 1000", "population_moins_de: 34")
        first = operations.add(pack, Wish(all_eligible=True)).files
        assert first
        assert operations.add(pack, Wish(all_eligible=True)) == operations.Added({}, tuple(sorted(("62708", *first))))


class TestInit:
    def test_a_new_pack_is_sound_and_takes_communes(self, tmp_path, cli):
        folder = tmp_path / "nouveau"
        code, out, _ = cli("inventory", "init", folder, "--name", "Pack d'essai")
        assert code == 0
        assert load_pack(folder).file.nom == "Pack d'essai"
        assert stat.S_IMODE((folder / ".vault-password").stat().st_mode) == 0o600
        assert ".vault-password" in (folder / ".gitignore").read_text()
        assert "plugin: packmairie" in (folder / "packmairie.yml").read_text()
        assert str(folder / "pack.yml") in out
        assert cli("inventory", "add", "62708", "--pack", folder)[0] == 0
        first = (folder / "communes" / RIENCOURT).read_text().splitlines()[0]
        schema = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
        assert schema
        assert (folder / "communes" / schema[1]).resolve() == (folder / "schemas" / "commune.json").resolve()

    def test_never_twice(self, pack, cli):
        before = snapshot(pack)
        code, _, err = cli("inventory", "init", pack)
        assert code == 1
        assert "déjà un pack" in err
        assert snapshot(pack) == before


class TestCommands:
    def test_search(self, pack, cli):
        code, out, _ = cli("inventory", "search", "œuf", "--pack", pack)
        assert code == 0
        assert "62633" in out
        assert "\x1b" not in out

    def test_search_json(self, pack, cli):
        found = json.loads(cli("inventory", "search", "62708", "--json", "--pack", pack)[1])
        assert found[0]["in_pack"] is True
        assert found[0]["siren"] == "216207084"

    def test_search_finds_nothing(self, cli):
        code, out, err = cli("inventory", "search", "riencour-le-bapome")
        assert (code, out) == (1, "")
        assert "62708 Riencourt-lès-Bapaume" in err

    def test_add_list_show_validate(self, pack, cli):
        assert cli("inventory", "add", "62633", "--pack", pack)[1].strip() == str(pack / "communes" / OEUF)
        assert "oeuf-en-ternois.fr (à confirmer)" in cli("inventory", "list", "--pack", pack)[1]
        assert [row["insee"] for row in json.loads(cli("inventory", "list", "--json", "--pack", pack)[1])] == [
            "62633",
            "62708",
        ]
        assert "epci.nom" in cli("inventory", "show", "62633", "--pack", pack)[1]
        assert json.loads(cli("inventory", "show", "62633", "--json", "--pack", pack)[1])["population"] == 251
        assert "communes : 2" in cli("inventory", "validate", "--pack", pack)[1]
        assert json.loads(cli("inventory", "validate", "--json", "--pack", pack)[1])["domains_unconfirmed"] == [
            "62633",
            "62708",
        ]

    def test_add_json(self, pack, cli):
        added = json.loads(cli("inventory", "add", "62633", "--json", "--pack", pack)[1])
        assert added == {"added": [{"insee": "62633", "file": str(pack / "communes" / OEUF)}], "already": []}

    def test_refusals_go_to_standard_error(self, pack, cli):
        code, out, err = cli("inventory", "add", "59350", "59606", "--pack", pack)
        assert (code, out) == (1, "")
        assert len(err.strip().splitlines()) == 2

    def test_validate_tells_every_line(self, pack, cli):
        edit(pack / "communes" / RIENCOURT, "population: 33", "population: x")
        edit(pack / "pack.yml", "domaine:", "domain:")
        code, out, err = cli("inventory", "validate", "--pack", pack)
        assert (code, out) == (1, "")
        assert len(err.strip().splitlines()) == 3
        assert f"{RIENCOURT}:" in err

    def test_show_absent(self, pack, cli):
        code, _, err = cli("inventory", "show", "62633", "--pack", pack)
        assert code == 1
        assert "inventory add 62633" in err

    def test_schema(self, tmp_path, cli):
        assert cli("inventory", "schema", "--to", tmp_path / "s")[0] == 0
        assert json.loads((tmp_path / "s" / "commune.json").read_text())["required"]

    def test_pack_from_the_environment(self, pack, cli, monkeypatch):
        monkeypatch.setenv("PACKMAIRIE_PACK", str(pack))
        assert "62708" in cli("inventory", "list")[1]

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("inventory", "serch"), "commande inconnue : serch"),
            (("inventory", "list", "--pakc", "x"), "option inconnue : --pakc"),
            (("inventory", "show"), "argument manquant : INSEE"),
            (("inventory", "list", "x"), "argument en trop"),
            (("inventory", "list", "--pack"), "attend une valeur"),
            (("inventory", "add", "62708", "--dns", "x"), "valeur refusée pour --dns"),
        ],
    )
    def test_usage_errors_are_french_and_never_read_as_changes(self, cli, arguments, said):
        code, _, err = cli(*arguments)
        assert code == ExitCode.FAILURE
        assert said in err

    def test_help_is_french(self, cli):
        code, out, _ = cli("inventory", "add", "--help")
        assert code == 0
        assert "Show this message" not in out
        assert "toutes celles demandées, ou aucune" in out

# SPDX-License-Identifier: GPL-3.0-or-later
"""``plan``, ``deploy``, ``status``, ``dns``, ``messagerie`` from their arguments to their exit codes."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from core_samples import make_pack
from inventory_samples import RIENCOURT, edit

import packmairie.cli.deploy as cli_deploy
import packmairie.cli.plan as cli_plan
import packmairie.cli.status as cli_status
from packmairie.cli.main import run
from packmairie.engines.ansible import Failure
from packmairie.inventory.loader import load_pack
from packmairie.model.change import Action, Change, Plan
from packmairie.model.preuve import Preuve, State
from packmairie.model.problem import ExitCode, fail
from packmairie.operations.deploy import DeployResult, Outcome
from packmairie.operations.status import StatusResult

CHANGE = Change("62708", "dns", "riencourt-les-bapaume.fr", Action.CREATE, "@ MX", "+@ MX 10 mx.pack.example.")


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    for name in ("PACKMAIRIE_PACK", "PACKMAIRIE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pack(tmp_path):
    return make_pack(tmp_path / "pack")


@pytest.fixture
def cli(capsys):
    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        return code, shown.out, shown.err

    return call


class TestPlanOffline:
    def test_demonstration(self, cli):
        code, out, err = cli("plan", "--offline")
        assert code == ExitCode.SUCCESS
        assert "3 communes" in out
        assert "rien contacter" in out
        assert err == ""

    def test_json(self, cli, pack):
        code, out, _ = cli("plan", "--offline", "--json", "--pack", pack)
        assert code == ExitCode.SUCCESS
        assert json.loads(out)["communes"] == 2

    def test_written(self, cli, pack, tmp_path):
        code, out, _ = cli("plan", "--offline", "--write", tmp_path / "out", "--pack", pack)
        assert code == ExitCode.SUCCESS
        assert str(tmp_path / "out") in out
        assert (tmp_path / "out" / "zones" / "riencourt-les-bapaume.fr.zone").is_file()

    def test_unknown_commune(self, cli, pack):
        code, out, err = cli("plan", "--offline", "59529", "--pack", pack)
        assert code == ExitCode.FAILURE
        assert out == ""
        assert "packmairie inventory add 59529" in err

    def test_no_pack(self, cli, tmp_path):
        code, _, err = cli("plan", "--offline", "--pack", tmp_path / "rien")
        assert code == ExitCode.FAILURE
        assert "n'existe pas" in err
        assert "→" in err

    def test_bad_pack_tells_file_and_line(self, cli, pack):
        edit(pack / "communes" / RIENCOURT, 'siren: "2', 'siren: "3')
        code, out, err = cli("plan", "--offline", "--pack", pack)
        assert code == ExitCode.FAILURE
        assert out == ""
        assert f"{RIENCOURT}:" in err
        assert "clé de contrôle" in err

    def test_the_environment_names_the_pack(self, cli, pack, monkeypatch):
        monkeypatch.setenv("PACKMAIRIE_PACK", str(pack))
        assert "2 communes" in cli("plan", "--offline")[1]

    def test_write_needs_offline(self, cli, tmp_path, pack):
        code, _, err = cli("plan", "--write", tmp_path / "out", "--pack", pack)
        assert code == ExitCode.FAILURE
        assert "--offline" in err


class TestPlan:
    def found(self, monkeypatch, *changes):
        monkeypatch.setattr(cli_plan, "plan_pack", lambda *_arguments: Plan(changes, communes=("62633", "62708")))

    def test_nothing_to_change(self, cli, pack, monkeypatch):
        self.found(monkeypatch)
        assert cli("plan", "--pack", pack)[0] == ExitCode.SUCCESS

    @pytest.mark.parametrize("form", [[], ["--json"], ["--markdown"], ["--detail"]])
    def test_changes(self, cli, pack, monkeypatch, form):
        self.found(monkeypatch, CHANGE)
        code, out, _ = cli("plan", *form, "--pack", pack)
        assert code == ExitCode.CHANGES
        assert "MX" in out
        if form == ["--json"]:
            assert json.loads(out)["counts"] == {"create": 1, "update": 0, "delete": 0}

    def test_an_error_is_one_line(self, cli, pack, monkeypatch):
        def refuse(*_arguments):
            raise fail("plateforme", "injoignable", "vérifier l'hôte")

        monkeypatch.setattr(cli_plan, "plan_pack", refuse)
        code, out, err = cli("plan", "--pack", pack)
        assert (code, out) == (ExitCode.FAILURE, "")
        assert err.strip() == "plateforme: injoignable → vérifier l'hôte"


class TestDeploy:
    def result(self, monkeypatch, *failures):
        outcome = Outcome.FAILED if failures else Outcome.CHANGED
        account = DeployResult(Path("runs/x"), (CHANGE,), failures, {"62633": Outcome.UNCHANGED, "62708": outcome}, 3.2)
        monkeypatch.setattr(cli_deploy, "deploy_pack", lambda *_arguments, **_options: account)

    def test_account(self, cli, pack, monkeypatch):
        self.result(monkeypatch)
        code, out, err = cli("deploy", "--pack", pack)
        assert code == ExitCode.SUCCESS
        assert "Riencourt" in out
        assert "modifiée" in out
        assert "runs/x" in out
        assert err == ""

    def test_failure(self, cli, pack, monkeypatch):
        self.result(monkeypatch, Failure("plateforme", "Lay", "refusé"))
        code, out, err = cli("deploy", "--pack", pack)
        assert code == ExitCode.FAILURE
        assert "en échec" in out
        assert "plateforme: « Lay » : refusé" in err

    def test_json_stays_json_when_it_fails(self, cli, pack, monkeypatch):
        self.result(monkeypatch, Failure("plateforme", "Lay", "refusé"))
        code, out, _ = cli("deploy", "--json", "--pack", pack)
        assert code == ExitCode.FAILURE
        assert json.loads(out)["communes"] == {"62633": "unchanged", "62708": "failed"}

    def test_unknown_commune_touches_nothing(self, cli, pack, tmp_path):
        code, _, err = cli("deploy", "59529", "--runs", tmp_path / "runs", "--pack", pack)
        assert code == ExitCode.FAILURE
        assert "59529" in err
        assert not (tmp_path / "runs").exists()
        assert not (pack / "secrets").exists()


class TestStatus:
    def result(self, monkeypatch, pack, *states):
        preuves = tuple(
            Preuve(
                commune="62708",
                brique="dns",
                check=f"c{number}",
                state=state,
                measured="m",
                expected="e",
                remedy="faire z",
                at=datetime(2026, 11, 24, tzinfo=UTC),
            )
            for number, state in enumerate(states)
        )
        found = StatusResult(load_pack(pack), ("62633", "62708"), preuves, {})
        monkeypatch.setattr(cli_status, "status_pack", lambda *_arguments, **_options: found)

    @pytest.mark.parametrize(
        ("states", "code"),
        [
            ([State.CONFORME], ExitCode.SUCCESS),
            ([State.CONFORME, State.NON_VERIFIE], ExitCode.NOT_VERIFIED),
            ([State.NON_CONFORME, State.NON_VERIFIE], ExitCode.NOT_CONFORM),
            ([], ExitCode.NOT_VERIFIED),
        ],
    )
    def test_the_worst_decides(self, cli, pack, monkeypatch, states, code):
        self.result(monkeypatch, pack, *states)
        shown, out, _ = cli("status", "--json", "--pack", pack)
        assert shown == code
        assert [entry["state"] for entry in json.loads(out)] == [state.value for state in states]

    def test_evidence_is_kept_and_compared(self, cli, pack, monkeypatch, tmp_path):
        kept, page = tmp_path / "avant.json", tmp_path / "etat.html"
        self.result(monkeypatch, pack, State.CONFORME)
        cli("status", "--save", kept, "--html", page, "--pack", pack)
        assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
        self.result(monkeypatch, pack, State.NON_CONFORME)
        code, out, _ = cli("status", "--since", kept, "--json", "--pack", pack)
        assert code == ExitCode.NOT_CONFORM
        assert len(json.loads(out)) == 1

    def test_an_unreadable_evidence_is_told_before_anything_is_asked(self, cli, pack, tmp_path):
        (tmp_path / "avant.json").write_text("{")
        code, _, err = cli("status", "--since", tmp_path / "avant.json", "--pack", pack)
        assert code == ExitCode.FAILURE
        assert "avant.json" in err


class TestDns:
    def test_records_to_enter_elsewhere(self, cli):
        code, out, err = cli("dns", "records", "59529")
        assert code == ExitCode.SUCCESS
        assert err == ""
        lines = out.splitlines()
        assert lines[0] == "$ORIGIN saint-aubin-59.fr."
        assert any(" IN MX     10 mx.pack.example." in line for line in lines)
        assert any(line.startswith("pm1._domainkey") and "pm1.59529._domainkey.pack.example." in line for line in lines)
        assert any("v=DMARC1; p=quarantine; sp=quarantine" in line for line in lines)
        assert not any(" IN NS " in line for line in lines)

    def test_is_a_zone_file_each_record_said_why(self, cli):
        import dns.zone

        out = cli("dns", "records", "59529")[1]
        zone = dns.zone.from_text(out, "saint-aubin-59.fr.", check_origin=False)
        rrsets = list(zone.iterate_rdatasets())
        assert len(rrsets) == len([line for line in out.splitlines() if line.startswith("; ")])
        assert not any(line.strip() == ";" for line in out.splitlines())

    def test_json(self, cli):
        code, out, _ = cli("dns", "records", "59529", "--json")
        assert code == ExitCode.SUCCESS
        records = json.loads(out)
        assert {record["name"] for record in records} >= {"saint-aubin-59.fr.", "_dmarc.saint-aubin-59.fr."}
        assert all(record["values"] and record["why"] for record in records)

    def test_a_managed_zone_needs_nothing_entered(self, cli):
        code, _, err = cli("dns", "records", "62708")
        assert code == ExitCode.SUCCESS
        assert "rien n'est à saisir" in err

    def test_unknown_commune(self, cli):
        code, out, err = cli("dns", "records", "62001")
        assert (code, out) == (ExitCode.FAILURE, "")
        assert "packmairie inventory add 62001" in err

    @pytest.mark.parametrize("domain", ["saint-aubin-59.fr", "inconnu.fr"])
    def test_no_ds_for_a_zone_kept_elsewhere(self, cli, domain):
        code, out, err = cli("dns", "ds", domain)
        assert (code, out) == (ExitCode.FAILURE, "")
        assert "n'est pas une zone gérée" in err


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["bidule"],
            ["plan", "--bidule"],
            ["dns", "records"],
            ["dns", "bidule"],
            ["status", "--since"],
            ["messagerie", "rotate-dkim", "--bidule"],
        ],
    )
    def test_a_typing_error_is_one_french_line_and_never_2(self, cli, arguments):
        code, out, err = cli(*arguments)
        assert code == ExitCode.FAILURE
        assert out == ""
        assert len(err.strip().splitlines()) == 1
        assert "--help" in err
        assert "No such" not in err

    def test_rotation_of_an_unknown_commune(self, cli, pack):
        code, _, err = cli("messagerie", "rotate-dkim", "59529", "--pack", pack)
        assert code == ExitCode.FAILURE
        assert "59529" in err

    def test_interruption(self, cli, pack, monkeypatch):
        def interrupt(*_arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr(cli_plan, "plan_pack", interrupt)
        code, _, err = cli("plan", "--pack", pack)
        assert code == ExitCode.INTERRUPTED
        assert "Interrompu" in err

    def test_exit_codes_are_distinct(self):
        assert len({int(code) for code in ExitCode}) == len(ExitCode)
        assert ExitCode.CHANGES == 2


def test_a_copy_of_the_demonstration_works_anywhere(cli, tmp_path):
    shutil.copytree(
        "inventories/demo", tmp_path / "demo", ignore=shutil.ignore_patterns("secrets", ".vault-password", "preuves")
    )
    assert cli("plan", "--offline", "--pack", tmp_path / "demo")[0] == ExitCode.SUCCESS

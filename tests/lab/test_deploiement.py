# SPDX-License-Identifier: GPL-3.0-or-later
"""plan and deploy on booted hosts: read-only when they say so, complete, idempotent, selective, true to drift."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from stages import ROOT, Rehearsal, Told

from packmairie.lab import Lab
from packmairie.operations.rotation import RETIREMENT, Stage, rotate_keys

pytestmark = pytest.mark.lab

COMMUNES = {"59529", "62633", "62708"}
Run = Callable[..., Told]


def concerned(account: dict[str, Any]) -> set[str]:
    """Return to whom the changes of a run belong; that a shared service read its files again is nobody's change."""
    return {change["commune"] for change in account["changes"] if not change["what"].endswith(".service")}


class TestFirstDeployment:
    def test_a_plan_on_a_fresh_host_touches_nothing(self, rehearsal: Rehearsal) -> None:
        assert rehearsal.fresh_plan.code == 2, rehearsal.fresh_plan.err
        assert rehearsal.hash_after_fresh_plan == rehearsal.hash_fresh

    def test_it_shows_what_each_commune_would_get(self, rehearsal: Rehearsal) -> None:
        plan = json.loads(rehearsal.fresh_plan_json.out)
        changes = plan["changes"]
        assert {change["commune"] for change in changes} == {"plateforme", *COMMUNES}
        for insee in COMMUNES:
            briques = {change["brique"] for change in changes if change["commune"] == insee}
            assert "messagerie" in briques
        paths = {change["what"] for change in changes}
        assert {"/etc/postfix/main.cf", "/etc/dovecot/dovecot.conf", "/etc/knot/knot.conf"} <= paths
        records = {change["what"] for change in changes if change["place"] == "riencourt-les-bapaume.fr"}
        assert {"@ MX", "@ TXT", "_dmarc TXT", "pm1._domainkey CNAME"} <= records
        # A zone that the pack does not manage is nobody's to change.
        assert not any(change["place"] == "saint-aubin-59.fr" for change in changes)

    def test_the_markdown_is_for_a_merge_request(self, rehearsal: Rehearsal) -> None:
        assert "Riencourt-lès-Bapaume" in rehearsal.fresh_plan.out
        assert "<details>" in rehearsal.fresh_plan.out

    def test_everything_is_deployed_and_accounted_for(self, rehearsal: Rehearsal, runs_folder: Path) -> None:
        summaries = sorted(runs_folder.glob("*/summary.json"))
        first = json.loads(summaries[0].read_text(encoding="utf-8"))
        assert first["communes"] == dict.fromkeys(sorted(COMMUNES), "changed")
        assert first["failures"] == []
        assert (summaries[0].parent / "artifacts" / "ansible" / "job_events").is_dir()
        assert (summaries[0].parent.stat().st_mode & 0o077) == 0


class TestSecondDeployment:
    def test_nothing_changes(self, rehearsal: Rehearsal) -> None:
        account = json.loads(rehearsal.second.out)
        assert account["changes"] == []
        assert account["communes"] == dict.fromkeys(sorted(COMMUNES), "unchanged")

    def test_it_is_quick(self, rehearsal: Rehearsal) -> None:
        print(f"second deploy: {rehearsal.second.seconds:.1f} s")
        assert rehearsal.second.seconds < 45

    def test_the_plan_is_empty_and_touches_nothing(self, rehearsal: Rehearsal) -> None:
        assert rehearsal.converged_plan.code == 0, rehearsal.converged_plan.out
        assert rehearsal.hash_after_converged_plan == rehearsal.hash_converged

    def test_ansible_alone_agrees(self, rehearsal: Rehearsal, pack_folder: Path) -> None:
        result = subprocess.run(
            [
                Path(sys.executable).parent / "ansible-playbook",
                "-i",
                pack_folder,
                "playbooks/site.yml",
                "--check",
                "--diff",
            ],
            cwd=ROOT,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-3000:]
        assert re.search(r"plateforme\s*: .*changed=0 .*failed=0", result.stdout)


class TestSelection:
    def test_an_unknown_commune_is_an_error_and_nothing_runs(
        self, rehearsal: Rehearsal, packmairie: Run, runs_folder: Path
    ) -> None:
        before = sorted(runs_folder.iterdir())
        told = packmairie("deploy", "59350", "--runs", str(runs_folder))
        assert told.code == 1
        assert "59350" in told.err
        assert "inventory add 59350" in told.err
        assert sorted(runs_folder.iterdir()) == before

    def test_only_the_chosen_commune_changes(
        self, rehearsal: Rehearsal, packmairie: Run, pack_folder: Path, runs_folder: Path, lab: Lab
    ) -> None:
        files = {insee: next((pack_folder / "communes").glob(f"{insee}-*.yml")) for insee in ("62708", "62633")}
        texts = {insee: path.read_text(encoding="utf-8") for insee, path in files.items()}
        try:
            for insee, path in files.items():
                path.write_text(
                    texts[insee].replace(
                        "    mairie: [contact]\n", "    mairie: [contact]\n    urbanisme: [contact]\n"
                    ),
                    encoding="utf-8",
                )
            plan = json.loads(packmairie("plan", "--json").out)
            assert {change["commune"] for change in plan["changes"]} == {"62708", "62633"}
            told = packmairie("deploy", "62708", "--json", "--runs", str(runs_folder))
            account = json.loads(told.out)
            assert account["communes"] == {"62708": "changed"}
            assert concerned(account) == {"62708"}
            aliases = lab.run("plateforme", ["cat", "/etc/postfix/communes/alias"]).stdout
            assert "urbanisme@riencourt-les-bapaume.fr" in aliases
            assert "urbanisme@oeuf-en-ternois.fr" not in aliases
            assert "mairie@oeuf-en-ternois.fr" in aliases
            left = json.loads(packmairie("plan", "--json").out)
            assert {change["commune"] for change in left["changes"]} == {"62633"}
        finally:
            for insee, path in files.items():
                path.write_text(texts[insee], encoding="utf-8")
            assert packmairie("deploy", "--runs", str(runs_folder)).code == 0


class TestDrift:
    def test_a_file_edited_by_hand_is_shown_and_put_back(
        self, rehearsal: Rehearsal, packmairie: Run, runs_folder: Path, lab: Lab
    ) -> None:
        lab.run("plateforme", ["sh", "-c", "echo 'message_size_limit = 1' >> /etc/postfix/main.cf"])
        lab.run("plateforme", ["sh", "-c", "echo intrus > /etc/dovecot/communes/intrus.fr.passwd"])
        told = packmairie("plan", "--json")
        assert told.code == 2
        changes = {(change["action"], change["what"]) for change in json.loads(told.out)["changes"]}
        assert changes == {
            ("update", "/etc/postfix/main.cf"),
            ("delete", "/etc/dovecot/communes/intrus.fr.passwd"),
            # Who edits a file may have had it read: the service reads it again once it is put back.
            ("update", "postfix.service"),
        }
        assert packmairie("deploy", "--runs", str(runs_folder)).code == 0
        assert packmairie("plan").code == 0

    def test_a_record_edited_on_the_server_is_shown(self, rehearsal: Rehearsal, packmairie: Run, lab: Lab) -> None:
        edit = "knotc zone-begin {z} && knotc zone-{verb} {z} intrus {rest} && knotc zone-commit {z}"
        zone = "riencourt-les-bapaume.fr"
        assert (
            lab.run("plateforme", ["sh", "-c", edit.format(z=zone, verb="set", rest="60 A 192.0.2.1")]).returncode == 0
        )
        try:
            found = json.loads(packmairie("plan", "--json").out)["changes"]
            assert [(change["action"], change["what"], change["commune"]) for change in found] == [
                ("delete", "intrus A", "62708")
            ]
        finally:
            lab.run("plateforme", ["sh", "-c", edit.format(z=zone, verb="unset", rest="A")])


class TestRotation:
    def test_keys_rotate_without_touching_the_commune_s_zone(
        self, rehearsal: Rehearsal, packmairie: Run, pack_folder: Path, runs_folder: Path, lab: Lab
    ) -> None:
        def signing() -> str:
            text = lab.run("plateforme", ["cat", "/etc/rspamd/communes/selecteurs.map"]).stdout
            return next(line.split()[1] for line in text.splitlines() if line.startswith("riencourt-les-bapaume.fr "))

        def one_step() -> str:
            return json.loads(packmairie("messagerie", "rotate-dkim", "62708", "--json").out)[0]["stage"]

        assert signing() == "pm1"
        assert one_step() == "switched"
        account = json.loads(packmairie("deploy", "62708", "--json", "--runs", str(runs_folder)).out)
        assert concerned(account) == {"62708"}
        assert not any(change["place"] == "riencourt-les-bapaume.fr" for change in account["changes"])
        assert signing() == "pm2"
        proof = json.loads(packmairie("status", "62708", "--json").out)
        trip = next(preuve for preuve in proof if preuve["check"] == "aller-retour")
        assert trip["state"] == "conforme", trip["measured"]
        # The retired key still verifies what is on its way; a week later it is replaced, and waits for the caches.
        assert one_step() == "waiting"
        later = datetime.now(UTC) + RETIREMENT
        assert rotate_keys(pack_folder, ["62708"], later)[0].stage is Stage.PREPARED
        assert one_step() == "waiting"
        account = json.loads(packmairie("deploy", "62708", "--json", "--runs", str(runs_folder)).out)
        assert "pm1.62708._domainkey TXT" in {change["what"] for change in account["changes"]}
        assert rotate_keys(pack_folder, ["62708"], later + timedelta(hours=2))[0].stage is Stage.SWITCHED
        assert packmairie("deploy", "--runs", str(runs_folder)).code == 0
        assert signing() == "pm1"

# SPDX-License-Identifier: GPL-3.0-or-later
"""status on booted hosts: green when all works, and the right check red when one thing is broken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from stages import Deployment, Told

from packmairie.lab import Lab

pytestmark = pytest.mark.lab

Run = Callable[..., Told]
KEYS = {"commune", "brique", "check", "state", "measured", "expected", "remedy", "at"}
ZONE = "riencourt-les-bapaume.fr"
COMMUNE = "62708"


def preuves(packmairie: Run, *arguments: str) -> dict[tuple[str, str], dict[str, str]]:
    """Run status and return its preuves by (commune, check)."""
    told = packmairie("status", "--json", *arguments)
    assert told.out.startswith("["), told.err
    return {(found["commune"], found["check"]): found for found in json.loads(told.out)}


def states(found: dict[tuple[str, str], dict[str, str]], state: str) -> set[tuple[str, str]]:
    """Return the checks in one state."""
    return {key for key, preuve in found.items() if preuve["state"] == state}


@contextmanager
def broken(lab: Lab, host: str, break_it: str, mend_it: str) -> Iterator[None]:
    """Break something on a host, and mend it whatever happens."""
    result = lab.run(host, ["sh", "-c", break_it])
    assert result.returncode == 0, result.stderr
    try:
        yield
    finally:
        result = lab.run(host, ["sh", "-c", mend_it])
        assert result.returncode == 0, result.stderr


def zone_edit(zone: str, *changes: str) -> str:
    """Return the shell command that edits a zone on its server, behind octoDNS' back."""
    steps = " && ".join(f"knotc zone-{change}" for change in changes)
    return f"knotc zone-begin {zone} && {steps} && knotc zone-commit {zone}"


class TestWhenAllWorks:
    def test_everything_is_green_and_quick(self, deployed: Deployment, packmairie: Run) -> None:
        told = packmairie("status", "--json")
        found = json.loads(told.out)
        wrong = [preuve for preuve in found if preuve["state"] != "conforme"]
        assert wrong == []
        assert told.code == 0
        print(f"status: {told.seconds:.1f} s, {len(found)} checks")
        assert told.seconds < 10

    def test_its_json_has_the_published_form(self, deployed: Deployment, packmairie: Run) -> None:
        found = preuves(packmairie)
        for preuve in found.values():
            assert set(preuve) - {"rpnt"} == KEYS
        codes = {preuve["rpnt"] for key, preuve in found.items() if key[0] == COMMUNE and "rpnt" in preuve}
        assert codes == {f"{family}.{number}" for family in (1, 2) for number in range(1, 9)}
        assert {key[0] for key in found} == {"plateforme", "59529", "62633", "62708"}

    def test_csv_html_and_since(self, deployed: Deployment, packmairie: Run, tmp_path) -> None:
        assert packmairie("status", "--csv").out.startswith("commune,brique,check,state")
        page, kept = tmp_path / "etat.html", tmp_path / "etat.json"
        assert packmairie("status", "--html", str(page), "--save", str(kept)).code == 0
        assert "Œuf-en-Ternois" in page.read_text(encoding="utf-8")
        assert "Rien n'a changé d'état" in packmairie("status", "--since", str(kept)).out

    def test_the_probes_leave_nothing_behind(self, deployed: Deployment, packmairie: Run, lab: Lab) -> None:
        assert packmairie("status").code == 0
        left = lab.run("plateforme", ["sh", "-c", "grep -rl 'rification packmairie' /var/vmail || true"]).stdout
        assert left == ""


class TestWhenOneThingBreaks:
    def test_a_signing_key_that_vanished(self, deployed: Deployment, packmairie: Run, lab: Lab, runs_folder) -> None:
        owner = f"pm2.{COMMUNE}._domainkey"
        gone = zone_edit("pack.example", f"unset pack.example {owner} TXT")
        assert lab.run("plateforme", ["sh", "-c", gone]).returncode == 0
        lab.flush_resolver()
        assert states(preuves(packmairie), "non_conforme") == {(COMMUNE, "dkim-pm2")}
        told = packmairie("deploy", "--runs", str(runs_folder), "--json")
        assert [change["what"] for change in json.loads(told.out)["changes"]] == [f"{owner} TXT"]
        lab.flush_resolver()
        assert states(preuves(packmairie), "conforme") == set(preuves(packmairie))

    def test_an_exchange_that_was_changed(self, deployed: Deployment, packmairie: Run, lab: Lab) -> None:
        away = zone_edit(ZONE, f"unset {ZONE} @ MX", f"set {ZONE} @ 3600 MX '10 mail.ailleurs.example.'")
        back = zone_edit(ZONE, f"unset {ZONE} @ MX", f"set {ZONE} @ 3600 MX '10 mx.pack.example.'")
        with broken(lab, "plateforme", away, back):
            lab.flush_resolver()
            found = preuves(packmairie, COMMUNE)
            assert (COMMUNE, "mx") in states(found, "non_conforme")
            assert "mail.ailleurs.example" in found[COMMUNE, "mx"]["measured"]
            assert found[COMMUNE, "rpnt-2.4"]["state"] == "conforme"
            assert found[COMMUNE, "aller-retour"]["state"] != "conforme"
        lab.flush_resolver()

    def test_a_mailbox_service_that_stopped(self, deployed: Deployment, packmairie: Run, lab: Lab) -> None:
        # The socket-less unit is stopped for good: nothing starts it again but us.
        with broken(lab, "plateforme", "systemctl stop dovecot", "systemctl start dovecot"):
            red = states(preuves(packmairie), "non_conforme")
            assert {("plateforme", "services-plateforme"), ("plateforme", "tls-993")} <= red
            assert {(insee, "aller-retour") for insee in ("59529", "62633", "62708")} <= red

    def test_a_certificate_that_expired(self, deployed: Deployment, packmairie: Run, lab: Lab) -> None:
        folder = "/etc/packmairie/certificats/messagerie"
        expire = (
            f"cp -a {folder}/fullchain.pem /root/chain.kept && cp -a {folder}/key.pem /root/key.kept && "
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=mx.pack.example "
            "-addext subjectAltName=DNS:mx.pack.example,DNS:mail.pack.example "
            "-not_before 20250101000000Z -not_after 20250201000000Z "
            f"-keyout {folder}/key.pem -out {folder}/fullchain.pem "
            "&& systemctl reload postfix dovecot"
        )
        mend = (
            f"mv /root/chain.kept {folder}/fullchain.pem && mv /root/key.kept {folder}/key.pem "
            "&& systemctl reload postfix dovecot"
        )
        with broken(lab, "plateforme", expire, mend):
            found = preuves(packmairie)
            for port in (25, 465, 587, 993):
                preuve = found["plateforme", f"tls-{port}"]
                assert preuve["state"] == "non_conforme"
                assert "expiré" in preuve["measured"]
        assert preuves(packmairie)["plateforme", "tls-25"]["state"] == "conforme"

    def test_a_disk_that_is_full(self, deployed: Deployment, packmairie: Run, lab: Lab) -> None:
        fill = (
            "mount -t tmpfs -o size=16m,mode=0755 none /srv && dd if=/dev/zero of=/srv/plein bs=1M count=15 status=none"
        )
        # What looks at deposits every minute may have failed meanwhile, and would stay so until the next.
        mend = "umount /srv && systemctl start packmairie-partage-depots.service"
        with broken(lab, "plateforme", fill, mend):
            found = preuves(packmairie)
            assert found["plateforme", "disque-plateforme"]["state"] == "non_conforme"
            assert "/srv" in found["plateforme", "disque-plateforme"]["measured"]

    def test_a_published_policy_that_is_missing(self, deployed: Deployment, packmairie: Run, lab: Lab) -> None:
        page = f"/srv/communes/mta-sts.{ZONE}/.well-known/mta-sts.txt"
        with broken(lab, "plateforme", f"mv {page} /root/policy", f"mv /root/policy {page}"):
            assert states(preuves(packmairie), "non_conforme") == {(COMMUNE, "mta-sts")}


class TestWhenNobodyAnswers:
    def test_silence_is_never_a_failure_of_the_commune(self, deployed: Deployment, packmairie: Run, lab: Lab) -> None:
        silence = "nft insert rule inet packmairie input tcp dport { 443, 993 } drop"
        with broken(lab, "plateforme", silence, "systemctl reload nftables"):
            found = preuves(packmairie, COMMUNE)
            assert states(found, "non_conforme") == set()
            silent = {("plateforme", "tls-993"), (COMMUNE, "mta-sts"), (COMMUNE, "mta-sts-certificat")}
            assert silent | {(COMMUNE, "aller-retour")} <= states(found, "non_verifie")

    def test_a_resolver_that_is_down_proves_nothing(self, deployed: Deployment, packmairie: Run, lab: Lab) -> None:
        with broken(lab, "monde", "systemctl stop unbound", "systemctl start unbound"):
            told = packmairie("status", COMMUNE, "--json")
            found = {preuve["check"]: preuve["state"] for preuve in json.loads(told.out)}
            assert "non_conforme" not in found.values()
            assert found["mx"] == found["rpnt-2.4"] == found["delegation"] == "non_verifie"
            assert told.code == 5

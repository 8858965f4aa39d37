# SPDX-License-Identifier: GPL-3.0-or-later
"""Services run what their files say, also after a run that died in between; sessions do not outlive their account."""

from __future__ import annotations

import contextlib
import imaplib
import json
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packmairie.inventory.generators import new_secret
from packmairie.inventory.vault import Vault
from packmairie.lab import Lab
from packmairie.model.pack import Pack
from packmairie.model.secret import SecretKind

pytestmark = pytest.mark.lab

ROOT = Path(__file__).resolve().parents[2]
COMMUNE, AGENT, DOMAIN = "62708", "agent.exemple", "riencourt-les-bapaume.fr"
STAMP = "/var/lib/packmairie/services/knot.service"


def test_an_interrupted_reload_is_done_and_a_changed_password_closes_sessions(
    packmairie: Callable[..., Any], pack: Pack, pack_folder: Path, runs_folder: Path, lab: Lab
) -> None:
    vault = Vault(pack_folder)
    known = vault.read(COMMUNE)
    name = f"messagerie.boites.{AGENT}"
    tls = ssl.create_default_context(cafile=str(lab.root_certificate()))
    tls.check_hostname = False  # reached by address
    address = str(pack.file.plateforme.ipv4[0])

    def session() -> imaplib.IMAP4_SSL:
        return imaplib.IMAP4_SSL(address, 993, ssl_context=tls, timeout=20)

    stays, goes = session(), session()
    stays.login(f"secretariat@{DOMAIN}", known["messagerie.boites.secretariat"]["mot_de_passe"])
    goes.login(f"{AGENT}@{DOMAIN}", known[name]["mot_de_passe"])
    # What a run killed after Knot's files and before its reload leaves behind.
    assert lab.run("plateforme", ["sh", "-c", f"echo '{{}}' > {STAMP}"]).returncode == 0
    before = lab.run("plateforme", ["systemctl", "show", "-pMainPID", "--value", "knot", "postfix"]).stdout.split()
    vault.write(COMMUNE, {**known, name: new_secret(SecretKind.MAILBOX)})

    account = json.loads(packmairie("deploy", COMMUNE, "--json", "--runs", str(runs_folder)).out)

    assert account["failures"] == []
    assert ("knot.service", "redémarré") in {(change["what"], change["detail"]) for change in account["changes"]}
    after = lab.run("plateforme", ["systemctl", "show", "-pMainPID", "--value", "knot", "postfix"]).stdout.split()
    assert before[0] != after[0]
    assert before[1] == after[1]
    assert stays.noop()[0] == "OK"
    with pytest.raises((imaplib.IMAP4.error, OSError)):
        goes.noop()
    with session() as again, pytest.raises(imaplib.IMAP4.error):
        again.login(f"{AGENT}@{DOMAIN}", known[name]["mot_de_passe"])
    with session() as again:
        again.login(f"{AGENT}@{DOMAIN}", vault.read(COMMUNE)[name]["mot_de_passe"])
    with contextlib.suppress(imaplib.IMAP4.error, OSError):
        stays.logout()


def test_a_configuration_that_is_refused_leaves_the_service_as_it_is(
    deployed: object, pack_folder: Path, lab: Lab, tmp_path: Path
) -> None:
    playbook = tmp_path / "essai.yml"
    service = {"unit": "knot.service", "reload": ["/etc/hostname"], "check": ["false"]}
    task = {"name": "Essai", "packmairie_services": {"services": [service]}}
    playbook.write_text(json.dumps([{"hosts": "dns", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    known = lab.run("plateforme", ["cat", STAMP]).stdout
    before = lab.run("plateforme", ["systemctl", "show", "-pMainPID", "--value", "knot"]).stdout
    told = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", str(pack_folder), str(playbook)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 2, told.stdout
    assert "configuration refusée, le service garde l'ancienne" in told.stdout
    assert lab.run("plateforme", ["cat", STAMP]).stdout == known
    assert lab.run("plateforme", ["systemctl", "show", "-pMainPID", "--value", "knot"]).stdout == before

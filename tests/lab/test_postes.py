# SPDX-License-Identifier: GPL-3.0-or-later
"""A workstation from its installation to its loss, on booted hosts: in a network of its own, behind a router's NAT.

Two hosts of the lab: the workstation, and another that plays the gateway alone. The installer's last step runs on the
booted host, as it would on the new system; everything after that goes through the tunnel, as from the workshop.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from separate import separate_lab, share_packages

from packmairie.cli.main import run
from packmairie.inventory.vault import Vault
from packmairie.lab import Lab, hosts
from packmairie.lab.box import HOST_ADDRESS, Box
from packmairie.lab.keys import technician_key
from packmairie.operations.postes_inventory import read_machines

pytestmark = pytest.mark.lab

ROOT = Path(__file__).resolve().parents[2]
PRIVATE = Path(__file__).with_name("marionette.py")
INSEE, POSTE, GATEWAY = "62708", "poste-62708-1", "poste-62708-9"
FILE = "62708-riencourt-les-bapaume.yml"
ENTRY = """
postes:
  - nom: poste-62708-1
    acces: tunnel
    profil: leger
    modele: Machine d'exemple
    numero_serie: EX-1
    garantie: 2099-12-31
"""
AT_ONCE = "--timer-property=AccuracySec=100ms"
"""Without it systemd has a minute to act on a timer, at a moment that depends on the boot."""
WHOLE = ("--limit", POSTE, "--tags", "postes,sauvegarde")
PLAIN = ("-e", "packmairie_constat=false")
UPGRADED = "thunderbird firefox-esr"
"""Packages large enough to be caught in the middle of being unpacked."""
LYNIS_FLOOR = 70
LYNIS_ABSENT = {
    "AUTH-9262": "R31 : qualité des mots de passe",
    "AUTH-9308": "R31 : compte root en mode de secours",
    "DEB-0280": "R55 : libpam-tmpdir",
    "FIRE-4590": "R79 : pare-feu",
    "HOME-9304": "R36 : dossiers personnels fermés",
    "KRNL-5820": "R14 : vidages de mémoire",
    "NETW-3200": "R62 : protocoles inutiles",
    "PKGS-7420": "R61 : mises à jour automatiques",
}
"""What lynis would suggest where a recommendation of BP-028 that the role applies were missing."""
TALK = """
return Services.policies.getActivePolicies()
"""
MAIL = """
const read = (name) => Services.prefs.getPrefType(name) === 32
  ? Services.prefs.getStringPref(name) : Services.prefs.getIntPref(name);
return ["server.server1.hostname", "server.server1.userName", "server.server1.port", "identity.id1.useremail",
        "identity.id2.useremail", "smtpserver.smtp1.hostname"].map((name) => read("mail." + name));
"""


@dataclass
class Workshop:
    """The two hosts, the pack that describes them, and what each run of the role said."""

    lab: Lab
    box: Box
    pack: Path
    vault: dict[str, Any]
    runs: list[subprocess.CompletedProcess[str]]

    def play(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the playbook as a technician does."""
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", self.pack, "playbooks/site.yml", *options]
        environment = os.environ | {"ANSIBLE_NOCOLOR": "1"}
        return subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def on(self, host: str, *argv: str, text: str | None = None) -> str:
        """Run a command on a host by the lab's own way in, and return what it printed."""
        done = self.lab.run(host, argv, text_input=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def through(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the workstation as Ansible reaches it: by its tunnel."""
        command = [Path(sys.executable).parent / "ansible", "-i", self.pack, POSTE, "-m", "ansible.builtin.raw", "-a"]
        return subprocess.run(
            [*command, " ".join(argv)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=450,
            check=False,
        )

    def listening(self) -> bool:
        """Tell whether the gateway has the workstation's tunnel."""
        return "127.125.98.1:2222" in self.on(GATEWAY, "ss", "-Hltn")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """An installed workstation behind its box, its tunnel up, the role run twice through it."""
    missing = Lab.open().missing_needs()
    if missing:
        pytest.skip("tests du labo non exécutés : " + " ; ".join(str(problem) for problem in missing))
    lab = separate_lab("atelier", packages=True)
    try:
        lab.up([POSTE, GATEWAY], progress=print)
        folder = tmp_path_factory.mktemp("atelier") / "demo"
        shutil.copytree(ROOT / "inventories/demo", folder, ignore=shutil.ignore_patterns("secrets", ".vault-password"))
        describe(lab, folder)
        assert run(["inventory", "secrets", "--pack", str(folder)]) == 0
        assert run(["postes", "known-hosts", "--pack", str(folder)]) == 0
        box = Box(lab.host(POSTE), lab.network)
        box.up()
        one = Workshop(lab, box, folder, dict(Vault(folder).read(INSEE)), [])
        gateway = one.play("--limit", "atelier", "--tags", "acces")
        assert gateway.returncode == 0, gateway.stdout[-3000:]
        install(one, tmp_path_factory.mktemp("installation"))
        wait(one.listening, 60)
        # From nothing, then with every shortcut off, then as usual.
        one.runs += [one.play(*WHOLE, *options) for options in ((), PLAIN, ())]
        yield one
    finally:
        if os.environ.get("PACKMAIRIE_KEEP_LAB"):
            print("PACKMAIRIE_KEEP_LAB : les hôtes restent allumés")
        else:
            share_packages(lab)
            Box(lab.host(POSTE), lab.network).down()
            lab.down(purge=True)


def describe(lab: Lab, folder: Path) -> None:
    """Add the workstation and its gateway to a copy of the demonstration pack, at the lab's addresses."""
    settings = folder / "pack.yml"
    text = settings.read_text(encoding="utf-8").replace("/var/lib/packmairie-lab/", f"{lab.paths.state}/")
    access = re.search(r"      connexion:\n(?:        .*\n)+", text)
    assert access
    # The first by its name is the gateway: this host, which plays nothing else.
    gateway = f"    atelier:\n      adresse: {lab.host(GATEWAY).address}\n      groupes: [acces]\n{access[0]}"
    key = technician_key(lab.paths).with_suffix(".pub").read_text(encoding="utf-8").split()
    text = text.replace("  hotes:\n", f"  hotes:\n{gateway}", 1)
    text += f"\npostes:\n  cles_techniciens: ['{key[0]} {key[1]}']\n"
    settings.write_text(text, encoding="utf-8")
    with (folder / "communes" / FILE).open("a", encoding="utf-8") as file:
        file.write(ENTRY)


def install(one: Workshop, place: Path) -> None:
    """Run on the booted host what the installer runs last, its new system being the host itself."""
    assert run(["postes", "preseed", INSEE, "--to", str(place), "--pack", str(one.pack)]) == 0
    script = (place / POSTE / "late.sh").read_text(encoding="utf-8")
    script = script.replace("/target/", "/").replace("in-target ", "")
    one.on(POSTE, "sh", "-c", f"echo {one.lab.host(GATEWAY).address} acces.pack.example >> /etc/hosts")
    lab_key = one.on(POSTE, "cat", "/root/.ssh/authorized_keys")
    one.on(POSTE, "sh", "-s", text=script)
    assert one.on(POSTE, "cat", "/root/.ssh/authorized_keys").split()[:2] == lab_key.split()[:2]
    one.on(POSTE, "systemctl", "daemon-reload")
    # From here on the lab's own way in is shut: the host is elsewhere, and has the vault's key.
    starts = "networkctl reload; networkctl reconfigure host0; systemctl restart ssh.service packmairie-tunnel.service"
    later = f"systemd-run --quiet --on-active=1 {AT_ONCE} sh -c '{starts}'"
    moved = f"cat > /etc/systemd/network/10-labo.network && {later}"
    one.on(POSTE, "sh", "-c", moved, text=one.box.network_file())
    one.box.take()


def wait(tried: Any, seconds: float) -> None:
    """Wait until it holds; fail when it does not in time."""
    limit = time.monotonic() + seconds
    while not tried():
        assert time.monotonic() < limit, f"not in {seconds} s"
        time.sleep(1)


def test_nothing_enters_and_ansible_works_all_the_same(workshop: Workshop) -> None:
    knock = "exec 3<>/dev/tcp/{}/{}"
    said = {}
    for name, address, port in (("host", HOST_ADDRESS, 22), ("box", workshop.box.outside, 22), ("web", "", 443)):
        command = ["timeout", "4", "bash", "-c", knock.format(address or workshop.box.outside, port)]
        done = workshop.lab.run(GATEWAY, command)
        assert done.returncode != 0, name
        said[name] = done.stderr
    assert "unreachable" in said["host"]
    # It is seen from outside by its router's address alone.
    seen = workshop.on(GATEWAY, "ss", "-Htn", "state", "established", "sport", "=", ":2022")
    assert workshop.box.outside in seen
    assert HOST_ADDRESS not in seen
    answer = workshop.through("hostname; ip -color=never -4 -o address show dev host0").stdout
    assert POSTE in answer
    assert f"{HOST_ADDRESS}/24" in answer


def test_from_nothing_then_unchanged(workshop: Workshop) -> None:
    first, second, third = workshop.runs
    assert first.returncode == 0, first.stdout[-3000:]
    assert re.search(rf"{POSTE} +: ok=\d+ +changed=[1-9]", first.stdout)
    assert second.returncode == 0, second.stdout[-3000:]
    assert re.search(rf"{POSTE} +: ok=\d+ +changed=0 ", second.stdout), second.stdout[-3000:]
    assert not re.search(rf"{POSTE} +: ok=[1-3] ", second.stdout), "the second run was to go through everything"
    assert third.returncode == 0, third.stdout[-3000:]
    assert re.search(rf"{POSTE} +: ok=1 +changed=0 ", third.stdout), third.stdout[-3000:]
    assert "(secret)" not in first.stdout
    for name in ("postes.sessions.secretariat", "messagerie.boites.secretariat"):
        assert str(workshop.vault[name]["mot_de_passe"]) not in first.stdout


def test_a_session_opens_with_its_phrase_and_waits_after_five_errors(workshop: Workshop) -> None:
    phrase = str(workshop.vault["postes.sessions.secretariat"]["mot_de_passe"])
    script = "runuser -u nobody -- su secretariat -c 'id -un; umask' 2>/dev/null < /run/essai || echo refus"

    def attempt(password: str) -> str:
        encoded = password.encode().hex()
        written = f"python3 -c 'import sys; sys.stdout.write(bytes.fromhex(\"{encoded}\").decode())' > /run/essai"
        said = workshop.through(f"umask 077; {written}; {script}; rm -f /run/essai")
        return said.stdout

    good = attempt(phrase)
    assert "secretariat" in good, good
    # 0077, and the group's share for an account that is alone in its group (pam_umask, usergroups).
    assert "0007" in good
    for _ in range(5):
        assert "refus" in attempt("faux faux faux")
    assert "refus" in attempt(phrase)
    workshop.through("faillock --user secretariat --reset")
    assert "secretariat" in attempt(phrase)


def test_firefox_and_thunderbird_say_that_they_obey(workshop: Workshop) -> None:
    answers = {}
    for application, script in (("firefox-esr", TALK), ("thunderbird", MAIL)):
        command = (
            "cd / && timeout 400 runuser -u secretariat -- env HOME=/home/secretariat USER=secretariat"
            f" LANG=fr_FR.UTF-8 python3 /run/marionette.py {application} {script.encode().hex()}"
        )
        content = PRIVATE.read_text(encoding="utf-8").encode().hex()
        workshop.through(f'python3 -c \'open("/run/marionette.py","wb").write(bytes.fromhex("{content}"))\'')
        said = workshop.through(command)
        found = re.search(r"^REPONSE (.*)$", said.stdout.replace("\r", ""), re.MULTILINE)
        assert found, said.stdout[-2000:]
        answers[application] = json.loads(found[1])
    language, policies = answers["firefox-esr"]
    assert language == "fr"
    assert policies["Homepage"]["URL"] == "https://webmail.pack.example/"
    titles = [entry.get("name") for entry in policies["ManagedBookmarks"]]
    assert "Site de la commune" in titles
    language, account = answers["thunderbird"]
    assert language == "fr"
    mine, shared = "secretariat@riencourt-les-bapaume.fr", "contact@riencourt-les-bapaume.fr"
    assert account == ["mail.pack.example", mine, 993, mine, shared, "mail.pack.example"]


def test_the_machine_is_read_through_the_tunnel_and_unknown_stays_unknown(workshop: Workshop) -> None:
    machine = next(one for one in read_machines(workshop.pack, [INSEE]) if one.poste == POSTE)
    assert machine.etat == "joint"
    assert machine.systeme.startswith("Debian GNU/Linux 13")
    assert machine.fin_de_support == "30/06/2030"
    assert (machine.chiffrement, machine.sante_disques) == ("inconnu", "inconnu")


def test_what_is_touched_is_seen_and_mended(workshop: Workshop) -> None:
    workshop.through("chmod 0777 /etc/packmairie/postes/sessions.json; systemctl stop packmairie-sauvegarde.timer")
    mended, again = workshop.play(*WHOLE), workshop.play(*WHOLE)
    assert mended.returncode == 0, mended.stdout[-3000:]
    assert re.search(rf"{POSTE} +: ok=\d+ +changed=2 ", mended.stdout), mended.stdout[-3000:]
    assert re.search(rf"{POSTE} +: ok=1 +changed=0 ", again.stdout), again.stdout[-3000:]


def test_a_change_of_the_tunnel_is_followed_through_the_tunnel(workshop: Workshop) -> None:
    workshop.through("touch /etc/packmairie/postes/tunnel.env")
    applied = workshop.play("--limit", POSTE, "--tags", "postes", "--start-at-task", "Make the tunnel follow its files")
    assert applied.returncode == 0, applied.stdout[-2000:]
    assert "changed=1 " in applied.stdout
    assert POSTE in workshop.through("hostname").stdout


def test_its_key_opens_nothing_else_on_the_gateway(workshop: Workshop, tmp_path: Path) -> None:
    key = tmp_path / "cle"
    key.write_text(str(workshop.vault[f"postes.{POSTE}.tunnel"]["privee"]), encoding="utf-8")
    key.chmod(0o600)
    address = workshop.lab.host(GATEWAY).address
    base = ["ssh", "-F", "none", "-i", str(key), "-p", "2022", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"]
    base += ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path}/known", "-o", "IdentitiesOnly=yes"]

    def refused(*options: str) -> bool:
        done = subprocess.run(
            [*base, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
        )
        return done.returncode != 0

    target = f"tunnel@{address}"
    assert refused(target, "id")
    assert refused("-W", "127.0.0.1:22", target)
    for forward in ("127.0.0.2:2222:127.0.0.1:22", "0.0.0.0:2222:127.0.0.1:22", "127.125.98.1:2223:127.0.0.1:22"):
        assert refused("-N", "-o", "ExitOnForwardFailure=yes", "-R", forward, target)
    assert refused(f"root@{address}", "true")


def test_it_comes_back_by_itself_when_the_gateway_was_away(workshop: Workshop) -> None:
    workshop.on(GATEWAY, "systemctl", "stop", "packmairie-acces.service")
    workshop.on(
        GATEWAY, "sh", "-c", "ss -Hltnp | grep 127.125.98.1 | grep -o 'pid=[0-9]*' | cut -d= -f2 | xargs -r kill"
    )
    wait(lambda: not workshop.listening(), 20)
    workshop.on(GATEWAY, "systemctl", "start", "packmairie-acces.service")
    wait(workshop.listening, 60)


@pytest.mark.nightly
def test_an_independent_tool_finds_it_hardened(workshop: Workshop) -> None:
    workshop.through("apt-get install -y -q --no-install-recommends lynis > /dev/null 2>&1; lynis --version")
    workshop.through("cd /root && lynis audit system --quick --quiet --no-colors > /dev/null 2>&1; true")
    report = workshop.through("cat /var/log/lynis-report.dat").stdout.replace("\r", "")
    index = re.search(r"^hardening_index=(\d+)$", report, re.MULTILINE)
    assert index, report[-2000:]
    print(f"lynis : indice {index[1]}")
    assert int(index[1]) >= LYNIS_FLOOR
    assert re.findall(r"^warning\[\]=(.*)$", report, re.MULTILINE) == []
    found = set(re.findall(r"^suggestion\[\]=([A-Z]+-\d+)", report, re.MULTILINE))
    print("lynis : suggestions " + " ".join(sorted(found)))
    executed = re.search(r"^tests_executed=(.*)$", report, re.MULTILINE)
    assert executed
    assert set(LYNIS_ABSENT) <= set(executed[1].split("|"))
    assert {name: why for name, why in LYNIS_ABSENT.items() if name in found} == {}


@pytest.mark.nightly
def test_a_power_cut_in_the_middle_of_an_upgrade_is_mended_by_the_next_run(workshop: Workshop) -> None:
    host = workshop.lab.host(POSTE)
    workshop.through(f"apt-get install -y -q --reinstall --download-only {UPGRADED} > /dev/null 2>&1")
    upgrade = f"apt-get install -y --reinstall {UPGRADED}"
    workshop.through(f"systemd-run --quiet --unit=essai-coupure -E DEBIAN_FRONTEND=noninteractive {upgrade}")
    dpkg = host.upper / "var/lib/dpkg"
    wait(lambda: any((dpkg / "updates").glob("[0-9]*")) and any((host.upper / "usr/lib").rglob("*.dpkg-new")), 60)
    process = host.process
    assert process is not None
    process.signal(signal.SIGKILL)
    assert process.wait(20)
    assert any((dpkg / "updates").glob("[0-9]*"))
    hosts.boot(host)
    workshop.box.take()
    wait(workshop.listening, 90)
    # What it was asked for is broken, and says so.
    said = workshop.through("dpkg --audit; true").stdout
    assert "thunderbird" in said or "firefox-esr" in said
    mended, again = workshop.play(*WHOLE), workshop.play(*WHOLE, *PLAIN)
    assert mended.returncode == 0, mended.stdout[-3000:]
    assert again.returncode == 0, again.stdout[-3000:]
    assert re.search(rf"{POSTE} +: ok=\d+ +changed=0 ", again.stdout), again.stdout[-3000:]
    state = workshop.through("dpkg --audit; ls /var/lib/dpkg/updates; dpkg --verify thunderbird firefox-esr; echo fin")
    # Between what Ansible says first and what ssh says last, dpkg has nothing to say.
    said = [line for line in state.stdout.splitlines()[1:] if line and not line.startswith("Shared connection")]
    assert said == ["fin"], state.stdout


def test_revoked_it_is_cut_in_a_minute_and_stays_out(workshop: Workshop) -> None:
    started = time.monotonic()
    assert run(["postes", "revoke", INSEE, POSTE, "--no-deploy", "--pack", str(workshop.pack)]) == 2
    applied = workshop.play("--limit", "atelier", "--tags", "acces")
    assert applied.returncode == 0, applied.stdout[-2000:]
    assert not workshop.listening()
    assert time.monotonic() - started < 60
    assert (
        workshop.vault["messagerie.boites.secretariat"]
        != Vault(workshop.pack).read(INSEE)["messagerie.boites.secretariat"]
    )
    time.sleep(20)
    assert not workshop.listening()

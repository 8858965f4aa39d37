# SPDX-License-Identifier: GPL-3.0-or-later
"""Workstations and the whole platform: one that pulls its state by itself, one that is stolen with all its secrets.

Both are described in the pack for the time of this module; at its end the pack's files and the platform are as before.
"""

from __future__ import annotations

import imaplib
import json
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from partage_client import Client, host_of
from stages import Told
from test_messagerie import NamedImap, Platform

from packmairie.briques.postes_checks import judge_pull
from packmairie.briques.sauvegarde_repositories import bucket_name
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.lab import Lab, desk, hosts
from packmairie.lab.keys import technician_key
from packmairie.model.pack import Pack
from packmairie.model.preuve import State
from packmairie.model.probe import Found
from packmairie.operations.postes_inventory import ask_pull, read_machines
from packmairie.operations.sauvegarde_store import open_store

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

PULLING, NEIGHBOUR, STOLEN = "poste-62633-1", "poste-62633-2", "poste-59529-1"
ENTRIES = {
    "62633": f"\npostes:\n  - {{nom: {PULLING}, profil: leger}}\n  - {{nom: {NEIGHBOUR}, profil: leger}}\n",
    "59529": f"\npostes:\n  - {{nom: {STOLEN}, acces: tunnel, profil: leger}}\n",
}
PUBLISHED = "/var/lib/packmairie/tirage/paquets"
TAGS = "acces,tirage,stockage,buckets"
STATE = (
    "find /etc /usr/local /home /root -xdev -type f -printf '%p %m %u %s\\n' -exec sha256sum {} + | sort | sha256sum;"
    " dpkg-query -W | sha256sum; cat /var/lib/packmairie/tirage/etat.json"
)
"""What a refused bundle must leave as it was, the last number that was taken included."""
MINUTE = 60


@dataclass
class Fleet:
    """The lab, the pack with its two workstations, and how commands are run."""

    lab: Lab
    folder: Path
    packmairie: Callable[..., Told]
    site: Callable[..., str]

    def on(self, host: str, *argv: str, text: str | None = None, code: int = 0, timeout: float = 120) -> str:
        """Run a command on a host as root; return what it printed."""
        # Workstations are sat at: the network lets nobody in.
        if host.startswith("poste-"):
            done = desk.run(self.lab.host(host), argv, text_input=text, timeout=timeout)
        else:
            done = self.lab.run(host, argv, text_input=text, timeout=timeout)
        assert done.returncode == code, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def pull(self, *options: str, code: int = 0) -> dict[str, Any]:
        """Make the workstation take its bundle now; return what it says of it."""
        said = self.on(PULLING, "poste-tirage", *options, code=code, timeout=580)
        told: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
        return told

    @property
    def pack(self) -> Pack:
        """The pack as its files say now."""
        return load_pack(self.folder)


@pytest.fixture(scope="module")
def fleet(
    lab: Lab,
    deployed: object,
    pack_folder: Path,
    packmairie: Callable[..., Told],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    """Both workstations installed as the installer leaves them, and known of the platform."""
    files = {name: next((pack_folder / "communes").glob(f"{name}-*.yml")) for name in ENTRIES}
    settings = pack_folder / "pack.yml"
    before = {path: path.read_text(encoding="utf-8") for path in (*files.values(), settings)}
    key = technician_key(lab.paths).with_suffix(".pub").read_text(encoding="utf-8").split()

    def site(*options: str) -> str:
        """Run the playbook as a technician does."""
        command = ["ansible-playbook", "-i", str(pack_folder), "playbooks/site.yml", *options]
        done = run_tool(command)
        assert done.code == 0, done.out[-3000:] + done.err
        return done.out

    try:
        settings.write_text(
            before[settings] + f"\npostes:\n  acces: tirage\n  cles_techniciens: ['{key[0]} {key[1]}']\n",
            encoding="utf-8",
        )
        for name, path in files.items():
            path.write_text(before[path] + ENTRIES[name], encoding="utf-8")
        for told in (packmairie("inventory", "secrets"), packmairie("postes", "known-hosts")):
            assert told.code == 0, told.err
        for name in (PULLING, STOLEN):
            lab.create(name, progress=print)
        one = Fleet(lab, pack_folder, packmairie, site)
        site("--limit", "plateforme_hotes", "--tags", TAGS)
        install(one, tmp_path_factory.mktemp("installation"))
        yield one
    finally:
        lab.harvest()
        if os.environ.get("PACKMAIRIE_KEEP_LAB"):
            print("PACKMAIRIE_KEEP_LAB : les postes restent allumés, et décrits dans le pack")
        else:
            for path, text in before.items():
                path.write_text(text, encoding="utf-8")
            hosts.stop([lab.host(name) for name in (PULLING, STOLEN)])
            (pack_folder / "postes.known_hosts").unlink(missing_ok=True)
            site("--limit", "plateforme_hotes", "--tags", TAGS)


def run_tool(command: list[str]) -> Told:
    """Run a program of this environment from the repository, its output kept."""
    root = Path(__file__).resolve().parents[2]
    started = time.monotonic()
    done = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=root,
        env=os.environ | {"ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return Told(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


def install(one: Fleet, place: Path) -> None:
    """Run on each booted host what the installer runs last, after the packages that it was told to install."""
    for name in (PULLING, STOLEN):
        told = one.packmairie("postes", "preseed", name[6:11], name, "--to", str(place))
        assert told.code == 0, told.err
        answers = (place / name / "preseed.cfg").read_text(encoding="utf-8")
        packages = re.search(r"^d-i pkgsel/include string (.*)$", answers, re.MULTILINE)
        assert packages
        wanted = [package for package in packages[1].split() if package != "cryptsetup-initramfs"]
        one.on(name, "apt-get", "install", "-y", "-q", "--no-install-recommends", *wanted, timeout=300)
        # A new system runs nothing yet; disabled while it runs, Debian 13's systemd loses sight of it.
        one.on(name, "systemctl", "stop", "ssh.service")
        script = (place / name / "late.sh").read_text(encoding="utf-8")
        script = script.replace("/target/", "/").replace("in-target ", "")
        one.on(name, "sh", "-s", text=script)
        one.on(name, "systemctl", "daemon-reload")
    one.on(STOLEN, "systemctl", "start", "ssh.service", "packmairie-tunnel.service")


def test_it_brings_itself_to_its_state_then_changes_nothing(fleet: Fleet) -> None:
    before = fleet.on(PULLING, "sh", "-c", "id secretariat || echo personne")
    assert "personne" in before
    # As the timer does it.
    fleet.on(PULLING, "systemctl", "start", "packmairie-tirage.service", timeout=580)
    first = json.loads(fleet.on(PULLING, "cat", "/var/lib/packmairie/tirage/rapport.json"))["tirage"]
    assert (first["issue"], first["motif"]) == ("applique", None), first
    assert first["bilan"]["modifiees"]
    fleet.on(PULLING, "id", "secretariat")
    assert "policy drop" in fleet.on(PULLING, "nft", "list", "chain", "inet", "packmairie", "input")
    assert fleet.on(PULLING, "systemctl", "is-enabled", "packmairie-tirage.timer").strip() == "enabled"
    assert fleet.pull()["issue"] == "attente"
    again = fleet.pull("--encore")
    assert (again["issue"], again["bilan"]["modifiees"]) == ("applique", []), again


def test_the_checks_read_what_it_reported(fleet: Fleet) -> None:
    answer = ask_pull(fleet.pack, PULLING)
    assert isinstance(answer, Found), answer
    verdict = judge_pull(answer.value)
    assert verdict.state is State.CONFORME, verdict
    machines = {one.poste: one for one in read_machines(fleet.folder, ["62633"])}
    assert machines[PULLING].etat == "joint"
    assert machines[PULLING].systeme.startswith("Debian GNU/Linux 13")
    assert machines[NEIGHBOUR].etat == "injoignable"


def test_what_is_published_changes_only_when_its_content_does(fleet: Fleet) -> None:
    assert re.search(r"plateforme +: ok=\d+ +changed=0 ", fleet.site("--limit", "plateforme", "--tags", "tirage"))
    text = fleet.on("plateforme", "cat", f"{PUBLISHED}/{PULLING}/manifeste.json")
    settings = fleet.folder / "pack.yml"
    settings.write_text(settings.read_text(encoding="utf-8") + "  verrouillage_minutes: 7\n", encoding="utf-8")
    changed = fleet.site("--limit", "plateforme", "--tags", "tirage")
    assert re.search(r"plateforme +: ok=\d+ +changed=1 ", changed), changed[-2000:]
    newer = json.loads(fleet.on("plateforme", "cat", f"{PUBLISHED}/{PULLING}/manifeste.json"))
    assert newer["sequence"] > json.loads(text)["sequence"]


def test_old_tampered_and_foreign_bundles_change_nothing(fleet: Fleet, tmp_path: Path) -> None:
    """Whoever holds the platform may publish anything: the workstation takes only what was signed for it."""
    names = ("manifeste.json", "manifeste.json.sig", "paquet.age")
    place = f"{PUBLISHED}/{PULLING}"
    copy = f"rm -rf /root/paquet && cp -a {place} /root/paquet"
    fleet.on("plateforme", "sh", "-c", copy)
    assert fleet.pull()["issue"] == "applique"
    assert fleet.on(PULLING, "cat", "/etc/xdg/xfce4/xfconf/xfce-perchannel-xml/xfce4-screensaver.xml").count('"7"') == 1
    made = fleet.packmairie("postes", "bundle", "62633", PULLING, "--to", str(tmp_path))
    assert made.code == 0, made.err
    assert sorted(path.name for path in (tmp_path / PULLING).iterdir()) == sorted(names)
    state = fleet.on(PULLING, "sh", "-c", STATE)
    older = json.loads(fleet.on("plateforme", "cat", f"{place}/manifeste.json"))
    attacks = {
        "tampered archive": f"printf x | dd of={place}/paquet.age bs=1 seek=400 conv=notrunc status=none",
        "tampered manifest": f'sed -i \'s/"expire": [0-9]*/"expire": 9999999999/\' {place}/manifeste.json',
        "no signature": f": > {place}/manifeste.json.sig",
        "another's": f"for f in {' '.join(names)}; do cat {PUBLISHED}/{NEIGHBOUR}/$f > {place}/$f; done",
    }
    said = {}
    for name, attack in attacks.items():
        fleet.on("plateforme", "sh", "-c", attack)
        # The state is taken again by the workstation itself, so that it looks at the archive too.
        told = fleet.pull("--encore", code=1)
        said[name] = told["motif"]
        assert told["issue"] == "refus", (name, told)
        fleet.on("plateforme", "sh", "-c", f"for f in {' '.join(names)}; do cat /root/paquet/$f > {place}/$f; done")
    assert fleet.on(PULLING, "sh", "-c", STATE) == state, said
    assert NEIGHBOUR in said["another's"]
    # The platform tells of a refusal; an older bundle, though signed, is refused once a newer was taken.
    assert fleet.on(PULLING, "mkdir", "-p", "/root/cle") == ""
    for name in names:
        content = (tmp_path / PULLING / name).read_bytes().hex()
        fleet.on(
            PULLING,
            "sh",
            "-c",
            f"python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' > /root/cle/{name}",
            text=content,
        )
    assert fleet.pull("--depuis", "/root/cle")["issue"] == "applique"
    newest = fleet.on(PULLING, "sh", "-c", STATE)
    refused = fleet.pull(code=1)
    assert refused["issue"] == "refus"
    assert str(older["sequence"]) in refused["motif"]
    assert fleet.on(PULLING, "sh", "-c", STATE) == newest
    answer = ask_pull(fleet.pack, PULLING)
    assert isinstance(answer, Found)
    assert judge_pull(answer.value).state is State.NON_CONFORME


def test_an_agent_finds_the_file_space_of_the_commune(fleet: Fleet) -> None:
    """Opened, it mounts itself; what is written there is on the platform. The lab's profile does not ask for it."""
    for name, minor in (("fuse", 229), ("autofs", 235)):
        fleet.on(PULLING, "sh", "-c", f"[ -e /dev/{name} ] || mknod -m 0600 /dev/{name} c 10 {minor}")
    # systemd looks for the latter once only.
    fleet.on(PULLING, "systemctl", "daemon-reexec")
    fleet.on(PULLING, "systemctl", "start", "fichiers-secretariat.automount")
    place = "/fichiers/secretariat/commun"
    try:
        written = f"ls /fichiers/secretariat && echo bonjour > {place}/essai.txt && sync && ls {place}"
        seen = fleet.on(PULLING, "runuser", "-u", "secretariat", "--", "sh", "-c", written)
        assert {"commun", "depot", "essai.txt"} <= set(seen.split())
        limit = time.monotonic() + 60
        find = "find /srv/partage -path '*62633*' -name essai.txt -exec cat {} +"
        while "bonjour" not in fleet.on("plateforme", "sh", "-c", find):
            assert time.monotonic() < limit
            time.sleep(2)
        # Another's is closed: the mount is its agent's alone.
        fleet.on(PULLING, "runuser", "-u", "elu.exemple", "--", "ls", "/fichiers/secretariat", code=2)
    finally:
        fleet.on(PULLING, "sh", "-c", f"rm -f {place}/essai.txt; systemctl stop fichiers-secretariat.automount; true")
        fleet.on(PULLING, "sh", "-c", "systemctl stop fichiers-secretariat.mount; rm -f /dev/fuse /dev/autofs; true")


def test_stolen_it_opens_nothing_any_more_within_a_minute(fleet: Fleet, secrets: Any, tmp_path: Path) -> None:
    """A thief has the disk's content and sessions under way: tunnel, backups, mail, files."""
    pack, insee = fleet.pack, STOLEN[6:11]
    commune = pack.commune(insee)
    agent = commune.agents[0].identifiant
    login = f"{agent}@{commune.domaine.nom}"
    stolen = dict(Vault(fleet.folder).read(insee))
    password = str(stolen[f"messagerie.boites.{agent}"]["mot_de_passe"])
    address = str(pack.file.plateforme.ipv4[0])
    tls = ssl.create_default_context(cafile=str(fleet.lab.root_certificate()))
    mail = Platform(address, pack.file.plateforme.host_name("mail"), "", tls, lambda name: stolen)
    files = Client(address, tls, lambda name: stolen, insee={commune.domaine.nom: insee})
    bucket, prefix = bucket_name(insee, pack), f"postes/{STOLEN}/"
    key = stolen[f"sauvegarde.{STOLEN}.cle"]

    def lists() -> bool:
        with open_store(pack, key, attempts=1) as store:
            try:
                store.client.list_objects_v2(Bucket=bucket, Prefix=prefix)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
                    raise
                return False
            return True

    def reads_files() -> bool:
        status = files.ask(host_of(commune), login, "PROPFIND", f"/{insee}/", headers={"Depth": "0"}).status
        assert status in {207, 401, 403}, status
        return status == 207

    def opens_mail() -> bool:
        try:
            with mail.imap(commune, agent, password):
                return True
        except imaplib.IMAP4.error:
            return False

    def tunnelled() -> bool:
        loopback = commune.postes[0].loopback
        return f"{loopback}:2222" in fleet.on("plateforme", "ss", "-Hltn")

    limit = time.monotonic() + 60
    while not tunnelled():
        assert time.monotonic() < limit
        time.sleep(1)
    assert (lists(), reads_files(), opens_mail()) == (True, True, True)
    session = NamedImap(mail)
    session.login(login, password)
    session.select("INBOX")
    started = time.monotonic()
    told = fleet.packmairie("postes", "revoke", insee, STOLEN, "--runs", str(tmp_path))
    assert told.code == 0, f"{told.out}\n{told.err}"
    closed = {"tunnel": tunnelled(), "sauvegardes": lists(), "fichiers": reads_files(), "courrier": opens_mail()}
    with suppress(imaplib.IMAP4.error, OSError):
        closed["session ouverte"] = session.noop()[0] == "OK" and session.noop()[0] == "OK"
    seconds = time.monotonic() - started
    print(f"révocation : {seconds:.1f} s, dont {told.seconds:.1f} s de commande")
    assert closed | {"session ouverte": closed.get("session ouverte", False)} == dict.fromkeys(
        ("tunnel", "sauvegardes", "fichiers", "courrier", "session ouverte"), False
    )
    assert seconds < MINUTE
    # Its agents work on with what they are given anew, and it does not come back.
    fresh = str(Vault(fleet.folder).read(insee)[f"messagerie.boites.{agent}"]["mot_de_passe"])
    with mail.imap(commune, agent, fresh) as opened:
        assert opened.noop()[0] == "OK"
    time.sleep(20)
    assert not tunnelled()

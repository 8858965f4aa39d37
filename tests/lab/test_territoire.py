# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans that bind, kills and resumption, a commune that leaves, and no message lost, on booted hosts."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from messages import numbered
from stages import FINGERPRINT, LIVING, ROOT, Deployment, Told

from packmairie.inventory.loader import load_pack
from packmairie.lab import Lab, desk

pytestmark = pytest.mark.lab

A, B = "62708", "62633"
DOMAIN = {A: "riencourt-les-bapaume.fr", B: "oeuf-en-ternois.fr"}
PLATFORM = "plateforme"
KILLS = int(os.environ.get("PACKMAIRIE_KILLS", "20"))
MESSAGES = int(os.environ.get("PACKMAIRIE_MESSAGES", "10000"))
"""Deployments that are killed, and messages that are sent meanwhile, in the long test."""
Run = Callable[..., Told]
SERVICE = re.compile(r"\.(service|timer|path|socket)$")


class State:
    """What only a deployment changes on the platform; not what services remember of when they read it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.seen: dict[str, frozenset[str]] = {}

    def __call__(self) -> str:
        """Return the hash of all of it."""
        script = FINGERPRINT.removesuffix("| sha256sum").format(living=f"{LIVING} /var/lib/packmairie/services")
        done = self.lab.run(PLATFORM, ["sh", "-c", script], timeout=300)
        assert done.returncode == 0, done.stderr
        found = hashlib.sha256(done.stdout.encode()).hexdigest()
        self.seen[found] = frozenset(done.stdout.splitlines())
        return found

    def difference(self, one: str, other: str) -> list[str]:
        """Return the first lines (path, rights, hash) that two of its hashes do not share."""
        return sorted(self.seen[one] ^ self.seen[other])[:20]


@pytest.fixture
def state(lab: Lab) -> State:
    """The platform's state, asked for whenever a test wants it."""
    return State(lab)


class Aliases:
    """A change of two communes' files that comes and goes."""

    def __init__(self, folder: Path) -> None:
        self.files = {code: next((folder / "communes").glob(f"{code}-*.yml")) for code in (A, B)}
        self.texts = {code: path.read_text(encoding="utf-8") for code, path in self.files.items()}

    def turn(self, on: bool, *codes: str) -> None:
        """Give the communes the alias ``urbanisme``, or take it away."""
        for code in codes or (A, B):
            text = self.texts[code]
            extra = text.replace("    mairie: [contact]\n", "    mairie: [contact]\n    urbanisme: [contact]\n")
            assert extra != text
            self.files[code].write_text(extra if on else text, encoding="utf-8")


@pytest.fixture
def aliases(deployed: Deployment, pack_folder: Path, packmairie: Run, runs_folder: Path) -> Iterator[Aliases]:
    """The change, undone on the hosts too when a test leaves it there."""
    made = Aliases(pack_folder)
    try:
        yield made
    finally:
        dirty = any(path.read_text(encoding="utf-8") != made.texts[code] for code, path in made.files.items())
        made.turn(False)
        if dirty:
            assert packmairie("deploy", "--runs", str(runs_folder)).code == 0


def changes_of(told: Told) -> list[dict[str, Any]]:
    """Return the changes of a plan; that a shared service reads its files again is nobody's."""
    return [change for change in json.loads(told.out)["changes"] if not SERVICE.search(change["what"])]


@pytest.mark.nightly
class TestBinding:
    def test_a_plan_of_one_commune_binds(
        self, aliases: Aliases, packmairie: Run, runs_folder: Path, lab: Lab, tmp_path: Path
    ) -> None:
        plan = tmp_path / "plan.json"
        aliases.turn(True, A)
        told = packmairie("plan", "--json", "--out", str(plan))
        assert told.code == 2, told.err
        # Changing commune A gives an empty difference for all others.
        assert {change["commune"] for change in changes_of(told)} == {A}
        edit = "sed -i '$a\\# main' /etc/postfix/main.cf"
        assert lab.run(PLATFORM, ["sh", "-c", edit]).returncode == 0
        refused = packmairie("deploy", "--plan", str(plan), "--runs", str(runs_folder))
        assert refused.code == 1
        assert "plateforme /etc/postfix/main.cf: ~ (plateforme) n'était pas au plan" in refused.err
        assert "urbanisme" not in lab.run(PLATFORM, ["cat", "/etc/postfix/communes/alias"]).stdout
        assert lab.run(PLATFORM, ["sh", "-c", "sed -i '$d' /etc/postfix/main.cf"]).returncode == 0
        again = packmairie("plan", "--json", "--out", str(plan))
        assert {change["commune"] for change in changes_of(again)} == {A}
        applied = packmairie("deploy", "--plan", str(plan), "--json", "--runs", str(runs_folder))
        assert applied.code == 0, applied.err
        account = json.loads(applied.out)
        assert account["unplanned"] == []
        digest = json.loads(plan.read_text(encoding="utf-8"))["digest"]
        (last, *_others) = json.loads(packmairie("history", "--json", "--runs", str(runs_folder)).out)
        assert (last["plan"], last["result"], last["communes"][A]) == (digest, "succeeded", "changed")
        assert packmairie("deploy", "--plan", str(plan), "--runs", str(runs_folder)).code == 1


def start(pack: Path, runs: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a deployment, as a technician who closes his terminal."""
    return subprocess.Popen(
        [Path(sys.executable).parent / "packmairie", "deploy", "--runs", runs, *arguments],
        cwd=ROOT,
        env=os.environ | {"PACKMAIRIE_PACK": str(pack), "NO_COLOR": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def playbooks_of(runs: Path) -> list[str]:
    """Return the processes of Ansible that work for a folder of runs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if (
                f"{runs}/".encode() in path.read_bytes()
                and b"ansible-playbook" in (path.parent / "cmdline").read_bytes()
            ):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def killed_and_resumed(
    pack: Path, runs: Path, packmairie: Run, seconds: float, chance: random.Random
) -> dict[str, Any]:
    """Start a deployment, kill -9 it at a random point of its usual length, resume it; return what history told."""
    process = start(pack, runs, "--waves", "1")
    moment = chance.uniform(0.5, seconds)
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 20
    while playbooks_of(runs) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert playbooks_of(runs) == [], "Ansible works on for nobody"
    told: list[dict[str, Any]] = json.loads(packmairie("history", "--json", "--runs", str(runs)).out)
    shown = told[0] if told else {"result": "nothing begun", "communes": {}}
    print(f"kill -9 after {moment:.1f} s: {shown['result']}, {shown['communes']}")
    if told and told[0]["result"] == "interrupted":
        resumed = packmairie("deploy", "--resume", "--runs", str(runs), "--json")
    else:
        resumed = packmairie("deploy", "--runs", str(runs), "--json")
    assert resumed.code == 0, resumed.err
    return told[0] if told else {}


def kills(count: int, aliases: Aliases, pack: Path, runs: Path, packmairie: Run, state: State) -> None:
    """Kill deployments at random points; each state comes back to the hash that it has without a kill."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    known = {False: state()}
    interrupted = 0
    began = time.monotonic()
    aliases.turn(True)
    assert packmairie("deploy", "--runs", str(runs), "--waves", "1").code == 0
    usual = time.monotonic() - began
    known[True] = state()
    assert known[True] != known[False]
    for turn in range(count):
        on = bool(turn % 2)
        aliases.turn(on)
        told = killed_and_resumed(pack, runs, packmairie, usual, chance)
        interrupted += told.get("result") == "interrupted"
        found = state()
        assert found == known[on], f"seed {seed}, turn {turn}: {state.difference(found, known[on])}"
    assert interrupted >= count // 3


CUT = """
table inet essai {
  chain entree { type filter hook input priority -10; tcp dport 22 drop; }
  chain sortie { type filter hook output priority -10; tcp sport 22 drop; }
}
"""


def press_ctrl_c(process: subprocess.Popen[bytes], _runs: Path, _lab: Lab) -> None:
    """Interrupt as a terminal does: everything that it started hears it."""
    os.killpg(process.pid, signal.SIGINT)


def cut_power(process: subprocess.Popen[bytes], runs: Path, _lab: Lab) -> None:
    """Stop the technician's machine, as far as its processes go: each dies at the same moment, and none says so."""
    for pid in (str(process.pid), *playbooks_of(runs)):
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def cut_network(_process: subprocess.Popen[bytes], _runs: Path, lab: Lab) -> None:
    """Let nothing of SSH pass any more, not even the end of a connection."""
    assert desk.run(lab.host(PLATFORM), ["nft", "-f", "-"], text_input=CUT).returncode == 0


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("interrupt", "code", "result"),
    [(press_ctrl_c, 130, "interrupted"), (cut_power, -9, "interrupted"), (cut_network, 1, "failed")],
)
def test_however_it_is_interrupted_it_is_resumed(
    interrupt: Callable[[subprocess.Popen[bytes], Path, Lab], None],
    code: int,
    result: str,
    aliases: Aliases,
    pack_folder: Path,
    packmairie: Run,
    state: State,
    lab: Lab,
    tmp_path: Path,
) -> None:
    runs = tmp_path / "runs"
    states = []
    for on in (True, False):
        aliases.turn(on)
        assert packmairie("deploy", "--runs", str(runs), "--waves", "1").code == 0
        states.append(state())
    aliases.turn(True)
    process = start(pack_folder, runs, "--waves", "1")
    try:
        deadline = time.monotonic() + 60
        while not playbooks_of(runs) and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(random.SystemRandom().uniform(2, 12))
        interrupt(process, runs, lab)
        # A connection that is dead is known to be within a minute and a half (ansible.cfg).
        assert process.wait(timeout=200) == code
    finally:
        desk.run(lab.host(PLATFORM), ["nft", "destroy", "table", "inet", "essai"])
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert playbooks_of(runs) == [], "Ansible works on for nobody"
    last = json.loads(packmairie("history", "--json", "--runs", str(runs)).out)[0]
    assert last["result"] == result
    assert not {"changed", "unchanged"} >= set(last["communes"].values()), last["communes"]
    resumed = packmairie("deploy", "--resume", "--runs", str(runs), "--json")
    assert resumed.code == 0, resumed.err
    found = state()
    assert states[0] != states[1]
    assert found == states[0], state.difference(found, states[0])


@pytest.mark.nightly
def test_a_wave_that_is_not_proven_stops_the_next_and_resumption_finishes(
    aliases: Aliases, pack_folder: Path, packmairie: Run, lab: Lab, tmp_path: Path
) -> None:
    runs, settings = str(tmp_path / "runs"), pack_folder / "pack.yml"
    text = settings.read_text(encoding="utf-8")
    assert "\n  preuves: []\n" in text
    # The checks by which a pack proves its waves when it says nothing of it.
    settings.write_text(text.replace("\n  preuves: []\n", "\n"), encoding="utf-8")
    aliases.turn(True)
    try:
        # Nothing of what a deployment lays: the pages of the platform are out of reach, and it cannot mend that.
        rules = "add table inet essai; add chain inet essai entree { type filter hook input priority -10; }"
        closed = f"nft '{rules}; add rule inet essai entree tcp dport 443 drop'"
        assert lab.run(PLATFORM, ["sh", "-c", closed]).returncode == 0
        stopped = packmairie("deploy", A, B, "--waves", "1", "--runs", runs, "--json")
        assert stopped.code == 1, stopped.out
        account = json.loads(stopped.out)
        assert account["communes"] == {B: "unproven", A: "waiting"}
        assert {fault["check"] for fault in account["faults"]} == {"accueil", "fichiers-aller-retour"}
        maps = lab.run(PLATFORM, ["cat", "/etc/postfix/communes/alias"]).stdout
        assert f"urbanisme@{DOMAIN[B]}" in maps
        assert f"urbanisme@{DOMAIN[A]}" not in maps
        assert lab.run(PLATFORM, ["nft", "delete", "table", "inet", "essai"]).returncode == 0
        resumed = packmairie("deploy", "--resume", "--runs", runs, "--json")
        assert resumed.code == 0, resumed.err
        assert json.loads(resumed.out)["communes"] == {B: "unchanged", A: "changed"}
        assert f"urbanisme@{DOMAIN[A]}" in lab.run(PLATFORM, ["cat", "/etc/postfix/communes/alias"]).stdout
        last, first = json.loads(packmairie("history", "--json", "--runs", runs).out)
        assert (first["result"], last["result"], last["resumes"]) == ("failed", "succeeded", first["run"])
    finally:
        lab.run(PLATFORM, ["nft", "destroy", "table", "inet", "essai"])
        settings.write_text(text, encoding="utf-8")


@pytest.mark.nightly
def test_killed_twice_it_ends_the_same_and_loses_no_message(
    aliases: Aliases, pack_folder: Path, packmairie: Run, state: State, lab: Lab, tmp_path: Path
) -> None:
    with numbered(lab, 300, 0.1, 240, DOMAIN[A]):
        kills(2, aliases, pack_folder, tmp_path / "runs", packmairie, state)


@pytest.mark.nightly
def test_ten_thousand_messages_through_kills_and_a_reboot_and_none_lost(
    aliases: Aliases, pack_folder: Path, packmairie: Run, state: State, lab: Lab, tmp_path: Path
) -> None:
    chance = random.Random(20261124)
    with numbered(lab, MESSAGES, 0.08, 3000, DOMAIN[A]):
        kills(KILLS, aliases, pack_folder, tmp_path / "runs", packmairie, state)
        for service in ("postfix", "dovecot", "rspamd", "redis-rspamd"):
            lab.run(PLATFORM, ["systemctl", "kill", "--signal=KILL", f"{service}.service"])
            time.sleep(chance.uniform(1, 6))
            lab.run(PLATFORM, ["systemctl", "start", f"{service}.service"])
        assert packmairie("deploy", "--runs", str(tmp_path / "runs")).code == 0
        lab.restart(PLATFORM)


@pytest.mark.nightly
def test_a_commune_leaves_whole_and_comes_back(
    deployed: Deployment, pack_folder: Path, packmairie: Run, runs_folder: Path, lab: Lab, tmp_path: Path
) -> None:
    archive, kept = tmp_path / "commune.tar", tmp_path / "vault"
    box = f"/var/vmail/{DOMAIN[B]}"
    names = "-path '*/cur/*' -o -path '*/new/*'"
    listing = f"cd {box} && find . -type f \\( {names} \\) | sort | xargs -r -d '\\n' sha256sum"
    with numbered(lab, 5, 0, 60, DOMAIN[B]):
        pass
    before = lab.run(PLATFORM, ["sh", "-c", listing]).stdout
    assert len(before.splitlines()) >= 5
    told = packmairie("export", B, "--to", str(archive))
    assert told.code == 0, told.err
    place = tmp_path / "opened"
    place.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", place], check=True)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=place, check=True)
    assert list((place / "messagerie-mbox").glob("contact*.mbox"))
    assert list((place / "sauvegarde").iterdir())
    lines = json.loads((place / "signalement" / "lignes.json").read_text(encoding="utf-8"))
    assert lines["insee"] == B
    assert lines["adhesions"]
    asked = packmairie("remove", B, "--exported", str(archive), "--runs", str(runs_folder))
    assert asked.code == 1
    assert "--allow-removal" in asked.err
    shutil.copytree(pack_folder / "secrets", kept)
    gone = packmairie(
        "remove", B, "--exported", str(archive), "--allow-removal", "--delete-data", "--runs", str(runs_folder)
    )
    assert gone.code == 0, gone.err
    assert {commune.insee for commune in load_pack(pack_folder).communes} == {"59529", A}
    assert lab.run(PLATFORM, ["sh", "-c", f"ls {box}"]).returncode != 0
    assert DOMAIN[B] not in lab.run(PLATFORM, ["cat", "/etc/postfix/communes/alias"]).stdout
    assert packmairie("plan").code == 0
    assert packmairie("import", str(archive)).code == 0
    assert packmairie("deploy", B, "--runs", str(runs_folder)).code == 0
    back = packmairie("import", str(archive), "--data")
    assert back.code == 0, back.err
    after = lab.run(PLATFORM, ["sh", "-c", listing]).stdout
    assert set(before.splitlines()) <= set(after.splitlines())
    # The mail server counts them again and serves them.
    assert packmairie("deploy", "--runs", str(runs_folder)).code == 0

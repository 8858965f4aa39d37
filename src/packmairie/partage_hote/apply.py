# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the host run what its files say: folders, names, processes. Prints one line for each thing done.

Whatever interrupted the run that laid the files, the next one does what is left: a process is reloaded when a file of
its communes is newer than the mark left before its last reload.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packmairie.partage_hote.links import base_of, witness
from packmairie.partage_hote.places import SPACES, Limits, Places

ACCOUNT = "partage"
VENV = Path("/opt/packmairie/partage")
UNIT = Path("/etc/systemd/system/packmairie-partage@.service")
SOCKETS = Path("/run/packmairie-partage")
READY_SECONDS = 60.0
STARTED_AT_ONCE = 4


def run(places: Places) -> Iterator[str]:
    """Do what is left to do, and yield what was done."""
    communes = [places.limits(insee) for insee in places.communes()]
    if _systemctl("show", "--property=NeedDaemonReload", "--value", "packmairie-partage@0.service") == "yes":
        _systemctl("daemon-reload")
    for limits in communes:
        yield from make_folders(places, limits)
    yield from open_sites([places.sites / limits.insee for limits in communes if limits.site])
    yield from name_sockets(places, communes)
    lots = sorted({limits.lot for limits in communes})
    # A process takes seconds to be ready, most of them waiting: several at a time.
    with ThreadPoolExecutor(max_workers=STARTED_AT_ONCE) as pool:
        for told in pool.map(lambda lot: list(bring_up(places, lot)), lots):
            yield from told
    for lot in running() - set(lots):
        _systemctl("disable", "--now", f"packmairie-partage@{lot}.service")
        yield f"lot {lot} : arrêté, plus aucune commune"
    fresh = {limits.lot for limits in communes if witness(places, limits)}
    for lot in sorted(fresh):
        _systemctl("reload", f"packmairie-partage@{lot}.service")
        yield f"lot {lot} : liens des vérifications créés"


def make_folders(places: Places, limits: Limits) -> Iterator[str]:
    """Make a commune's folders, and open the content of its website to both accounts that write there."""
    user, group = pwd.getpwnam(ACCOUNT).pw_uid, grp.getgrnam(ACCOUNT).gr_gid
    base = places.root / limits.insee
    wished = [base, *(base / space for space in SPACES), base / "sonde" / "temoin"]
    wished += [base / "personnel" / name for name in limits.people]
    for folder in wished:
        if not folder.is_dir():
            folder.mkdir(mode=0o750)
            os.chown(folder, user, group)
            yield f"{folder} : créé"
    entrance = base / "accueil"
    if not entrance.is_dir():
        # Of root: nothing is ever written there.
        entrance.mkdir()
        entrance.chmod(0o755)
        yield f"{entrance} : créé"
    witness_file = base / "sonde" / "temoin" / "temoin.txt"
    if not witness_file.exists():
        witness_file.write_text("Fichier des vérifications de packmairie.\n", encoding="utf-8")


def open_sites(folders: list[Path]) -> Iterator[str]:
    """Let the account that builds the sites and the one that shares files both write in the sites' contents."""
    if not folders:
        return
    for folder in folders:
        if not folder.is_dir():
            owner = pwd.getpwnam("sites")
            folder.mkdir(mode=0o755)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
    # One question for all communes: asked one by one, it took longer than all the rest.
    told = subprocess.run(
        ["getfacl", "--absolute-names", *map(str, folders)], capture_output=True, text=True, check=True
    ).stdout
    known = dict(_rules(told))
    wished = {"user:partage:rwx", "default:user:partage:rwx", "default:user:sites:rwx"}
    for folder in folders:
        if wished <= known.get(str(folder), set()):
            continue
        rules = "u:partage:rwX,u:sites:rwX,d:u:partage:rwX,d:u:sites:rwX,d:m:rwX"
        subprocess.run(["setfacl", "--recursive", "--physical", "--modify", rules, str(folder)], check=True)
        yield f"{folder} : ouvert aux agents"


def _rules(text: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each path that getfacl was asked about, with its rules."""
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("# file: "):
            yield lines[0].removeprefix("# file: "), set(lines[1:])


def name_sockets(places: Places, communes: list[Limits]) -> Iterator[str]:
    """Have, for each host name, a link to the socket of its process: Caddy follows it at each request."""
    folder = places.state / "noms"
    wished = {f"{limits.host}.sock": f"{SOCKETS}/{limits.lot}/http.sock" for limits in communes}
    for link in folder.iterdir():
        if link.name not in wished:
            link.unlink()
            yield f"{link.name.removesuffix('.sock')} : n'est plus servi"
    for name, target in wished.items():
        link = folder / name
        if link.is_symlink() and str(link.readlink()) == target:
            continue
        temporary = folder / f".{name}"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.rename(link)
        yield f"{name.removesuffix('.sock')} : servi par le lot {target.split('/')[-2]}"


def bring_up(places: Places, lot: int) -> Iterator[str]:
    """Start, restart or reload the process of a lot, as what changed asks for."""
    unit = f"packmairie-partage@{lot}.service"
    state = places.state / f"lot-{lot}"
    if not state.is_dir():
        state.mkdir(mode=0o700)
        owner = pwd.getpwnam(ACCOUNT)
        os.chown(state, owner.pw_uid, owner.pw_gid)
    code = Path(__file__).resolve().parent
    settings = [places.settings / "commun.conf", places.settings / "sel.conf", UNIT, *code.glob("*.py")]
    mark = places.state / f".lot-{lot}"
    begun = time.time()
    if _systemctl("is-enabled", unit) != "enabled":
        _systemctl("enable", unit)
        yield f"{unit} : activé au démarrage"
    action = ""
    if _systemctl("is-active", unit) != "active":
        action = "start"
    elif _newer(settings, mark) or venv_changed(mark):
        action = "restart"
    elif _newer([places.settings / "lots" / str(lot), *(places.settings / "lots" / str(lot)).glob("*.conf")], mark):
        action = "reload"
    if action:
        _systemctl(action, unit)
        wait_ready(places, lot)
        mark.write_text(f"{VENV.resolve()}\n")
        os.utime(mark, (begun, begun))
        yield f"{unit} : {action}"


def wait_ready(places: Places, lot: int) -> None:
    """Wait until the process listens, to clients and to the signal that reloads. Raise OSError when it does not."""
    base, deadline = base_of(places, lot), time.monotonic() + READY_SECONDS
    unit = f"packmairie-partage@{lot}.service"
    while time.monotonic() < deadline:
        process = _systemctl("show", "--property=MainPID", "--value", unit)
        if (SOCKETS / str(lot) / "http.sock").exists() and base.exists() and catches(process, signal.SIGUSR1):
            return
        time.sleep(0.2)
    raise OSError(f"le lot {lot} ne répond pas : journalctl -u packmairie-partage@{lot}")


def catches(process: str, wanted: signal.Signals) -> bool:
    """Tell whether a process has a handler for a signal (proc_pid_status(5), SigCgt)."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (wanted - 1) & 1)


def venv_changed(mark: Path) -> bool:
    """Tell whether copyparty's environment is another one than the process was started with."""
    return not mark.exists() or mark.read_text().strip() != str(VENV.resolve())


def running() -> set[int]:
    """Return the lots whose process runs."""
    listed = _systemctl("list-units", "--plain", "--no-legend", "packmairie-partage@*.service")
    names = [line.split()[0] for line in listed.splitlines() if line.strip()]
    return {int(name.split("@")[1].split(".")[0]) for name in names}


def _newer(paths: list[Path], mark: Path) -> bool:
    if not mark.exists():
        return True
    limit = mark.stat().st_mtime
    # The time of a status change: a file moved into place keeps the date of its content.
    return any(path.exists() and path.stat().st_ctime >= limit for path in paths)


def _systemctl(*words: str) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if done.returncode and words[0] in ("start", "restart", "reload", "enable", "disable", "daemon-reload"):
        raise OSError(done.stderr.strip() or f"systemctl {' '.join(words)} a échoué")
    return done.stdout.strip()


if __name__ == "__main__":
    if shutil.which("setfacl") is None:
        sys.exit("setfacl manque (paquet acl)")
    try:
        for line in run(Places()):
            sys.stdout.write(f"{line}\n")
    except (OSError, ValueError) as error:
        sys.exit(str(error))

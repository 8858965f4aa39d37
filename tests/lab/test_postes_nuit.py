# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes longer than a change should wait: the whole desktop, and Debian's installer as far as an emulator goes.

The installer is Debian's own for version 13 (package ``debian-installer-13-netboot-amd64``), on a medium laid out as
Debian's, which ``postes preseed --iso`` remasters and qemu boots, without hardware acceleration. It asks nothing, which
is what is looked at, and goes on by itself to its archive, which a small proxy plays: what it asks there tells how far
it came.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from installer import PACKAGES, emulated, played_archive, screen, write_medium

from packmairie.cli.main import run
from packmairie.lab import Lab, desk, hosts
from packmairie.lab.keys import technician_key

pytestmark = [pytest.mark.lab, pytest.mark.nightly]

ROOT = Path(__file__).resolve().parents[2]
INSEE, POSTE = "62708", "poste-62708-3"
FILE = "62708-riencourt-les-bapaume.yml"
INSTALLER_SECONDS = 1200
DESKTOP_SECONDS = 2400


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab with one host, from which Debian's own packages are reached."""
    opened = Lab.open()
    missing = opened.missing_needs()
    if missing:
        pytest.skip("tests du labo non exécutés : " + " ; ".join(str(problem) for problem in missing))
    opened.create(POSTE, progress=print)
    try:
        yield opened
    finally:
        opened.harvest()
        hosts.stop([opened.host(POSTE)])


@pytest.fixture(scope="module")
def pack(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demonstration pack with one complete workstation, reached directly."""
    folder = tmp_path_factory.mktemp("nuit") / "demo"
    shutil.copytree(ROOT / "inventories/demo", folder, ignore=shutil.ignore_patterns("secrets", ".vault-password"))
    key = technician_key(lab.paths).with_suffix(".pub").read_text(encoding="utf-8").split()
    with (folder / "pack.yml").open("a", encoding="utf-8") as file:
        file.write(f"\npostes:\n  cles_techniciens: ['{key[0]} {key[1]}']\n")
    reached = [
        f"      {name}: {value!r}" for name, value in lab.connection_vars(POSTE).items() if name != "ansible_host"
    ]
    entry = [f"  - nom: {POSTE}", f"    adresse: {lab.host(POSTE).address}", "    profil: complet", "    connexion:"]
    with (folder / "communes" / FILE).open("a", encoding="utf-8") as file:
        file.write("\n".join(["", "postes:", *entry, *reached]) + "\n")
    assert run(["inventory", "secrets", "--pack", str(folder)]) == 0
    return folder


def unpacked_installer(lab: Lab) -> Path:
    """Return the folder, on this machine, of the unpacked packages: a host of the lab takes them from its archive."""
    place = "/root/installateur"
    unpack = f"for deb in *.deb; do dpkg-deb -x $deb {place} && rm $deb; done"
    fetch = f"mkdir -p {place} && cd {place} && apt-get download -q {' '.join(PACKAGES)} && {unpack}"
    done = desk.run(lab.host(POSTE), ["sh", "-c", fetch], timeout=600)
    assert done.returncode == 0, done.stderr
    return lab.host(POSTE).upper / place.removeprefix("/")


def test_debian_s_installer_takes_the_answers_and_asks_nothing(lab: Lab, pack: Path, tmp_path: Path) -> None:
    emulator = shutil.which("qemu-system-x86_64")
    if emulator is None or shutil.which("xorriso") is None:
        pytest.skip("absents : apt-get install qemu-system-x86 xorriso")
    unpacked = unpacked_installer(lab)
    written = ["postes", "preseed", INSEE, POSTE, "--to", str(tmp_path), "--pack", str(pack)]
    assert run(written) == 0
    files = {name: (tmp_path / POSTE / name).read_bytes() for name in ("preseed.cfg", "late.sh")}
    with played_archive() as (address, asked):
        # The emulated network's way to this machine, and to nothing else.
        text = re.sub(r"(mirror/http/proxy string).*", rf"\1 {address}", files["preseed.cfg"].decode())
        assert address in text
        on_medium = {f"packmairie/{name}": content for name, content in files.items()}
        source = tmp_path / "debian.iso"
        write_medium(unpacked, on_medium | {"packmairie/preseed.cfg": text.encode()}, source)
        assert run([*written, "--iso", str(source)]) == 0
        image, monitor = tmp_path / POSTE / f"{POSTE}.iso", tmp_path / "moniteur"
        started = time.monotonic()
        with emulated(emulator, image, tmp_path / "disque", monitor) as machine:
            while not any("/dists/" in path for path in asked):
                assert machine.poll() is None, machine.stderr and machine.stderr.read().decode()
                if time.monotonic() - started > INSTALLER_SECONDS:
                    pytest.fail(f"demandé jusqu'ici : {asked} ; écran : {screen(monitor, tmp_path / 'ecran.ppm')}")
                time.sleep(2)
    print(f"installateur : arrivé à l'archive en {time.monotonic() - started:.0f} s : {asked}")
    assert any("/dists/trixie/" in path for path in asked), asked


def test_the_complete_desktop_is_built_twice_and_its_stacks_answer(lab: Lab, pack: Path) -> None:
    play = [Path(sys.executable).parent / "ansible-playbook", "-i", pack, "playbooks/site.yml", "--limit", POSTE]
    play += ["--tags", "postes", "-e", "packmairie_constat=false", "-e", "postes_hardware=false"]

    def converge() -> str:
        done = subprocess.run(play, cwd=ROOT, capture_output=True, text=True, timeout=DESKTOP_SECONDS, check=False)
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def on(*argv: str) -> str:
        done = desk.run(lab.host(POSTE), argv, timeout=300)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    # What mounts the file space, which a container has not; systemd looks for the latter once only.
    for name, minor in (("fuse", 229), ("autofs", 235)):
        on("sh", "-c", f"[ -e /dev/{name} ] || mknod -m 0600 /dev/{name} c 10 {minor}")
    on("systemctl", "daemon-reexec")
    started = time.monotonic()
    converge()
    count = on("sh", "-c", "dpkg-query -W | wc -l").strip()
    print(f"profil complet : {time.monotonic() - started:.0f} s, {count} paquets")
    again = converge()
    assert re.search(rf"{POSTE} +: ok=\d+ +changed=0 ", again), again[-4000:]
    for program in ("startxfce4", "soffice", "firefox-esr", "thunderbird", "simple-scan", "system-config-printer"):
        on("sh", "-c", f"command -v {program}")
    assert on("systemctl", "is-enabled", "lightdm.service").strip() in {"enabled", "indirect", "static"}
    assert on("systemctl", "is-active", "fichiers-secretariat.automount").strip() == "active"
    # Printing and scanning answer, with nothing plugged in.
    assert "scheduler is running" in on("env", "LC_ALL=C", "lpstat", "-r")
    on("apt-get", "install", "-y", "-q", "--no-install-recommends", "sane-utils")
    assert "airscan" in on("sh", "-c", "cat /etc/sane.d/dll.conf /etc/sane.d/dll.d/*")
    on("scanimage", "-L")
    # The smart-card stack, from the application's module down to the daemon, which has no reader here.
    on("systemctl", "is-active", "pcscd.socket")
    assert "No smart card readers found" in on("sh", "-c", "opensc-tool --list-readers 2>&1")
    # Its exit status is that of a machine without a reader.
    module = on("sh", "-c", "pkcs11-tool --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so --show-info; true")
    assert "OpenSC Project" in module
    # USBGuard's own parser reads every rule, comments apart.
    rules = on("sh", "-c", "grep -v -e '^#' -e '^$' /etc/usbguard/rules.conf").splitlines()
    parsed = on("usbguard-rule-parser", "-f", "/etc/usbguard/rules.conf")
    assert rules
    assert len(re.findall(r"^OUTPUT: *\S", parsed, re.MULTILINE)) == len(rules), parsed
    # A document is opened and turned into a PDF by the office suite, as an agent.
    on("sh", "-c", "cd /home/secretariat && echo Essai | runuser -u secretariat -- tee essai.txt > /dev/null")
    office = (
        "cd /home/secretariat && runuser -u secretariat -- env HOME=/home/secretariat timeout 240 soffice --headless"
    )
    on("sh", "-c", f"{office} --convert-to pdf essai.txt")
    assert on("sh", "-c", "head -c 5 /home/secretariat/essai.pdf") == "%PDF-"

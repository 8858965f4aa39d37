# SPDX-License-Identifier: GPL-3.0-or-later
"""A medium laid out as Debian's own installer, and an emulator to boot it: slow, without hardware acceleration.

Debian's image is not a package; what it is made of is. The installer's kernel and initial RAM disk come from the
package for booting over a network: it does not mount a medium, so that what stands on the medium is in its memory too.
"""

from __future__ import annotations

import gzip
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

PACKAGES = ("debian-installer-13-netboot-amd64", "isolinux", "syslinux-common")
IMAGES = "usr/lib/debian-installer/images/13/amd64/text/debian-installer/amd64"
LOADER = ("usr/lib/ISOLINUX/isolinux.bin", "usr/lib/syslinux/modules/bios/ldlinux.c32")
HERE = "10.0.2.2"
"""How the emulated machine calls the one that emulates it."""
FOLDER, FILE = 0o40755, 0o100644


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return files, and the folders above them, as cpio « newc »: archives of a RAM disk may follow one another."""
    folders = {str(parent) for name in files for parent in Path(name).parents if str(parent) != "."}
    entries = [
        *((name, FOLDER, b"") for name in sorted(folders)),
        *((name, FILE, text) for name, text in files.items()),
    ]
    found = b""
    for number, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name.encode() + b"\0"
        found += head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)
    return found


def write_medium(unpacked: Path, on_medium: Mapping[str, bytes], to: Path) -> None:
    """Given the unpacked packages, write an image laid out as Debian's; ``on_medium``: what it will hold, by path."""
    tree = to.with_suffix(".d")
    for folder in ("isolinux", "install.amd", "boot/grub"):
        (tree / folder).mkdir(parents=True)
    for name in LOADER:
        (tree / "isolinux" / Path(name).name).write_bytes((unpacked / name).read_bytes())
    (tree / "install.amd/vmlinuz").write_bytes((unpacked / IMAGES / "linux").read_bytes())
    memory = gzip.compress(archive({f"cdrom/{name}": content for name, content in on_medium.items()}))
    (tree / "install.amd/initrd.gz").write_bytes((unpacked / IMAGES / "initrd.gz").read_bytes() + memory)
    # GRUB's own image is made by Debian's tools: this one only stands where it stands.
    (tree / "boot/grub/efi.img").write_bytes(bytes(65536))
    boot = "-b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table"
    efi = "-eltorito-alt-boot -e boot/grub/efi.img -no-emul-boot"
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-o", str(to), "-J", "-R", *boot.split(), *efi.split()]
    subprocess.run([*command, str(tree)], check=True, capture_output=True)


class Archive(BaseHTTPRequestHandler):
    """Plays the proxy to Debian's archive, which it has not; notes what is asked of it."""

    asked: list[str]

    def do_GET(self) -> None:
        """Answer."""
        type(self).asked.append(self.path)
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def played_archive() -> Iterator[tuple[str, list[str]]]:
    """Yield the address of an archive, as the emulated machine calls it, and the list of what is asked of it."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Asked", (Archive,), {"asked": asked}))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{HERE}:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@contextmanager
def emulated(emulator: str, image: Path, disk: Path, monitor: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Boot an image on a machine with an empty disk, its monitor on a socket; it is killed at the end."""
    with disk.open("wb") as file:
        file.truncate(8 * 1024**3)
    command = [
        *(emulator, "-accel", "tcg", "-m", "1024", "-smp", "1", "-display", "none", "-no-reboot"),
        *("-cdrom", str(image), "-boot", "d", "-vga", "std", "-monitor", f"unix:{monitor},server,nowait"),
        *("-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile="),
        *("-drive", f"file={disk},format=raw,if=none,id=d0", "-device", "nvme,drive=d0,serial=essai"),
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def order(monitor: Path, words: str) -> None:
    """Give an order to the emulator (HMP), and leave it two seconds for it."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10)
        line.connect(str(monitor))
        line.sendall(f"{words}\n".encode())
        time.sleep(2)


def screen(monitor: Path, to: Path) -> Path:
    """Make the emulator write what its screen shows; return the picture (PPM)."""
    order(monitor, f"screendump {to}")
    return to

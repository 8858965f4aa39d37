# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an installation image of another one, with files of ours, by xorriso; it stays bootable as it was."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from packmairie.model.problem import ExitCode, fail

XORRISO_SECONDS = 600
GRUB_MENU, ISOLINUX_MENU = "/boot/grub/grub.cfg", "/isolinux/isolinux.cfg"
"""What boots: GRUB on UEFI machines, ISOLINUX on older ones."""


def remaster(source: Path, target: Path, files: Mapping[str, Path], parameters: str, *, kernel: str) -> None:
    """Given Debian's image, write another (mode 0600) that holds ``files`` and starts the installer by itself.

    ``files`` maps a path in the image to a file here; ``parameters`` go on the installer's command line; ``kernel`` is
    the folder of its kernel in the image. Raise PackmairieError when xorriso is absent or refuses.
    """
    if shutil.which("xorriso") is None:
        raise fail("xorriso", "programme absent de cette machine", "apt-get install xorriso", ExitCode.UNAVAILABLE)
    if not source.is_file():
        raise fail(str(source), "image introuvable", "donner l'image « netinst » de Debian 13")
    with tempfile.TemporaryDirectory(prefix="packmairie-iso-") as scratch:
        menus = write_menus(Path(scratch), parameters, kernel)
        target.unlink(missing_ok=True)
        mapped = [word for path, file in {**menus, **files}.items() for word in ("-map", str(file), path)]
        command = ["xorriso", "-indev", str(source), "-outdev", str(target), *mapped, "-boot_image", "any", "replay"]
        done = subprocess.run(  # noqa: S603 - a fixed program, paths of ours
            command, capture_output=True, text=True, timeout=XORRISO_SECONDS, check=False, umask=0o077
        )
    if done.returncode != 0 or not target.is_file():
        target.unlink(missing_ok=True)
        said = [line for line in done.stderr.splitlines() if "FAILURE" in line or "FATAL" in line]
        raise fail(str(source), f"xorriso refuse : {(said or ['sans dire pourquoi'])[0]}", "vérifier l'image")


def write_menus(folder: Path, parameters: str, kernel: str) -> dict[str, Path]:
    """Write the menus that start the installer at once, for UEFI and for BIOS; return them by path in the image."""
    grub = folder / "grub.cfg"
    grub.write_text(
        "set timeout=3\nset default=0\n"
        'menuentry "Installation automatique (efface le disque)" {\n'
        f"  linux {kernel}/vmlinuz {parameters} --- quiet\n  initrd {kernel}/initrd.gz\n}}\n",
        encoding="ascii",
    )
    isolinux = folder / "isolinux.cfg"
    isolinux.write_text(
        "default auto\nprompt 0\ntimeout 30\nlabel auto\n"
        f"  kernel {kernel}/vmlinuz\n  append initrd={kernel}/initrd.gz {parameters} --- quiet\n",
        encoding="ascii",
    )
    return {GRUB_MENU: grub, ISOLINUX_MENU: isolinux}

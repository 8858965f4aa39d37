# SPDX-License-Identifier: GPL-3.0-or-later
"""What installs a workstation: answers that debconf reads, a shell script that runs, secrets for one host alone."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from core_samples import commune, pack
from test_postes_sheet import make_commune_with_postes

from packmairie.briques.postes_install import late_text, preseed_text
from packmairie.cli.main import run
from packmairie.engines.iso import remaster, write_menus
from packmairie.inventory.vault import Vault
from packmairie.model.poste import Poste
from packmairie.model.problem import PackmairieError
from packmairie.model.secret import SecretKind, placeholder

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJoY1Khi7NYSINkulBbSa0ytJoY1Khi7NYSINkulBbSa technicien@exemple"
GATEWAY = {
    "plateforme": {
        "hotes": {"plateforme": {"adresse": "192.0.2.10", "groupes": ["dns", "frontal", "messagerie", "acces"]}}
    }
}


def secrets_of(poste: Poste) -> dict[str, object]:
    return {
        f"postes.{poste.nom}.disque": "une phrase de disque",
        f"postes.{poste.nom}.hote": placeholder(SecretKind.CLE_SSH),
        f"postes.{poste.nom}.tunnel": {"privee": "CLE DU TUNNEL\n", "publique": "ssh-ed25519 AAAA"},
    }


def test_debconf_reads_every_answer(tmp_path: Path) -> None:
    if shutil.which("debconf-set-selections") is None:
        pytest.skip("debconf-set-selections absent : ce n'est pas une Debian")
    one = commune(postes=[{"nom": "poste-62708-1", "acces": "tunnel"}])
    text = preseed_text(one, one.postes[0], secrets_of(one.postes[0]))
    file = tmp_path / "preseed.cfg"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["debconf-set-selections", "--checkonly", str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    file.write_text(text + "d-i sans-type\n", encoding="utf-8")
    refused = subprocess.run(
        ["debconf-set-selections", "--checkonly", str(file)], capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0


def test_the_disk_is_encrypted_with_the_vault_s_phrase_and_nothing_is_asked() -> None:
    one = commune(postes=[{"nom": "poste-62708-1", "adresse": "192.0.2.101", "disque": "/dev/sda"}])
    lines = preseed_text(one, one.postes[0], secrets_of(one.postes[0])).splitlines()
    for wished in (
        "d-i partman-auto/method string crypto",
        "d-i partman-crypto/passphrase password une phrase de disque",
        "d-i partman-crypto/passphrase-again password une phrase de disque",
        "d-i partman-auto/disk string /dev/sda",
        "d-i netcfg/hostname string poste-62708-1",
        "d-i passwd/root-password-crypted password !",
    ):
        assert wished in lines


def test_the_last_step_runs_and_lays_keys_for_root_alone(tmp_path: Path) -> None:
    one = commune(postes=[{"nom": "poste-62708-1", "acces": "tunnel"}])
    file = pack(one, postes={"cles_techniciens": [KEY]}, **GATEWAY)
    script = late_text(
        file, one.postes[0], secrets_of(one.postes[0]), {"postes.acces.hote": {"publique": "ssh-ed25519 PORTE"}}
    )
    target = tmp_path / "target"
    (target / "etc/ssh").mkdir(parents=True)
    (target / "etc/systemd/system").mkdir(parents=True)
    (target / "etc/ssh/ssh_host_rsa_key").write_text("old")
    program = tmp_path / "late.sh"
    program.write_text(script.replace("/target", str(target)), encoding="utf-8")
    called = tmp_path / "in-target"
    called.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n')
    called.chmod(0o755)
    done = subprocess.run(
        ["sh", str(program)], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (target / "root/.ssh/authorized_keys").read_text() == f"{KEY}\n"
    assert not (target / "etc/ssh/ssh_host_rsa_key").exists()
    settings = target / "etc/packmairie/postes"
    assert (settings / "tunnel.cle").read_text() == "CLE DU TUNNEL\n"
    assert (settings / "tunnel.connus").read_text() == "[acces.pack.example]:2022 ssh-ed25519 PORTE\n"
    for private in (
        settings / "tunnel.cle",
        target / "etc/ssh/ssh_host_ed25519_key",
        target / "root/.ssh/authorized_keys",
    ):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert (tmp_path / "called").read_text() == "systemctl enable ssh.service packmairie-tunnel.service\n"


def test_both_menus_start_the_installer_with_the_answers(tmp_path: Path) -> None:
    menus = write_menus(tmp_path, "auto=true preseed/file=/cdrom/x", "/install.amd")
    assert set(menus) == {"/boot/grub/grub.cfg", "/isolinux/isolinux.cfg"}
    for file in menus.values():
        assert "auto=true preseed/file=/cdrom/x" in file.read_text()


def test_the_files_are_for_their_owner_s_eyes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = make_commune_with_postes(tmp_path)
    target = tmp_path / "installation"
    arguments = ["postes", "preseed", "62708", "--to", str(target), "--pack", str(place)]
    assert run(arguments) == 1
    assert "cles_techniciens" in capfd.readouterr().err
    settings = place / "pack.yml"
    settings.write_text(settings.read_text(encoding="utf-8") + f'\npostes:\n  cles_techniciens: ["{KEY}"]\n')
    assert run(arguments) == 0
    folder = target / "poste-62708-1"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    phrase = str(Vault(place).read("62708")["postes.poste-62708-1.disque"])
    assert phrase in (folder / "preseed.cfg").read_text(encoding="utf-8")
    assert phrase not in "".join(capfd.readouterr())


def test_a_workstation_of_nobody_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = make_commune_with_postes(tmp_path)
    assert run(["postes", "preseed", "62708", "poste-62708-9", "--to", str(tmp_path / "x"), "--pack", str(place)]) == 1
    assert "poste-62708-9" in capfd.readouterr().err


def test_an_image_keeps_both_ways_to_boot_and_holds_our_files(tmp_path: Path) -> None:
    if shutil.which("xorriso") is None:
        pytest.skip("xorriso absent : image non fabriquée")
    tree = tmp_path / "debian"
    for name, size in (("isolinux/isolinux.bin", 4096), ("boot/grub/efi.img", 65536), ("install.amd/vmlinuz", 10)):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(b"\0" * size)
    source, target = tmp_path / "source.iso", tmp_path / "poste.iso"
    boot = "-b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table"
    efi = "-eltorito-alt-boot -e boot/grub/efi.img -no-emul-boot"
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-o", str(source), "-J", "-R", *boot.split(), *efi.split()]
    subprocess.run([*command, str(tree)], check=True, capture_output=True)
    answers = tmp_path / "preseed.cfg"
    answers.write_text("d-i secret\n")
    remaster(source, target, {"/packmairie/preseed.cfg": answers}, "auto=true", kernel="/install.amd")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    told = subprocess.run(
        ["xorriso", "-indev", str(target), "-report_el_torito", "plain", "-find", "/"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for wished in ("BIOS  y", "UEFI  y", "'/packmairie/preseed.cfg'", "'/boot/grub/grub.cfg'"):
        assert wished in told
    with pytest.raises(PackmairieError, match="image introuvable"):
        remaster(tmp_path / "nothing.iso", target, {}, "", kernel="/install.amd")

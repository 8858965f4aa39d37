# SPDX-License-Identifier: GPL-3.0-or-later
"""How a workstation is installed without anybody: answers for the Debian installer, and what it does at the end.

Debian GNU/Linux Installation Guide, appendix B (« Automating the installation using preseeding »). Only one thing stays
to be typed on the machine: the passphrase of its disk, each time that it starts.
"""

from __future__ import annotations

import shlex

from packmairie.briques import postes_tirage
from packmairie.briques.contract import Secrets
from packmairie.briques.postes_tenant import SETTINGS, gateway_host
from packmairie.briques.postes_tunnel import (
    TUNNEL_ACCOUNT,
    TUNNEL_UNIT,
    TUNNEL_UNIT_TEXT,
    known_gateway,
    tunnel_settings,
)
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.poste import Poste

MEDIUM = "/cdrom/packmairie"
"""Where the two files stand on the remastered medium, as the installer sees it."""
BOOT_PARAMETERS = f"auto=true priority=critical locale=fr_FR.UTF-8 keymap=fr preseed/file={MEDIUM}/preseed.cfg"
FIRST_PACKAGES = ("openssh-server", "python3", "ca-certificates", "cryptsetup-initramfs")


def preseed_text(commune: Commune, poste: Poste, secrets: Secrets) -> str:
    """Return the answers for the installer; they hold the passphrase of the disk.

    The mirror is the installer's own default for France. Disks are not erased before (hours, for nothing on a new SSD):
    everything but ``/boot`` and the EFI partition is encrypted (LUKS2, argon2id by default).
    """
    phrase = str(secrets[f"postes.{poste.nom}.disque"])
    answers = (
        ("debian-installer/language", "string", "fr"),
        ("debian-installer/country", "string", "FR"),
        ("debian-installer/locale", "string", "fr_FR.UTF-8"),
        ("keyboard-configuration/xkb-keymap", "select", "fr"),
        ("netcfg/choose_interface", "select", "auto"),
        ("netcfg/get_hostname", "string", poste.nom),
        ("netcfg/hostname", "string", poste.nom),
        ("netcfg/get_domain", "string", commune.domaine.nom),
        ("hw-detect/load_firmware", "boolean", "true"),
        ("mirror/country", "string", "FR"),
        ("mirror/http/proxy", "string", ""),
        # A locked root: technicians come by SSH key, agents are not administrators.
        ("passwd/root-login", "boolean", "true"),
        ("passwd/root-password-crypted", "password", "!"),
        ("passwd/make-user", "boolean", "false"),
        ("clock-setup/utc", "boolean", "true"),
        ("clock-setup/ntp", "boolean", "true"),
        ("time/zone", "string", "Europe/Paris"),
        ("partman-auto/disk", "string", poste.disque),
        ("partman-auto/method", "string", "crypto"),
        ("partman-auto-crypto/erase_disks", "boolean", "false"),
        ("partman-crypto/passphrase", "password", phrase),
        ("partman-crypto/passphrase-again", "password", phrase),
        ("partman-auto-lvm/guided_size", "string", "max"),
        ("partman-auto-lvm/new_vg_name", "string", "poste"),
        ("partman-auto/choose_recipe", "select", "atomic"),
        ("partman-lvm/device_remove_lvm", "boolean", "true"),
        ("partman-md/device_remove_md", "boolean", "true"),
        ("partman-lvm/confirm", "boolean", "true"),
        ("partman-lvm/confirm_nooverwrite", "boolean", "true"),
        ("partman-partitioning/confirm_write_new_label", "boolean", "true"),
        ("partman-efi/non_efi_system", "boolean", "true"),
        ("partman/choose_partition", "select", "finish"),
        ("partman/confirm", "boolean", "true"),
        ("partman/confirm_nooverwrite", "boolean", "true"),
        ("apt-setup/non-free-firmware", "boolean", "true"),
        ("apt-setup/cdrom/set-first", "boolean", "false"),
        ("pkgsel/include", "string", " ".join((*FIRST_PACKAGES, *(postes_tirage.PACKAGES if poste.pulled else ())))),
        ("pkgsel/upgrade", "select", "full-upgrade"),
        ("grub-installer/only_debian", "boolean", "true"),
        ("grub-installer/with_other_os", "boolean", "false"),
        ("grub-installer/bootdev", "string", poste.disque),
        ("finish-install/reboot_in_progress", "note", ""),
        ("cdrom-detect/eject", "boolean", "true"),
        ("preseed/late_command", "string", f"sh {MEDIUM}/late.sh"),
    )
    lines = [f"# {poste.nom}, {commune.nom} : réponses à l'installateur de Debian 13. Contient la clé du disque."]
    lines += [f"d-i {name} {kind} {value}".rstrip() for name, kind, value in answers]
    lines += ["tasksel tasksel/first multiselect", "popularity-contest popularity-contest/participate boolean false"]
    return "\n".join(lines) + "\n"


def late_text(pack: Pack, poste: Poste, secrets: Secrets, platform_secrets: Secrets) -> str:
    """Return what the installer runs last: who may come in, by which key this host is known, how it calls home."""
    host = secrets[f"postes.{poste.nom}.hote"]
    steps = [
        "#!/bin/sh",
        "# Dernière étape de l'installation, posée par packmairie. Contient des clés.",
        "set -eu",
        "umask 077",
        "mkdir -p /target/root/.ssh",
        *_written("/root/.ssh/authorized_keys", "".join(f"{key}\n" for key in pack.file.postes.cles_techniciens)),
        "rm -f /target/etc/ssh/ssh_host_*",
        *_written("/etc/ssh/ssh_host_ed25519_key", str(host["privee"])),
        *_written("/etc/ssh/ssh_host_ed25519_key.pub", f"{host['publique']} {poste.nom}\n", "0644"),
    ]
    if poste.tunnelled and gateway_host(pack) is not None:
        public = str(platform_secrets["postes.acces.hote"]["publique"])
        steps += [
            f"mkdir -p /target{SETTINGS}",
            *_written(f"{SETTINGS}/tunnel.cle", str(secrets[f"postes.{poste.nom}.tunnel"]["privee"])),
            *_written(f"{SETTINGS}/tunnel.env", tunnel_settings(pack, poste), "0644"),
            *_written(f"{SETTINGS}/tunnel.connus", known_gateway(pack, public), "0644"),
            *_written(f"/etc/systemd/system/{TUNNEL_UNIT}", TUNNEL_UNIT_TEXT, "0644"),
            f"chmod 0755 /target/etc/packmairie /target{SETTINGS}",
            f"in-target useradd --system --no-create-home --shell /usr/sbin/nologin {TUNNEL_ACCOUNT}",
            f"in-target systemctl enable ssh.service {TUNNEL_UNIT}",
        ]
    elif postes_tirage.pulls(pack, poste):
        public = str(platform_secrets[postes_tirage.SIGNATURE_KEY]["publique"])
        steps.append(f"mkdir -p /target{SETTINGS} /target{postes_tirage.CODE_FOLDER}")
        for path, text, secret in postes_tirage.puller_files(pack, poste, secrets, public):
            steps += _written(path, text, "0600" if secret else "0644")
        steps += [
            f"chmod 0755 /target/etc/packmairie /target{SETTINGS} /target{postes_tirage.CODE_FOLDER}",
            f"chmod 0755 /target{postes_tirage.CODE_FOLDER.rpartition('/')[0]}",
            # Nobody comes in: it needs no open door to be brought to its state.
            "in-target systemctl disable ssh.service",
            f"in-target systemctl enable {postes_tirage.TIMER}",
        ]
    else:
        steps.append("in-target systemctl enable ssh.service")
    return "\n".join(steps) + "\n"


def _written(path: str, text: str, mode: str = "0600") -> list[str]:
    """Return the shell lines that write a text to a file of the new system, whatever the text holds."""
    target = f"/target{path}"
    return [f"printf '%s' {shlex.quote(text)} > {target}", f"chmod {mode} {target}"]

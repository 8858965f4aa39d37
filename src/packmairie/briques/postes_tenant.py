# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of each workstation, and the keys by which workstations join the gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from packmairie.briques import postes_tirage
from packmairie.briques.contract import Secrets
from packmairie.briques.postes_applications import firefox_policies, thunderbird_policies, thunderbird_settings
from packmairie.briques.postes_services import files_url, has_mail
from packmairie.briques.postes_tunnel import (
    GATEWAY_GROUP,
    TUNNEL_UNIT,
    TUNNEL_UNIT_TEXT,
    known_gateway,
    tunnel_settings,
)
from packmairie.model.commune import Agent, Commune
from packmairie.model.pack import Hote, Pack
from packmairie.model.poste import TUNNEL_PORT, Poste
from packmairie.model.tree import Part, Tree, TreeFile

GROUP = "postes"
COMMON_TREE = "postes_commun"
GATEWAY_TREE = "acces"
GATEWAY_KEYS = "/etc/packmairie/acces/cles"
GATEWAY_HOST_KEY = "/etc/packmairie/acces/hote"
SETTINGS = "/etc/packmairie/postes"
MOUNT_ROOT = "/fichiers"


def workstation_tree(name: str) -> str:
    """Return the name of the tree that only this workstation receives."""
    return f"postes-{name}"


def gateway_host(pack: Pack) -> Hote | None:
    """Return the host that plays the gateway, the first by name; None when the pack has none."""
    found = [host for _name, host in sorted(pack.file.plateforme.hotes.items()) if GATEWAY_GROUP in host.groupes]
    return found[0] if found else None


def workstation_trees(commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
    """Return the files of each workstation in service; one that is revoked receives nothing any more."""
    return tuple(
        Tree(workstation_tree(poste.nom), GROUP, tuple(_files(commune, pack, secrets, poste)))
        for poste in commune.postes
        if poste.revoque_le is None
    )


def _files(commune: Commune, pack: Pack, secrets: Secrets, poste: Poste) -> Iterator[TreeFile]:
    users = commune.users_of(poste)

    def file(path: str, text: str, *, secret: bool = False) -> TreeFile:
        return TreeFile(path, (Part(text, commune.insee),), mode="0600" if secret else "0644", secret=secret)

    yield file(f"{SETTINGS}/sessions.json", sessions_text(users, secrets), secret=True)
    yield file("/etc/firefox/policies/policies.json", json_text(firefox_policies(commune, pack)))
    yield file("/etc/thunderbird/policies/policies.json", json_text(thunderbird_policies(commune, pack)))
    yield file("/usr/lib/thunderbird/packmairie.cfg", thunderbird_settings(commune, pack, users))
    yield from (file(path, text, secret=secret) for path, text, secret in file_space(commune, pack, secrets, users))
    if poste.tunnelled and gateway_host(pack):
        yield file(f"{SETTINGS}/tunnel.cle", str(secrets[f"postes.{poste.nom}.tunnel"]["privee"]), secret=True)
        yield file(f"{SETTINGS}/tunnel.env", tunnel_settings(pack, poste))
        yield file(f"/etc/systemd/system/{TUNNEL_UNIT}", TUNNEL_UNIT_TEXT)
    if postes_tirage.pulls(pack, poste):
        # Whom it believes is the platform's: it comes with the tree of all workstations.
        yield from (
            file(path, text, secret=secret)
            for path, text, secret in postes_tirage.puller_files(pack, poste, secrets, "")
            if not path.endswith("/tirage.signataires")
        )


def json_text(content: Any) -> str:
    """Return plain data as JSON that reads well and never changes order."""
    return json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def sessions_text(users: list[Agent], secrets: Secrets) -> str:
    """Return who has a session, with the hash of its password; the password itself stays in the vault."""
    return json_text(
        [
            {
                "identifiant": agent.identifiant,
                "nom": agent.nom,
                "empreinte": str(secrets[f"postes.sessions.{agent.identifiant}"]["empreinte"]),
            }
            for agent in users
        ]
    )


def unit_name(path: str) -> str:
    """Return the name, without suffix, of the systemd unit that mounts a path (systemd.unit(5), path escaping)."""

    def escaped(part: str) -> str:
        return "".join(
            letter
            if (letter.isalnum() and letter.isascii()) or (letter in ":_." and (index or letter != "."))
            else "".join(f"\\x{octet:02x}" for octet in letter.encode())
            for index, letter in enumerate(part)
        )

    return "-".join(escaped(part) for part in path.strip("/").split("/"))


def file_space(commune: Commune, pack: Pack, secrets: Secrets, users: list[Agent]) -> Iterator[tuple[str, str, bool]]:
    """Yield (path, text, secret) of what mounts the commune's file space for each agent, when it is first opened.

    The password stands in root's file alone, on an encrypted disk: an agent types nothing, and one cannot read
    another's. Each mount belongs to its agent, mode 0700.
    """
    url = files_url(commune, pack)
    if url is None or not has_mail(commune):
        yield "/etc/davfs2/secrets", "# Aucun espace de fichiers.\n", True
        return
    lines = []
    for agent in users:
        where = f"{MOUNT_ROOT}/{agent.identifiant}"
        password = str(secrets[f"messagerie.boites.{agent.identifiant}"]["mot_de_passe"])
        lines.append(f'{where} "{agent.identifiant}@{commune.domaine.nom}" "{password}"\n')
        name = f"/etc/systemd/system/{unit_name(where)}"
        owner = f"uid={agent.identifiant},gid={agent.identifiant},dir_mode=0700,file_mode=0600"
        yield (
            f"{name}.mount",
            "[Unit]\nDescription=Fichiers de la mairie\nAfter=network-online.target\n"
            f"[Mount]\nWhat={url}{commune.insee}/\nWhere={where}\nType=davfs\nOptions={owner},nosuid,nodev,noexec,_netdev\n"
            "TimeoutSec=30\n",
            False,
        )
        yield (
            f"{name}.automount",
            "[Unit]\nDescription=Fichiers de la mairie, à leur première ouverture\n"
            f"[Automount]\nWhere={where}\nTimeoutIdleSec=30min\n[Install]\nWantedBy=multi-user.target\n",
            False,
        )
    yield "/etc/davfs2/secrets", "".join(lines), True


def gateway_trees(commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
    """Return the commune's lines of the file by which the gateway knows workstations.

    ``restrict`` forbids everything; ``permitlisten`` gives back one loopback address and one port (sshd(8)).
    """
    if gateway_host(pack) is None:
        return ()
    lines = []
    for poste in commune.postes:
        if poste.tunnelled:
            public = str(secrets[f"postes.{poste.nom}.tunnel"]["publique"])
            allowed = f'restrict,port-forwarding,permitlisten="{poste.loopback}:{TUNNEL_PORT}"'
            lines.append(f"{allowed} {public} {poste.nom}\n")
    if not lines:
        return ()
    keys = TreeFile(GATEWAY_KEYS, (Part("".join(lines), commune.insee),), shared=True)
    return (Tree(GATEWAY_TREE, GATEWAY_GROUP, (keys,)),)


def gateway_platform_trees(pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
    """Return what the gateway has before any workstation, and by what workstations believe it."""
    if gateway_host(pack) is None:
        return ()
    key = secrets["postes.acces.hote"]
    common = [TreeFile(f"{SETTINGS}/tunnel.connus", (Part(known_gateway(pack, str(key["publique"]))),))]
    if postes_tirage.bundle_host(pack) is not None:
        signers = postes_tirage.signers_text(str(secrets[postes_tirage.SIGNATURE_KEY]["publique"]))
        common.append(TreeFile(f"{SETTINGS}/tirage.signataires", (Part(signers),)))
    files = (
        TreeFile(GATEWAY_HOST_KEY, (Part(str(key["privee"])),), mode="0600", secret=True),
        TreeFile(GATEWAY_KEYS, (Part("# Une ligne par poste.\n"),), shared=True),
    )
    return (Tree(GATEWAY_TREE, GATEWAY_GROUP, files), Tree(COMMON_TREE, GROUP, tuple(common)))

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host of the file spaces needs for each commune: its volumes and accounts, its limits, its host name.

copyparty compares every account with every volume at each reload, in time and memory that grow as their product: one
process holds some tens of communes. They are therefore shared out between ``partage.lots`` processes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from argon2.low_level import Type, hash_secret_raw

from packmairie.briques.contract import Secrets
from packmairie.model.commune import PROBE_LOCAL_PART, SHARED_LOCAL_PART, Commune
from packmairie.model.pack import Pack
from packmairie.model.problem import fail
from packmairie.model.tree import Part, Tree, TreeFile
from packmairie.site_mairie.colour import default_colour
from packmairie.site_mairie.wording import of_name

GROUP = "partage"
TREE = "partage"
SETTINGS = "/etc/packmairie/partage"
FILES_ROOT = "/srv/partage"
SITES_ROOT = "/var/lib/packmairie/contenus"
HOSTS_FOLDER = "/srv/communes"
HOST_LABEL = "fichiers"
COMMUNES_PER_LOT = 40
"""Most that a process holds: beyond, a reload takes seconds (bench/partage_lots.py)."""
HASH_PASSES, HASH_MEMORY_MIB, HASH_LANES, HASH_OCTETS = 1, 4, 1, 24
"""As ``ah-alg: argon2,1,4,1`` says to copyparty. The accounts' passwords are 139 random bits, which need no
stretching, and 905 communes are rendered in seconds."""
NOBODY = "+" + "A" * 32
"""A hash that no password gives; copyparty takes a text of this form for a hash."""

PLACEHOLDER = "x" * 24
"""The password that stands for one that no vault holds yet (:func:`packmairie.model.secret.placeholder`)."""


def host_of(commune: Commune) -> str:
    """Return the host name of a commune's file space: its own origin, where no other commune's file is served."""
    return f"{HOST_LABEL}.{commune.domaine.nom}"


def lot_of(insee: str, lots: int) -> int:
    """Return the process that serves a commune: the one that weighs most for it, so that a new one moves few."""
    return max(range(lots), key=lambda lot: hashlib.sha256(f"{insee}/{lot}".encode()).digest())


@lru_cache(maxsize=8192)
def account_hash(login: str, password: str, salt: str) -> str:
    """Return the hash of an account as copyparty keeps it with ``usernames`` (checked against its ``--ah-gen``)."""
    raw = hash_secret_raw(
        f"{login}:{password}".encode(),
        salt.encode(),
        HASH_PASSES,
        HASH_MEMORY_MIB * 1024,
        HASH_LANES,
        HASH_OCTETS,
        Type.ID,
    )
    return "+" + base64.b64encode(raw, altchars=b"-_").decode("ascii")


def salt_of(pack: Pack) -> str:
    """Return the salt that copyparty has for all its accounts: each login is part of what is hashed, and no secret."""
    return hashlib.sha256(f"packmairie partage {pack.file.plateforme.domaine}".encode()).hexdigest()[:32]


def tenant_trees(commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
    """Given a commune and its vault, return its part of the file host and of the web front.

    Raise PackmairieError when a password is missing.
    """
    insee = commune.insee
    lot = lot_of(insee, pack.file.partage.lots)
    conf = TreeFile(
        f"{SETTINGS}/lots/{lot}/{insee}.conf",
        (Part(volumes(commune, pack, secrets), insee),),
        mode="0640",
        group="partage",
        secret=True,
    )
    limits = TreeFile(f"{SETTINGS}/communes/{insee}.json", (Part(limits_text(commune, pack, lot), insee),))
    host = f"{HOSTS_FOLDER}/{host_of(commune)}"
    front = (
        TreeFile(f"{host}/.partage/insee", (Part(f"{insee}\n", insee),)),
        TreeFile(f"{host}/.partage/{insee}", (Part("Commune de ce nom.\n", insee),)),
        TreeFile(f"{host}/.packmairie/marque.css", (Part(branding(commune), insee),)),
        TreeFile(f"{host}/.packmairie/marque.js", (Part(branding_script(commune), insee),)),
    )
    return Tree(TREE, GROUP, (conf, limits)), Tree("frontal", "frontal", front)


def accounts(commune: Commune, secrets: Secrets) -> dict[str, str]:
    """Return the password of each account: the people of the commune, and its technical account."""
    locals_ = [*(agent.identifiant for agent in commune.agents), PROBE_LOCAL_PART]
    return {f"{local}@{commune.domaine.nom}": _password(commune, secrets, local) for local in locals_}


def volumes(commune: Commune, pack: Pack, secrets: Secrets) -> str:
    """Return a commune's volumes and accounts, as copyparty reads them.

    Agents: ``commun``, ``a-archiver``, ``a-transmettre`` (where the commune transmits its acts), ``depot``, ``site``,
    their own. Élus: ``elus``, ``commun``, ``depot`` to read, their own. Anybody of the commune may deposit in
    ``boite``, hence give that right to an outsider by a link; nobody reads there.
    """
    salt, insee, domain = salt_of(pack), commune.insee, commune.domaine.nom
    everybody = [f"{agent.identifiant}@{domain}" for agent in commune.agents]
    agents = [f"{agent.identifiant}@{domain}" for agent in commune.agents if "agents" in agent.groupes]
    elus = [f"{agent.identifiant}@{domain}" for agent in commune.agents if "elus" in agent.groupes]
    probe = f"{PROBE_LOCAL_PART}@{domain}"
    lines = ["[accounts]"]
    lines += [
        # Without a vault nothing is hashed: the placeholder opens nothing.
        f"  {login}: {NOBODY if password == PLACEHOLDER else account_hash(login, password, salt)}"
        for login, password in accounts(commune, secrets).items()
    ]

    def volume(name: str, rights: Mapping[str, list[str]], path: str = "", flags: tuple[str, ...] = ()) -> None:
        granted = {right: who for right, who in rights.items() if who}
        if not granted:
            return
        lines.extend(
            ["", f"[/{insee}/{name}]".replace("/]", "]"), f"  {path or f'{FILES_ROOT}/{insee}/{name}'}", "  accs:"]
        )
        lines.extend(f"    {right}: {', '.join(who)}" for right, who in granted.items())
        if flags:
            lines.extend(["  flags:", *(f"    {flag}" for flag in flags)])

    # What leads to the others; empty, and the same for all.
    volume("", {"r": [*everybody, probe]}, f"{FILES_ROOT}/{insee}/accueil", ("shr_who: no",))
    quota = f"sz: 0b-{limit_mb(commune, pack)}m"
    volume("commun", {"rwmd": everybody}, flags=(quota,))
    volume("elus", {"rwmd": elus}, flags=(quota,))
    # What is sent is taken, and in the end removed, by another account, which an ACL lets in (role envois): the group's
    # bits are the most that an ACL grants.
    shared = ("chmod_d: 770", "chmod_f: 660")
    volume("a-archiver", {"rwmd": agents}, flags=(quota, *(shared if commune.archivage else ())))
    if commune.teletransmission:
        volume("a-transmettre", {"rwmd": agents}, flags=(quota, *shared))
    volume("depot", {"rmd": agents, "r": [login for login in elus if login not in agents]})
    # copyparty tells of a whole upload only where it keeps a base of files.
    deposit = (
        "e2d",
        "ui_nonav, ui_nolbar, ui_noacci, ui_nocpla, ui_nosrvi, ui_noctxb, ui_norepl",
        "xau: I,c,/usr/local/lib/packmairie/partage_hote/hook.py",
    )
    volume("boite", {"w": [*everybody, probe]}, flags=(f"sz: 0b-{pack.file.partage.depot_mo}m", *deposit))
    if commune.deploys("presence"):
        volume("site", {"rwmd": agents}, f"{SITES_ROOT}/{insee}", (quota, "chmod_d: 775", "chmod_f: 664"))
    for agent in commune.agents:
        own = f"{FILES_ROOT}/{insee}/personnel/{agent.identifiant}"
        volume(f"personnel-{agent.identifiant}", {"rwmd": [f"{agent.identifiant}@{domain}"]}, own, (quota,))
    volume("sonde", {"rwmd": [probe]}, flags=("sz: 0b-10m",))
    return "\n".join(lines) + "\n"


def limit_mb(commune: Commune, pack: Pack) -> int:
    """Return the place that a commune may take, in MB."""
    return commune.partage.quota_mo or pack.file.partage.quota_mo


def limits_text(commune: Commune, pack: Pack, lot: int) -> str:
    """Return what the host must know of a commune besides its volumes, as JSON."""
    policy = pack.file.partage
    contact = f"{SHARED_LOCAL_PART}@{commune.domaine.nom}"
    said: dict[str, Any] = {
        "quota_mo": limit_mb(commune, pack),
        "depot_mo": policy.depot_mo,
        "contact": contact if commune.deploys("messagerie") else pack.file.operateur.courriel,
        "hote": host_of(commune),
        "lot": lot,
        "site": commune.deploys("presence"),
        "personnes": [agent.identifiant for agent in commune.agents],
        "sonde": f"{PROBE_LOCAL_PART}@{commune.domaine.nom}",
    }
    return json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def branding(commune: Commune) -> str:
    """Return the colour of a commune, for the style of its file space."""
    couleurs = commune.site.couleurs
    return f":root {{ --commune: {couleurs.principale if couleurs else default_colour(commune.insee)}; }}\n"


def branding_script(commune: Commune) -> str:
    """Return the name of a commune, for the script of its file space."""
    said = {"insee": commune.insee, "nom": commune.nom, "titre": f"Fichiers de la mairie {of_name(commune.nom)}"}
    return f"window.packmairie = {json.dumps(said, ensure_ascii=True, sort_keys=True)};\n"


def _password(commune: Commune, secrets: Secrets, local: str) -> str:
    name = f"messagerie.boites.{local}"
    value = secrets.get(name)
    found = value.get("mot_de_passe") if isinstance(value, Mapping) else None
    if not isinstance(found, str) or not found:
        raise fail(
            f"secrets de {commune.insee}",
            f"« {name}.mot_de_passe » manque",
            "le générer avec « packmairie inventory secrets »",
        )
    return found

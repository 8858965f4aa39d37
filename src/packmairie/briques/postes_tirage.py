# SPDX-License-Identifier: GPL-3.0-or-later
"""How a workstation pulls its state: what it holds for that, what the platform holds, and what is never on either.

The signing key stays in the technicians' vault. The platform keeps bundles that it cannot read (each is encrypted for
its workstation) nor make, and the digests of the tokens by which workstations ask for them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files

from packmairie.briques.contract import Secrets
from packmairie.model.commune import Commune
from packmairie.model.pack import Hote, Pack
from packmairie.model.poste import Poste
from packmairie.model.tree import Part, Tree, TreeFile

GATEWAY_GROUP, FRONT_GROUP = "acces", "frontal"
NAME = "postes"
"""Short name, in the platform's domain, of where bundles are published."""
SIGNATURE_KEY = "postes.tirage.signature"
SIGNER, NAMESPACE = "packmairie", "packmairie-postes"
TREE = "tirage"
KNOWN = "/etc/packmairie/tirage/postes"
SETTINGS = "/etc/packmairie/postes"
CODE_FOLDER = "/usr/local/lib/packmairie/postes_hote"
ON_WORKSTATION = ("__init__.py", "lecture.py", "tirage.py")
ON_PLATFORM = ("__init__.py", "guichet.py")
SERVICE, TIMER = "packmairie-tirage.service", "packmairie-tirage.timer"
PACKAGES = ("age", "ansible-core", "openssh-client")
"""What a workstation needs before it can pull anything."""
SERVICE_TEXT = """\
# Posé par packmairie : amène ce poste à l'état que la plateforme publie pour lui.
[Unit]
Description=Mise en conformité du poste
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
Environment=PYTHONPATH=/usr/local/lib PYTHONDONTWRITEBYTECODE=1
ExecStart=/usr/bin/python3 -m packmairie.postes_hote.tirage
# The platform does not answer, or another run is at work: the next one will tell.
SuccessExitStatus=75
TimeoutStartSec=4h
Nice=10
IOSchedulingClass=idle
"""
TIMER_TEXT = """\
# Posé par packmairie.
[Unit]
Description=Mise en conformité du poste, chaque heure

[Timer]
OnBootSec=3min
OnUnitInactiveSec=1h
RandomizedDelaySec=10min

[Install]
WantedBy=timers.target
"""


def token_secret(poste: Poste) -> str:
    """Return the name, in the commune's vault, of the token by which a workstation asks for its bundle."""
    return f"postes.{poste.nom}.jeton"


def reading_secret(poste: Poste) -> str:
    """Return the name of the key that its bundles are encrypted for."""
    return f"postes.{poste.nom}.lecture"


def bundle_host(pack: Pack) -> tuple[str, Hote] | None:
    """Return the name and the host that publish bundles: the first that is both a gateway and a web front."""
    for name, host in sorted(pack.file.plateforme.hotes.items()):
        if {GATEWAY_GROUP, FRONT_GROUP} <= set(host.groupes):
            return name, host
    return None


def pulls(pack: Pack, poste: Poste) -> bool:
    """Tell whether a workstation takes bundles that somebody publishes."""
    return poste.pulled and bundle_host(pack) is not None


def address(pack: Pack) -> str:
    """Return where bundles are published."""
    return f"https://{pack.file.plateforme.host_name(NAME)}"


def settings_text(pack: Pack, poste: Poste, secrets: Secrets) -> str:
    """Return what the puller reads; it holds its token."""
    content = {"adresse": address(pack), "poste": poste.nom, "jeton": str(secrets[token_secret(poste)])}
    return json.dumps(content, sort_keys=True) + "\n"


def signers_text(public_key: str) -> str:
    """Return whom a workstation believes, as ssh-keygen reads it (ALLOWED SIGNERS)."""
    return f'{SIGNER} namespaces="{NAMESPACE}" {public_key}\n'


def code_files(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of what a host runs."""
    folder = files("packmairie.postes_hote")
    for name in names:
        yield f"{CODE_FOLDER}/{name}", folder.joinpath(name).read_text(encoding="utf-8")


def puller_files(pack: Pack, poste: Poste, secrets: Secrets, signer: str) -> Iterator[tuple[str, str, bool]]:
    """Yield (path, text, secret) of what makes a workstation pull; the installer and the role lay the same."""
    yield f"{SETTINGS}/tirage.json", settings_text(pack, poste, secrets), True
    yield f"{SETTINGS}/tirage.age", str(secrets[reading_secret(poste)]["privee"]) + "\n", True
    yield f"{SETTINGS}/tirage.signataires", signers_text(signer), False
    yield f"/etc/systemd/system/{SERVICE}", SERVICE_TEXT, False
    yield f"/etc/systemd/system/{TIMER}", TIMER_TEXT, False
    for path, text in code_files(ON_WORKSTATION):
        yield path, text, False


def commune_trees(commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
    """Return the commune's lines of the list by which the platform knows who asks."""
    if bundle_host(pack) is None:
        return ()
    lines = [
        f"{poste.nom} {hashlib.sha256(str(secrets[token_secret(poste)]).encode()).hexdigest()}\n"
        for poste in commune.postes
        if poste.pulled
    ]
    if not lines:
        return ()
    return (Tree(TREE, GATEWAY_GROUP, (_known(Part("".join(lines), commune.insee)),)),)


def platform_trees(pack: Pack) -> tuple[Tree, ...]:
    """Return what publishes bundles: the service's code, the empty list, and the name that Caddy may serve."""
    if bundle_host(pack) is None:
        return ()
    code = tuple(TreeFile(path, (Part(text),)) for path, text in code_files(ON_PLATFORM))
    admitted = f"/srv/communes/{pack.file.plateforme.host_name(NAME)}/.admis"
    return (
        Tree(TREE, GATEWAY_GROUP, (*code, _known(Part("# Par poste : son nom, le condensé de son jeton.\n")))),
        Tree("frontal", FRONT_GROUP, (TreeFile(admitted, (Part("Nom servi par Caddy.\n"),)),)),
    )


def _known(part: Part) -> TreeFile:
    return TreeFile(KNOWN, (part,), mode="0640", group="tirage", shared=True)

# SPDX-License-Identifier: GPL-3.0-or-later
"""``postes revoke``: a workstation is lost; nothing that it held opens anything any more.

What it held: the key of its tunnel, the S3 key and the password of its backups, its agents' mailbox passwords (which
open the file space too) and the hashes of their session passwords. Each is replaced in the vault, then the shared hosts
are brought to it: the tunnel under way is closed, mail and file sessions with the former passwords end.

The passphrase of its disk stays, for whoever finds the machine; so does its backup, readable with the new key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from packmairie.briques.postes import host_secret, session_secret, tunnel_secret
from packmairie.briques.postes_tirage import reading_secret, token_secret
from packmairie.engines.ansible import Failure, Step, run_playbook
from packmairie.inventory.atomic import write_file
from packmairie.inventory.generators import new_secret
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault, vault_lock
from packmairie.model.commune import Commune
from packmairie.model.poste import Poste
from packmairie.model.problem import PackmairieError, fail
from packmairie.model.secret import SecretKind
from packmairie.operations.deploy import RUNS_FOLDER, failures_of, new_run_folder
from packmairie.operations.inventory import commune_of
from packmairie.operations.plan import SITE, selection_variables

TAGS = ("acces", "tirage", "stockage", "messagerie", "partage")
"""The parts of the platform that a workstation's secrets open; nothing else runs, so that it is short.

The webmail is not among them: each of its requests opens mail with the password that no longer does.
"""
SHARED_HOSTS = "plateforme_hotes"


@dataclass(frozen=True)
class Revocation:
    """What was done: whether the file said so already, the secrets replaced, what failed on the platform."""

    poste: str
    since: date
    already: bool
    replaced: tuple[str, ...]
    agents: tuple[str, ...]
    failures: tuple[Failure, ...]
    seconds: float
    run: Path | None


def revoke(
    folder: Path,
    insee: str,
    name: str,
    today: date,
    *,
    runs: Path | None = None,
    deploy: bool = True,
    on_step: Callable[[Step], None] | None = None,
) -> Revocation:
    """Given a pack, a commune's code and a workstation, revoke it, and bring the platform to that unless told not to.

    May be run again: a revoked workstation's secrets are not replaced twice, the platform is brought to them again.
    Raise PackmairieError when the pack has no such workstation, or when its file cannot be changed.
    """
    started = datetime.now(UTC)
    pack = load_pack(folder)
    commune = commune_of(pack, insee)
    poste = next((one for one in commune.postes if one.nom == name), None)
    if poste is None:
        raise fail(f"commune {insee}", f"n'a pas de poste {name}", "voir postes: dans son fichier")
    already = poste.revoque_le is not None
    replaced: tuple[str, ...] = ()
    if not already:
        # The vault first: a run that dies in between is run again, and replaces once more.
        replaced = replace_secrets(folder, commune, poste)
        mark_revoked(folder, commune, poste, today)
    failures: tuple[Failure, ...] = ()
    run_folder = None
    if deploy:
        run_folder = new_run_folder(runs or Path(RUNS_FOLDER), started)
        variables = selection_variables((insee,), len(pack.communes))
        result = run_playbook(
            SITE, folder, run_folder, variables=variables, tags=TAGS, limit=SHARED_HOSTS, on_step=on_step
        )
        failures = tuple(failures_of(result))
    agents = tuple(agent.identifiant for agent in commune.users_of(poste))
    seconds = (datetime.now(UTC) - started).total_seconds()
    return Revocation(name, poste.revoque_le or today, already, replaced, agents, failures, seconds, run_folder)


def exposed_secrets(commune: Commune, poste: Poste) -> dict[str, SecretKind]:
    """Return the secrets that a workstation holds, or by which it is known, and their kinds."""
    found = {
        tunnel_secret(poste): SecretKind.CLE_SSH,
        host_secret(poste): SecretKind.CLE_SSH,
        f"sauvegarde.{poste.nom}.cle": SecretKind.CLE_S3,
        token_secret(poste): SecretKind.PASSWORD,
        reading_secret(poste): SecretKind.CLE_AGE,
    }
    for agent in commune.users_of(poste):
        found[session_secret(agent.identifiant)] = SecretKind.SESSION
        found[f"messagerie.boites.{agent.identifiant}"] = SecretKind.MAILBOX
    return found


def replace_secrets(folder: Path, commune: Commune, poste: Poste) -> tuple[str, ...]:
    """Put new values in the vault for everything that a workstation held and that exists; return their names."""
    vault = Vault(folder)
    with vault_lock(folder):
        values = vault.read(commune.insee)
        known = {name: kind for name, kind in exposed_secrets(commune, poste).items() if name in values}
        values |= {name: new_secret(kind) for name, kind in known.items()}
        vault.write(commune.insee, values)
    return tuple(known)


def mark_revoked(folder: Path, commune: Commune, poste: Poste, today: date) -> None:
    """Write ``revoque_le`` in the commune's file, comments and order kept; put it back when it no longer reads well.

    Raise PackmairieError when the workstation's entry is not where it is looked for.
    """
    place = next(iter(sorted((folder / "communes").glob(f"{commune.insee}-*.yml"))), None)
    if place is None:
        raise fail(f"commune {commune.insee}", "fichier introuvable", "le remettre dans communes/")
    before = place.read_text(encoding="utf-8")
    after = marked(before, poste.nom, today)
    if after is None:
        remedy = f"y ajouter soi-même revoque_le: {today.isoformat()} et relancer"
        raise fail(str(place), f"l'entrée de {poste.nom} n'est pas là où elle est attendue", remedy)
    write_file(place, after)
    try:
        reread = commune_of(load_pack(folder), commune.insee)
        if not any(one.nom == poste.nom and one.revoque_le == today for one in reread.postes):
            raise fail(str(place), "la révocation ne s'y lit pas", f"y écrire revoque_le: {today.isoformat()}")
    except PackmairieError:
        write_file(place, before)
        raise


def marked(text: str, name: str, today: date) -> str | None:
    """Return a commune's file with a workstation marked as revoked, in either style of YAML; None without its entry."""
    quoted = rf"[\"']?{re.escape(name)}[\"']?"
    block = re.compile(rf"^(?P<indent>[ ]*)-(?P<gap>[ ]+)nom:[ ]+{quoted}[ ]*(#.*)?$", re.MULTILINE)
    found = block.search(text)
    if found:
        indent = found["indent"] + " " + found["gap"]
        return f"{text[: found.end()]}\n{indent}revoque_le: {today.isoformat()}{text[found.end() :]}"
    flow = re.search(rf"\{{[ ]*nom:[ ]+{quoted}(?=[ ]*[,}}])", text)
    if flow:
        return f"{text[: flow.end()]}, revoque_le: {today.isoformat()}{text[flow.end() :]}"
    return None

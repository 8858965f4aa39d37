# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace DKIM keys without touching the communes' zones, and without a message that cannot be verified.

Each domain has two selectors; one signs, the other stands ready in the platform's zone. A rotation is
two calls: the first puts a new key behind the selector at rest, the second, once that key is published
everywhere and old copies have left the caches, makes it the one that signs. The key that stops signing
stays published for a week at least, for messages still on their way (RFC 6376 §3.1 note, RFC 5863 §2.3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from packmairie.briques.messagerie import ACTIVE_SELECTOR, SELECTORS, key_owner
from packmairie.engines.names import Names
from packmairie.inventory.generators import new_secret
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Secrets, Vault, vault_lock
from packmairie.model.pack import Pack
from packmairie.model.probe import DnsQuery, Found
from packmairie.model.problem import PackmairieError, Problem, fail
from packmairie.model.secret import Secret, SecretKind
from packmairie.operations.desired import select

RETIRED_SELECTOR = "messagerie.dkim.retire"
RETIRED_AT = "messagerie.dkim.retire_le"
RETIREMENT = timedelta(days=7)
"""A message waits in queues for five days at most (RFC 5321 §4.5.4.1); its signature is verified when it arrives."""
PREPARED_AT = "messagerie.dkim.prepare_le"


class Stage(StrEnum):
    """Where the rotation of one domain stands after a call."""

    PREPARED = "prepared"
    WAITING = "waiting"
    SWITCHED = "switched"


@dataclass(frozen=True)
class Rotation:
    """What one call did for one commune, and what comes next (French)."""

    commune: str
    stage: Stage
    selector: str
    message: str


def rotate_keys(folder: Path, wanted: Iterable[str] = (), now: datetime | None = None) -> list[Rotation]:
    """Given a pack's folder and communes (none means all), take each one step further in its rotation.

    Raise PackmairieError when a commune has no keys yet, or has its mail elsewhere.
    """
    pack = load_pack(folder)
    asked = tuple(wanted)
    codes = [code for code in select(pack, asked) if pack.commune(code).deploys("messagerie")]
    elsewhere = [code for code in asked if code not in codes]
    if elsewhere:
        raise PackmairieError(
            Problem(f"commune {code}", "a sa messagerie ailleurs (existant:)", "ne pas la nommer") for code in elsewhere
        )
    names = Names([str(address) for address in pack.file.resolveurs])
    vault = Vault(folder)
    moment = now or datetime.now(UTC)
    with vault_lock(folder):
        return [_advance(pack, vault, names, code, now=moment) for code in codes]


def _advance(pack: Pack, vault: Vault, names: Names, code: str, *, now: datetime) -> Rotation:
    values = vault.read(code)
    active = str(values.get(ACTIVE_SELECTOR, SELECTORS[0]))
    resting = next(selector for selector in SELECTORS if selector != active)
    if f"messagerie.dkim.{resting}" not in values:
        raise fail(f"secrets/{code}.yml", "la commune n'a pas encore de clés", f"packmairie deploy {code}")
    if values.get(RETIRED_SELECTOR) == resting:
        until = datetime.fromisoformat(str(values[RETIRED_AT])) + RETIREMENT
        if now < until:
            message = f"{resting} vérifie encore des messages en chemin : relancer après le {until:%d/%m/%Y}"
            return Rotation(code, Stage.WAITING, resting, message)
        values[f"messagerie.dkim.{resting}"] = new_secret(SecretKind.DKIM)
        values[PREPARED_AT] = Secret(now.isoformat())
        del values[RETIRED_SELECTOR], values[RETIRED_AT]
        vault.write(code, values)
        return Rotation(code, Stage.PREPARED, resting, f"nouvelle clé {resting} préparée : déployer, puis relancer")
    reason = _not_ready(pack, values, names, code=code, selector=resting, now=now)
    if reason:
        return Rotation(code, Stage.WAITING, resting, reason)
    values[ACTIVE_SELECTOR], values[RETIRED_SELECTOR] = Secret(resting), Secret(active)
    values[RETIRED_AT] = Secret(now.isoformat())
    vault.write(code, values)
    return Rotation(code, Stage.SWITCHED, resting, f"{resting} signera : déployer pour l'appliquer")


def _not_ready(pack: Pack, values: Secrets, names: Names, *, code: str, selector: str, now: datetime) -> str:
    """Return why the resting key may not sign yet; empty when every server gives it and caches have expired."""
    prepared = values.get(PREPARED_AT)
    if isinstance(prepared, str):
        until = datetime.fromisoformat(prepared) + timedelta(seconds=pack.file.dns.ttl)
        if now < until:
            return f"les caches peuvent garder l'ancienne clé jusqu'à {until:%d/%m %H:%M} UTC : relancer après"
    kept = values[f"messagerie.dkim.{selector}"]
    wished = kept["publique"] if isinstance(kept, dict) else ""
    owner = f"{key_owner(selector, code)}.{pack.file.plateforme.domaine}"
    servers = [str(address) for hosts in pack.file.plateforme.serveurs_dns.values() for address in hosts]
    for server in servers:
        answer = names.ask(DnsQuery(owner, "TXT", server))
        if not isinstance(answer, Found) or not any(f"p={wished}" in text for text in answer.value.values):
            return f"{server} ne publie pas encore la clé {selector} : déployer, puis relancer"
    return ""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish zones through octoDNS: plan and apply against the platform's primary server (RFC 2136, AXFR)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
from octodns.provider.plan import Plan as OctoPlan
from octodns.provider.plan import UnsafePlan
from octodns.record import Create, Delete, Rrset
from octodns.record import Record as OctoRecord
from octodns.zone import Zone as OctoZone
from octodns_bind import Rfc2136Provider

from packmairie.engines.dns_glance import served_as_wished
from packmairie.model.change import PLATEFORME, Action, Change
from packmairie.model.problem import PackmairieError, Problem, fail
from packmairie.model.record import Zone, txt_strings

BRIQUE = "dns"
# octoDNS warns on import-time defaults of its own; what matters to a technician comes back as errors.
logging.getLogger("Record").setLevel(logging.ERROR)
ANSWER_SECONDS = 5
SERVER_WORKERS = 6
"""Zones asked or updated at the same time."""
UPDATE_CHANGES = 60
"""Record sets in one message: two keys of 450 octets for each still fit in the 65 535 octets of a message."""
PAUSES = (0.5, 2.0)
LARGE_ZONE = 200
_Answer = TypeVar("_Answer")
OwnerOf = Callable[[Zone, str], str | None]


@dataclass(frozen=True)
class Primary:
    """The server that accepts updates, and the key that it asks for."""

    address: str
    key_name: str
    key_secret: str
    port: int = 53


@dataclass(frozen=True)
class ZonePlan:
    """What octoDNS would do to one zone, and how it is told."""

    zone: Zone
    changes: tuple[Change, ...]
    operation: OctoPlan | None


def octodns_zone(zone: Zone) -> OctoZone:
    """Given a wished zone, return it as octoDNS knows zones, its records validated by octoDNS itself.

    Raise PackmairieError with every reason when octoDNS refuses a record.
    """
    desired = OctoZone(f"{zone.name}.", [])
    sets = [
        Rrset(
            record.owner(zone.name),
            record.type,
            record.ttl,
            [txt_strings(value) if record.type == "TXT" else value for value in record.values],
        )
        for record in zone.records
    ]
    try:
        for record in OctoRecord.from_rrsets(desired, sets):
            desired.add_record(record)
    except Exception as error:
        raise fail(f"zone {zone.name}", f"refusée par octoDNS : {error}", "corriger les enregistrements") from error
    return desired


def patiently(ask: Callable[[], _Answer]) -> _Answer:
    """Ask a server again when it hung up: it does while it loads hundreds of zones. Raise what it raised at last."""
    for pause in PAUSES:
        try:
            return ask()
        except (ConnectionResetError, EOFError):
            time.sleep(pause)
    return ask()


def server_state(primary: Primary, zone_name: str) -> str:
    """Tell whether the primary serves a zone: ``ready``, ``no server``, ``no zone``.

    Raise PackmairieError when nobody answers: a silent server is not an empty one.
    """
    query = dns.message.make_query(dns.name.from_text(zone_name), "SOA")
    try:
        reply = patiently(lambda: dns.query.tcp(query, primary.address, port=primary.port, timeout=ANSWER_SECONDS))
    except ConnectionRefusedError:
        return "no server"
    except (OSError, EOFError, dns.exception.DNSException) as error:
        raise fail(
            f"{primary.address}:{primary.port}",
            f"le serveur DNS ne répond pas ({error.__class__.__name__})",
            "vérifier le réseau et le pare-feu ; rien n'a été changé",
        ) from error
    return "ready" if reply.rcode() == dns.rcode.NOERROR and reply.answer else "no zone"


def plan_zones(
    zones: Iterable[Zone],
    primary: Primary,
    owner_of: OwnerOf,
    communes: frozenset[str] = frozenset(),
    only: frozenset[str] = frozenset(),
) -> tuple[ZonePlan, ...]:
    """Given wished zones, return what octoDNS would change, nothing being written.

    ``communes`` restricts to the records of these (and the platform's own); empty means all. ``only`` restricts to
    zones by name. A zone that the primary does not serve yet is planned as entirely new.
    """
    wanted = [
        zone
        for zone in zones
        if zone.managed
        and (not only or zone.name in only)
        and not (communes and zone.commune and zone.commune not in communes)
    ]

    key = dns.tsig.Key(primary.key_name, primary.key_secret, "hmac-sha256")

    def one(zone: Zone) -> ZonePlan:
        # With a selection, what others have in the platform's zone is not wished here: octoDNS tells them apart.
        if not (communes and zone.commune is None) and served_as_wished(
            zone, primary.address, primary.port, key, ANSWER_SECONDS
        ):
            return ZonePlan(zone, (), None)
        operation = _plan(_provider(primary), primary, zone)
        if operation is not None and communes:
            kept = [change for change in operation.changes if _concerns(zone, change, owner_of, communes)]
            operation = OctoPlan(operation.existing, operation.desired, kept, operation.exists) if kept else None
        changes = tuple(_change(zone, change, owner_of) for change in operation.changes) if operation else ()
        return ZonePlan(zone, changes, operation)

    # The largest zone by itself: read among others, its transfer could wait until the server hangs up.
    large = [zone for zone in wanted if len(zone.records) > LARGE_ZONE]
    plans = {zone.name: one(zone) for zone in large}
    with ThreadPoolExecutor(max_workers=SERVER_WORKERS) as pool:
        others = [zone for zone in wanted if zone.name not in plans]
        plans |= dict(zip((zone.name for zone in others), pool.map(one, others), strict=True))
    return tuple(plans[zone.name] for zone in wanted)


def apply_zones(plans: Iterable[ZonePlan], primary: Primary, *, force: bool = False) -> dict[str, Problem]:
    """Apply plans; return the zones that the server refused, by name: none of them keeps another from being applied.

    Raise PackmairieError, before anything is written, when octoDNS judges a plan unsafe (more than 30 % of a zone
    of ten records or more replaced or removed, or its name servers changed) and ``force`` is not given.
    """
    pending = [plan for plan in plans if plan.operation is not None]
    if not force:
        refusals = [problem for problem in (_unsafe(plan) for plan in pending) if problem]
        if refusals:
            raise PackmairieError(refusals)

    def one(plan: ZonePlan) -> Problem | None:
        try:
            _provider(primary).apply(plan.operation)
        except Exception as error:  # noqa: BLE001 — whatever octoDNS raises is about this zone alone
            return Problem(
                f"zone {plan.zone.name}",
                f"la mise à jour a été refusée : {error}",
                "lire le journal de Knot (journalctl -u knot), puis relancer",
            )
        return None

    with ThreadPoolExecutor(max_workers=SERVER_WORKERS) as pool:
        results = list(pool.map(one, pending))
    return {plan.zone.name: problem for plan, problem in zip(pending, results, strict=True) if problem is not None}


def _provider(primary: Primary) -> Rfc2136Provider:
    return Rfc2136Provider(
        "plateforme",
        host=primary.address,
        port=primary.port,
        timeout=ANSWER_SECONDS * 3,
        key_name=primary.key_name,
        key_secret=primary.key_secret,
        key_algorithm="hmac-sha256",
        update_batch_size=UPDATE_CHANGES,
    )


def _plan(provider: Rfc2136Provider, primary: Primary, zone: Zone) -> OctoPlan | None:
    desired = octodns_zone(zone)
    if server_state(primary, zone.name) == "ready":
        try:
            return patiently(lambda: provider.plan(desired))
        except (OSError, EOFError, dns.exception.DNSException) as error:
            raise fail(
                f"zone {zone.name}", str(error), "vérifier la clé de mise à jour (secrets/plateforme.yml)"
            ) from error
        except Exception as error:
            if error.__class__.__module__.startswith("octodns_bind"):
                raise fail(
                    f"zone {zone.name}", str(error), "vérifier la clé de mise à jour (secrets/plateforme.yml)"
                ) from error
            raise
    return OctoPlan(
        OctoZone(desired.name, []), desired, [Create(record) for record in sorted(desired.records)], exists=False
    )


def _concerns(zone: Zone, change: object, owner_of: OwnerOf, communes: frozenset[str]) -> bool:
    """With a selection, keep the records of its communes, and of nobody; never delete for a commune left out."""
    owner = owner_of(zone, change.record.name)  # type: ignore[attr-defined]
    if owner is None:
        return zone.commune is not None or not isinstance(change, Delete)
    return owner in communes


def _unsafe(plan: ZonePlan) -> Problem | None:
    try:
        if plan.operation is not None:
            plan.operation.raise_if_unsafe()
    except UnsafePlan as error:
        return Problem(
            f"zone {plan.zone.name}",
            f"changement jugé dangereux par octoDNS : {error}",
            "relire « packmairie plan », puis relancer avec --force-dns",
        )
    return None


def _change(zone: Zone, change: object, owner_of: OwnerOf) -> Change:
    record = change.record  # type: ignore[attr-defined]
    action = (
        Action.CREATE if isinstance(change, Create) else Action.DELETE if isinstance(change, Delete) else Action.UPDATE
    )
    owner = owner_of(zone, record.name) or PLATEFORME
    before, after = change.existing, change.new  # type: ignore[attr-defined]
    detail = "\n".join([*_lines("-", before), *_lines("+", after)])
    return Change(owner, BRIQUE, zone.name, action, f"{record.name or '@'} {record._type}", detail)


def _lines(sign: str, record: OctoRecord | None) -> list[str]:
    if record is None:
        return []
    rrset = record.to_rrset()
    return [f"{sign}{rrset.name} {rrset.ttl} {rrset._type} {value}" for value in rrset.rdatas]

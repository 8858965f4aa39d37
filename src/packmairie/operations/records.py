# SPDX-License-Identifier: GPL-3.0-or-later
"""The DNS half of plan and deploy: wished zones against the platform's primary server."""

from __future__ import annotations

from pathlib import Path

from packmairie.briques.dns import TSIG_KEY_NAME, TSIG_SECRET
from packmairie.engines.dns import Primary, ZonePlan, apply_zones, plan_zones
from packmairie.model.change import PLATEFORME, Change
from packmairie.model.pack import Pack
from packmairie.model.problem import PackmairieError, PartialError
from packmairie.operations.desired import SecretSource, owner_of, remembered_pack, remembered_secrets, zones


def primary_server(pack: Pack, source: SecretSource) -> Primary:
    """Return the server that receives updates: the one named in ``dns.serveur``, or the first name server."""
    servers = pack.file.plateforme.serveurs_dns
    address = pack.file.dns.serveur or servers[sorted(servers)[0]][0]
    return Primary(str(address), TSIG_KEY_NAME, source(PLATEFORME)[TSIG_SECRET])


def plan_records(pack: Pack, source: SecretSource, communes: frozenset[str] = frozenset()) -> tuple[ZonePlan, ...]:
    """Return what would change in the zones of a pack (of these communes and the platform; none means all)."""
    return plan_zones(zones(pack, source, communes), primary_server(pack, source), owner_of, communes)


def publish_records(
    folder: Path, *, communes: frozenset[str] = frozenset(), dry_run: bool = False, force: bool = False
) -> tuple[Change, ...]:
    """Given a pack's folder, make the zones equal to the wish (or only say how); return the changes.

    Raise PackmairieError when the server does not answer, or when octoDNS judges the change unsafe; PartialError when
    the zones of some communes are refused and all others are published.
    """
    pack = remembered_pack(folder)
    source = remembered_secrets(folder, communes, dry_run)
    plans = plan_records(pack, source, communes)
    if not dry_run:
        refused = apply_zones(plans, primary_server(pack, source), force=force)
        owners = {plan.zone.name: plan.zone.commune for plan in plans}
        if any(owners[name] is None for name in refused):
            raise PackmairieError(refused.values())
        if refused:
            done = [change for plan in plans if plan.zone.name not in refused for change in plan.changes]
            raise PartialError({str(owners[name]): [problem] for name, problem in refused.items()}, done)
    return tuple(change for plan in plans for change in plan.changes)

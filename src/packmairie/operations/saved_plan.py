# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan kept in a file, with what was desired and observed then, so that it is applied as it is or not at all."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packmairie.inventory.atomic import write_file
from packmairie.model.change import Action, Change, Plan
from packmairie.model.pack import Pack
from packmairie.model.problem import PackmairieError, Problem, fail
from packmairie.operations.digests import changes_digest, desired_digests, moved
from packmairie.operations.journal import who

FORMAT = "packmairie-plan/1"
SHOWN = 20
"""Differences named one by one; past that, they are counted."""
UNIT = re.compile(r"[a-zA-Z0-9@._-]+\.(service|timer|path|socket)")
"""A systemd unit, as ``packmairie_services`` names it: no file, record or bucket is called so."""
PART_TITLES = {"pack": "pack.yml ou les secrets de la plateforme", "code": "le code de packmairie"}


@dataclass(frozen=True)
class SavedPlan:
    """A plan as its file holds it. ``digest`` identifies the file's content."""

    pack: str
    made: str
    who: str
    whole: bool
    communes: tuple[str, ...]
    desired: Mapping[str, str]
    observed: str
    changes: tuple[Change, ...]
    unforeseen: tuple[str, ...]
    digest: str


def save_plan(plan: Plan, pack: Pack, path: Path) -> SavedPlan:
    """Given a plan just made and its pack, write it to a file, mode 0600; return it. Raise PackmairieError."""
    data: dict[str, Any] = {
        "format": FORMAT,
        "pack": str(Path(pack.folder).resolve()),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": who(),
        "whole": len(plan.communes) == len(pack.communes),
        **plan.as_dict(),
        "desired": concerned(desired_digests(pack), plan.communes),
        "observed": changes_digest(plan.changes),
    }
    data["digest"] = _digest(data)
    try:
        write_file(path, json.dumps(data, ensure_ascii=False, indent=1) + "\n", mode=0o600)
    except OSError as error:
        raise fail(str(path), f"écriture impossible ({error.strerror})", "choisir un autre fichier") from None
    return read_plan(path)


def read_plan(path: Path) -> SavedPlan:
    """Return the plan that a file holds. Raise PackmairieError when it is not one, or was changed since."""
    remedy = "la refaire avec « packmairie plan --out »"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        digest = data.pop("digest")
        if data["format"] != FORMAT or digest != _digest(data):
            raise ValueError
        return SavedPlan(
            str(data["pack"]),
            str(data["made"]),
            str(data["who"]),
            bool(data["whole"]),
            tuple(data["communes"]),
            dict(data["desired"]),
            str(data["observed"]),
            tuple(Change(**{**change, "action": Action(change["action"])}) for change in data["changes"]),
            tuple(data["unforeseen"]),
            str(digest),
        )
    except OSError as error:
        raise fail(str(path), f"plan illisible ({error.strerror})", remedy) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise fail(str(path), "n'est pas un plan de packmairie, ou a été modifié à la main", remedy) from None


def refuse_moved_desire(saved: SavedPlan, pack: Pack) -> None:
    """Raise PackmairieError, naming what moved, when the pack or the code is not what the plan was made from."""
    if saved.pack != str(Path(pack.folder).resolve()):
        raise fail("--plan", f"ce plan est celui de {saved.pack}", "donner --pack, ou refaire le plan")
    parts = moved(saved.desired, concerned(desired_digests(pack), saved.communes))
    if parts:
        raise PackmairieError(
            Problem(
                PART_TITLES.get(part, f"commune {part}"),
                f"a changé depuis le plan du {saved.made}",
                "relire, puis refaire le plan avec « packmairie plan --out »",
            )
            for part in parts[:SHOWN]
        )


def refuse_moved_world(saved: SavedPlan, now: Plan) -> None:
    """Raise PackmairieError, showing the difference, when what is observed is not what the plan was made from."""
    if changes_digest(now.changes) == saved.observed:
        return
    before, after = set(saved.changes), set(now.changes)
    lines = [("n'est plus à faire", change) for change in saved.changes if change not in after]
    lines += [("n'était pas au plan", change) for change in now.changes if change not in before]
    problems = [
        Problem(
            f"{change.place} {change.what}",
            f"{change.action.sign} ({change.commune}) {word}",
            "le monde a changé depuis le plan : le refaire avec « packmairie plan --out »",
        )
        for word, change in sorted(lines, key=lambda line: line[1].sort_key)
    ]
    left = len(problems) - SHOWN
    if left > 0:
        problems = [*problems[:SHOWN], Problem("plan", f"et {left} autres différences", "refaire le plan")]
    raise PackmairieError(problems)


def unplanned(saved: SavedPlan, done: Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes of files, records and buckets that were made and that no plan foresaw.

    That a service reads again the files that were planned follows from them, and is foreseen by nobody.
    """
    known = {(change.commune, change.place, change.what) for change in saved.changes}
    return tuple(
        change
        for change in done
        if change.detail
        and not UNIT.fullmatch(change.what)
        and (change.commune, change.place, change.what) not in known
    )


def concerned(digests: Mapping[str, str], communes: Iterable[str]) -> dict[str, str]:
    """Return the digests that a plan about these communes depends on."""
    kept = {"pack", "code", *communes}
    return {name: digest for name, digest in digests.items() if name in kept}


def _digest(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, ensure_ascii=False, sort_keys=True).encode()).hexdigest()

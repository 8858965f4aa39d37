# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment refuses to do unless it is told to in so many words."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from packmairie.model.change import PLATEFORME, Action, Change
from packmairie.model.problem import PackmairieError, Problem

FEW = 10
"""A pack of no more communes than this is changed whole every day."""
ALLOW_MANY = "--allow-many"
ALLOW_REMOVAL = "--allow-removal"


def may_be_too_many(chosen: int, total: int, percent: int) -> bool:
    """Tell whether changing every commune of a selection would be more than a pack allows unasked."""
    return total > FEW and chosen * 100 > total * percent


def refuse_too_many(changes: Iterable[Change], known: Collection[str], percent: int) -> None:
    """Raise PackmairieError when changes concern more of a pack's communes than it allows unasked."""
    touched = {change.commune for change in changes} & set(known)
    if may_be_too_many(len(touched), len(known), percent):
        share = len(touched) * 100 // len(known)
        raise PackmairieError(
            [
                Problem(
                    "déploiement",
                    f"changerait {len(touched)} communes sur {len(known)} ({share} %, plus de {percent} %)",
                    f"relire « packmairie plan », puis relancer avec {ALLOW_MANY}",
                )
            ]
        )


def refuse_removal(changes: Iterable[Change], known: Collection[str]) -> None:
    """Raise PackmairieError when changes would take away a commune that is no longer in the pack."""
    gone = sorted(
        {
            change.commune
            for change in changes
            if change.commune not in known and change.commune != PLATEFORME and change.action is Action.DELETE
        }
    )
    if gone:
        raise PackmairieError([Problem("déploiement", removal_refused(gone), "rien n'a été changé")])


def removal_refused(gone: Iterable[str]) -> str:
    """Return what is said of communes that stand on the platform and are no longer in the pack."""
    codes = ", ".join(gone)
    return (
        f"retirerait {codes}, qui n'est plus dans le pack : remettre son fichier, l'exporter puis la retirer"
        f" (packmairie export, packmairie remove), ou confirmer par {ALLOW_REMOVAL}"
    )

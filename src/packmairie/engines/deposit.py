# SPDX-License-Identifier: GPL-3.0-or-later
"""What every way of depositing answers, and how a deposit is done once, whatever interrupts it.

A deposit has two parts: what can be done again without harm (``stage``), and the act after which the platform has it
(``commit``). The journal says which began. When an act began and nobody knows how it ended, the platform is asked; if
it cannot tell, nothing is sent again: a person decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from packmairie.engines.spool import Spool
from packmairie.model.problem import PackmairieError, fail

STAGING, STAGED, COMMITTING, DEPOSITED, NOT_SENT = "transfert", "transmis", "remise", "depose", "non-remis"


@dataclass(frozen=True)
class Package:
    """What is deposited: the transfer's identifier, its file, and the SHA-512 of the file."""

    transfer: str
    file: Path
    digest: str


@dataclass(frozen=True)
class There:
    """The platform has it; ``receipt`` is what it gave."""

    receipt: dict[str, Any]


@dataclass(frozen=True)
class NotThere:
    """The platform certainly does not have it."""


@dataclass(frozen=True)
class Unknown:
    """Nobody can tell whether the platform has it."""

    reason: str


class NotSentError(Exception):
    """The act certainly did not happen: the connection never opened, or the platform refused."""


class Deposit(Protocol):
    """A way of depositing."""

    def stage(self, package: Package) -> None:
        """Do what can be done again without harm. Raise NotSentError or OSError."""

    def commit(self, package: Package) -> dict[str, Any]:
        """Hand the package over and return the receipt. Raise NotSentError when it was certainly not taken."""

    def find(self, package: Package) -> There | NotThere | Unknown:
        """Tell whether the platform has the package."""


def deposit_once(spool: Spool, package: Package, way: Deposit, *, resend: bool = False) -> tuple[dict[str, Any], bool]:
    """Given a held spool, deposit a package that may have been deposited already; return (receipt, done now).

    ``resend`` is a person's word that the platform does not have it. Raise PackmairieError when the platform refuses,
    cannot be reached, or when nobody knows whether it has it.
    """
    done = spool.step(package.transfer, DEPOSITED)
    if done is not None:
        return done.data, False
    if _uncertain(spool, package.transfer):
        match way.find(package):
            case There(receipt):
                spool.record(package.transfer, DEPOSITED, **receipt, retrouve=True)
                return receipt, True
            case Unknown(reason) if not resend:
                raise fail(
                    package.transfer,
                    f"remise interrompue, et la plateforme ne dit pas si elle l'a reçue ({reason})",
                    "demander à la plateforme ; si elle n'a rien, relancer avec --resend",
                )
            case _:
                pass
    try:
        if not _staged(spool, package.transfer):
            spool.record(package.transfer, STAGING)
            way.stage(package)
            spool.record(package.transfer, STAGED)
        spool.record(package.transfer, COMMITTING)
        receipt = way.commit(package)
    except NotSentError as error:
        spool.record(package.transfer, NOT_SENT, raison=str(error)[:500])
        raise fail(package.transfer, f"non déposé : {error}", "corriger, puis relancer : rien n'a été pris") from None
    except PackmairieError:
        raise
    except OSError as error:
        raise fail(
            package.transfer, f"dépôt interrompu ({error})", "relancer la même commande : elle reprend où elle en était"
        ) from None
    spool.record(package.transfer, DEPOSITED, **receipt)
    return receipt, True


def _last(spool: Spool, transfer: str) -> str:
    steps = (STAGING, STAGED, COMMITTING, NOT_SENT)
    found = [entry.step for entry in spool.entries(transfer) if entry.step in steps]
    return found[-1] if found else ""


def _uncertain(spool: Spool, transfer: str) -> bool:
    return _last(spool, transfer) == COMMITTING


def _staged(spool: Spool, transfer: str) -> bool:
    return _last(spool, transfer) in (STAGED, COMMITTING)

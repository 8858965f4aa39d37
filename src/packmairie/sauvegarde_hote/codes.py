# SPDX-License-Identifier: GPL-3.0-or-later
"""What restic's exit codes mean (restic manual, « Scripting », exit codes): an unknown one is a failure."""

from __future__ import annotations

from dataclasses import dataclass

NO_REPOSITORY = 10
LOCKED = 11
IN_USE = "le dépôt est verrouillé par un autre travail"


@dataclass(frozen=True)
class Outcome:
    """The state that a run of restic leaves: ``reussie``, ``partielle`` or ``echec``, and its cause in French."""

    state: str
    cause: str = ""


MEANINGS: dict[int, Outcome] = {
    0: Outcome("reussie"),
    1: Outcome("echec", "restic a échoué"),
    2: Outcome("echec", "erreur interne de restic"),
    3: Outcome("partielle", "des fichiers n'ont pas pu être lus"),
    10: Outcome("echec", "le dépôt n'existe pas ou plus"),
    11: Outcome("echec", IN_USE),
    12: Outcome("echec", "mot de passe du dépôt refusé"),
    130: Outcome("echec", "restic a été interrompu"),
}

# What restic writes when its code alone says only « failed »; the first that is found tells the cause.
CAUSES = (
    ("wrong password or no key found", "mot de passe du dépôt refusé"),
    # Before restic 0.17 a lock has no exit code of its own.
    ("repository is already locked", IN_USE),
    ("RequestTimeTooSkewed", "horloge décalée : le stockage refuse la signature"),
    ("request time and the server", "horloge décalée : le stockage refuse la signature"),
    ("InvalidAccessKeyId", "clé S3 refusée par le stockage"),
    ("Access Key Id you provided does not exist", "clé S3 refusée par le stockage"),
    ("SignatureDoesNotMatch", "clé S3 refusée par le stockage"),
    ("Access Denied", "le stockage refuse l'accès"),
    ("no space left on device", "plus de place"),
    ("No writable volumes", "plus de place sur le stockage"),
    ("InsufficientStorage", "plus de place sur le stockage"),
    ("internal error, please try again", "le stockage ne peut pas écrire (plein ?)"),
    ("x509:", "certificat du stockage refusé"),
    ("connection refused", "le stockage ne répond pas"),
    ("no such host", "le nom du stockage n'est pas résolu"),
    ("i/o timeout", "le stockage ne répond pas"),
    ("ciphertext verification failed", "données abîmées dans le dépôt"),
    ("does not match id", "données abîmées dans le dépôt"),
    ("invalid data returned", "données abîmées dans le dépôt"),
    ("does not exist", "données absentes du dépôt"),
    ("not found in index", "données absentes du dépôt"),
)


def outcome_of(code: int, said: str = "") -> Outcome:
    """Given restic's exit code (negative: killed by that signal) and its standard error, return the outcome."""
    cause = next((french for english, french in CAUSES if english.lower() in said.lower()), "")
    if code < 0:
        return Outcome("echec", _because(f"restic a été tué (signal {-code})", cause))
    known = MEANINGS.get(code)
    if known is None:
        return Outcome("echec", cause or f"code de sortie inconnu de restic ({code})")
    if known.state != "echec" or code in (10, 11, 12):
        return known
    if code == 130:
        return Outcome("echec", _because(known.cause, cause))
    if cause:
        return Outcome("echec", cause)
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "")
    return Outcome("echec", _because(known.cause, last.strip()[:200]))


def _because(what: str, why: str) -> str:
    return f"{what} : {why}" if why else what

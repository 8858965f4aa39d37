# SPDX-License-Identifier: GPL-3.0-or-later
"""RPNT: the sixteen criteria and the levels that the State's publisher (ANCT) computes from them.

Source: *Référentiel de la présence numérique des territoires* v0.2.1 (ANCT, July 2026), groups as computed by
the publisher's own program. Two things differ here, on purpose. The publisher counts what it has not tested as
conforming; here a level that depends on something unknown is *non vérifié*. And the publisher's page calls 1.6
« essentiel » and 2.5 « recommandé » while its program asks 2.5 and not 1.6 for level ``a``: the program is
followed, because it is what a commune is shown, and the reports say so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from packmairie.model.commune import Commune, ServicePublic
from packmairie.model.preuve import Preuve, State, worst
from packmairie.model.rpnt import SOVEREIGN_EXTENSIONS, extension, site_domain

VERSION = "0.2.1"


@dataclass(frozen=True)
class Criterion:
    """One of the sixteen: its code, a short title, what the page calls it, whether it is tested or declared."""

    code: str
    title: str
    essential: bool
    tested: bool


CRITERIA: Mapping[str, Criterion] = {
    criterion.code: criterion
    for criterion in (
        Criterion("1.1", "Site déclaré sur Service-Public", essential=True, tested=False),
        Criterion("1.2", "Extension du site française ou européenne", essential=True, tested=False),
        Criterion("1.3", "Site joignable", essential=True, tested=True),
        Criterion("1.4", "Connexion au site chiffrée (HTTPS)", essential=True, tested=True),
        Criterion("1.5", "Certificat du site valide", essential=True, tested=True),
        Criterion("1.6", "Pas de renvoi vers un site non officiel", essential=True, tested=True),
        Criterion("1.7", "Renvois usuels (http, www) fonctionnels", essential=False, tested=True),
        Criterion("1.8", "Site déclaré en https:// sur Service-Public", essential=False, tested=False),
        Criterion("2.1", "Courriel déclaré sur Service-Public", essential=True, tested=False),
        Criterion("2.2", "Courriel hors messagerie grand public", essential=True, tested=False),
        Criterion("2.3", "Même domaine pour le courriel et le site", essential=True, tested=False),
        Criterion("2.4", "Serveur de réception publié (MX)", essential=True, tested=True),
        Criterion("2.5", "Expéditeurs autorisés publiés (SPF)", essential=False, tested=True),
        Criterion("2.6", "Règle contre l'usurpation publiée (DMARC)", essential=False, tested=True),
        Criterion("2.7", "DMARC écarte les messages usurpés", essential=False, tested=True),
        Criterion("2.8", "Serveur de réception dans l'Union européenne", essential=True, tested=True),
    )
}

_SITE_BASE = ("1.1", "1.2", "1.3", "1.4", "1.5")
_MAIL_BASE = ("2.1", "2.2", "2.3", "2.4", "2.5", "2.8")

LEVELS: Mapping[str, tuple[str, ...]] = {
    "1.a": (*_SITE_BASE, "1.6"),
    "1.aa": tuple(code for code in CRITERIA if code.startswith("1.")),
    "2.a": _MAIL_BASE,
    "2.aa": tuple(code for code in CRITERIA if code.startswith("2.")),
    "a": (*_SITE_BASE, *_MAIL_BASE),
    "aa": tuple(CRITERIA),
}
"""What each level asks, as the publisher's program groups it."""

LEVEL_TITLES: Mapping[str, str] = {
    "1.a": "Site internet, niveau essentiel",
    "1.aa": "Site internet, niveau complet",
    "2.a": "Messagerie, niveau essentiel",
    "2.aa": "Messagerie, niveau complet",
    "a": "Ensemble, niveau essentiel",
    "aa": "Ensemble, niveau complet",
}

_WAIVABLE = ("2.a", "2.aa")


class Reached(StrEnum):
    """What can be said of a level."""

    YES = "atteint"
    NO = "non_atteint"
    UNKNOWN = "non_verifie"

    @property
    def label(self) -> str:
        """The words shown to a reader."""
        return {"atteint": "atteint", "non_atteint": "non atteint", "non_verifie": "non vérifié"}[self.value]


def criteria_states(preuves: Iterable[Preuve]) -> dict[str, State]:
    """Given the preuves of one commune, return the state of each criterion that was evaluated, in order of code.

    A criterion proven by several checks is as good as the worst of them. Unknown codes are left out.
    """
    gathered: dict[str, list[State]] = defaultdict(list)
    for preuve in preuves:
        if preuve.rpnt is not None and preuve.rpnt in CRITERIA:
            gathered[preuve.rpnt].append(preuve.state)
    return {code: worst(gathered[code]) for code in CRITERIA if code in gathered}


def mail_domain_waiver(states: Mapping[str, State], declared: ServicePublic | None) -> bool | None:
    """Tell whether criterion 2.3 (one domain for mail and site) is waived from levels 2.a and 2.aa.

    It is when the site is missing, malformed or of a wrong extension, and the mail's extension is accepted.
    Given the states of the criteria and what Service-Public declares (None when unknown), return True, False,
    or None when it cannot be told.
    """
    mail_accepted = _mail_accepted(declared)
    site_unusable = _site_unusable(states, declared)
    if mail_accepted is False or site_unusable is False:
        return False
    return True if mail_accepted and site_unusable else None


def levels(states: Mapping[str, State], waiver: bool | None = False) -> dict[str, Reached]:
    """Given the states of the criteria and the waiver of 2.3, return what can be said of each of the six levels.

    One criterion known to fail is enough for *non atteint*; else one that is unknown makes it *non vérifié*.
    When the waiver is itself unknown, a failed 2.3 proves nothing against a level from which it may be waived.
    """
    return {level: _reached(level, needed, states, waiver) for level, needed in LEVELS.items()}


def commune_levels(commune: Commune | None, preuves: Iterable[Preuve]) -> dict[str, Reached]:
    """Given a commune (None when only its code is known) and its preuves, return its six levels."""
    states = criteria_states(preuves)
    return levels(states, mail_domain_waiver(states, commune.service_public if commune else None))


def _reached(level: str, needed: tuple[str, ...], states: Mapping[str, State], waiver: bool | None) -> Reached:
    found = {code: states.get(code, State.NON_VERIFIE) for code in needed}
    if level in _WAIVABLE and waiver is True:
        del found["2.3"]
    if level in _WAIVABLE and waiver is None and found["2.3"] is State.NON_CONFORME:
        found["2.3"] = State.NON_VERIFIE
    return {
        State.CONFORME: Reached.YES,
        State.NON_CONFORME: Reached.NO,
        State.NON_VERIFIE: Reached.UNKNOWN,
    }[worst(found.values())]


def _mail_accepted(declared: ServicePublic | None) -> bool | None:
    if declared is None:
        return None
    return bool(declared.courriel) and extension(declared.courriel or "") in SOVEREIGN_EXTENSIONS


def _site_unusable(states: Mapping[str, State], declared: ServicePublic | None) -> bool | None:
    evaluated = [states.get("1.1"), states.get("1.2")]
    if State.NON_CONFORME in evaluated:
        return True
    if evaluated == [State.CONFORME, State.CONFORME]:
        return False
    if declared is None:
        return None
    host = site_domain(declared.site or "")
    return host is None or extension(host) not in SOVEREIGN_EXTENSIONS

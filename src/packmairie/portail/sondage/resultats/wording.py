# SPDX-License-Identifier: GPL-3.0-or-later
"""What the figures allow to say, in French, and no more."""

from __future__ import annotations

from packmairie.portail.sondage.resultats.compute import Cross, Evolution, Pair, Results, Step
from packmairie.portail.sondage.statistique.comparisons import SIGNIFICANT, Difference
from packmairie.portail.sondage.statistique.estimates import Share

NBSP = "\u00a0"
NOT_SIGNIFICANT = "différence non significative"


def percent(value: float) -> str:
    """Given 0.153, return « 15 % »; nothing is finer than the survey knows."""
    return f"{_whole(value)}{NBSP}%"


def interval(share: Share) -> str:
    """Return the interval of a share: « 11 à 20 % »."""
    return f"{_whole(share.low)}{NBSP}à{NBSP}{percent(share.high)}"


def figure(share: Share) -> str:
    """Return a share and its interval: « 15 % (11 à 20 %) »."""
    return f"{percent(share.value)} ({interval(share)})"


def points(value: float) -> str:
    """Given 0.021, return « 2 points »."""
    whole = abs(_whole(value))
    return f"{whole}{NBSP}point{'s' if whole > 1 else ''}"


def probability(value: float) -> str:
    """Return a p-value: « p = 0,03 » or « p < 0,001 »."""
    return f"p{NBSP}<{NBSP}0,001" if value < 0.001 else f"p{NBSP}={NBSP}{value:.2g}".replace(".", ",")


def verdict(difference: Difference) -> str:
    """Tell whether a difference is more than chance."""
    return "différence significative" if difference.significant() else NOT_SIGNIFICANT


def headline(results: Results) -> str:
    """Return the one sentence that an élu takes away."""
    if not results.etapes:
        return "Trop peu de collectivités ont jugé les étapes pour que leurs réponses soient montrées."
    weakest = sorted(results.etapes, key=lambda step: -step.insatisfaits.value)[:2]
    lowest = min(step.favorables.value for step in results.etapes)
    text = (
        f"À chaque étape, la part estimée de collectivités satisfaites ou très satisfaites atteint {percent(lowest)} "
        "au moins. "
    )
    named = f"«{NBSP}{weakest[0].court}{NBSP}» ({_apart(weakest[0])})"
    if len(weakest) == 1:
        return text + f"La seule étape jugée est {named}."
    second = f"«{NBSP}{weakest[1].court}{NBSP}» ({_apart(weakest[1])})"
    pair = find_pair(results, weakest[0].code, weakest[1].code)
    if pair is None:
        return text + f"Les étapes les moins bien jugées sont {named} et {second}."
    if pair.difference.significant():
        return text + f"L'étape la moins bien jugée est {named}, devant {second} : {verdict(pair.difference)}."
    return (
        text + f"Les étapes les moins bien jugées sont {named} et {second} ; entre elles, {NOT_SIGNIFICANT} : "
        "l'enquête ne permet pas de dire laquelle est la plus faible."
    )


def _apart(step: Step) -> str:
    bad = step.insatisfaits
    return f"{percent(bad.value)} d'insatisfaits, entre {_whole(bad.low)} et {percent(bad.high)}"


def find_pair(results: Results, one: str, other: str) -> Pair | None:
    """Return the comparison of two steps, in whichever order it was made."""
    return next((pair for pair in results.paires if {pair.first, pair.second} == {one, other}), None)


def pair_sentence(results: Results, pair: Pair) -> str:
    """Tell which of two steps is judged worse, and whether it is more than chance."""
    names = {step.code: step.court for step in results.etapes}
    d = pair.difference
    worse, better = (pair.first, pair.second) if d.value >= 0 else (pair.second, pair.first)
    return (
        f"«{NBSP}{names[worse]}{NBSP}» et «{NBSP}{names[better]}{NBSP}» : "
        f"{points(d.value)} d'insatisfaits d'écart, {verdict(d)} ({probability(d.p_value)})"
    )


def evolution_sentence(evolution: Evolution) -> str:
    """Tell how a step moved since the survey before."""
    if evolution.difference is None or len(evolution.annees) < 2:
        return "première mesure"
    (before, old), (_now, new) = evolution.annees[-2:]
    way = "hausse" if evolution.difference.value > 0 else "baisse"
    moved = f"{percent(old.value)} en {before}, {percent(new.value)} maintenant"
    if evolution.difference.significant():
        return f"{moved} : {way} significative de l'insatisfaction"
    return f"{moved} : {NOT_SIGNIFICANT}"


def cross_sentence(cross: Cross, step: Step) -> str:
    """Tell whether the judgement of a step depends on the group."""
    test = cross.tests.get(step.code)
    if test is None:
        return "comparaison impossible"
    return "différences significatives" if test.p_value < SIGNIFICANT else "différences non significatives"


def precision(results: Results) -> str:
    """Tell how the figures were obtained and what they are worth."""
    effect = f"{results.weights.kish:.2f}".replace(".", ",")
    return (
        f"{results.reponses} réponses sur {results.invitees} collectivités invitées ({percent(results.taux)}), "
        f"tirées au sort parmi {results.population}. Réponses pondérées par {results.methode} ; "
        f"effet des poids (Kish) {effect}, soit {round(results.weights.effective)} réponses de même poids. "
        "Chaque pourcentage est donné avec l'intervalle qui a 95 chances sur 100 de contenir la vraie valeur, "
        "si ceux qui n'ont pas répondu ressemblent à ceux de leur groupe qui ont répondu."
    )


def _whole(value: float) -> int:
    """Round halves away from zero, as people do."""
    return int(abs(value) * 100 + 0.5 + 1e-9) * (1 if value >= 0 else -1)

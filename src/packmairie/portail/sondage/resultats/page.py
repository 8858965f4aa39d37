# SPDX-License-Identifier: GPL-3.0-or-later
"""What the result page and its PDF show: charts, tables and sentences, ready to be laid out."""

from __future__ import annotations

from typing import Any

from packmairie.portail.sondage.graphique.charts import diverging_bars, priorities_map, trend
from packmairie.portail.sondage.resultats import wording
from packmairie.portail.sondage.resultats.compute import Cross, Results

HIDDEN = "masqué"


def page(results: Results) -> dict[str, Any]:
    """Return the content of the page, by name; SVG and text only, escaping of text is the template's."""
    names = {step.code: step.court for step in results.etapes}
    significant = [pair for pair in results.paires if pair.difference.significant()]
    return {
        "resultats": results,
        "phrase": wording.headline(results),
        "precision": wording.precision(results),
        "taux": wording.percent(results.taux),
        "barres": diverging_bars(results.etapes, results.echelle),
        "degres": [label for _code, label, _sense in results.echelle],
        "etapes": [
            {
                "libelle": step.libelle,
                "parts": [wording.percent(step.degres[code].value) for code, _label, _sense in results.echelle],
                "insatisfaits": wording.figure(step.insatisfaits),
                "base": step.base,
                "hors_base": step.hors_base,
            }
            for step in results.etapes
        ],
        "comparaisons": [wording.pair_sentence(results, pair) for pair in significant],
        "indistinctes": len(results.paires) - len(significant),
        "paires": [
            {
                "premiere": names[pair.first],
                "seconde": names[pair.second],
                "ecart": f"{wording.points(pair.difference.value)}",
                "p": wording.probability(pair.difference.p_value),
                "verdict": wording.verdict(pair.difference),
            }
            for pair in results.paires
        ],
        "carte": priorities_map(results.priorites) if results.priorites else "",
        "priorites": [
            {
                "numero": number,
                "libelle": point.court,
                "importance": wording.figure(point.importance),
                "insatisfaits": wording.figure(point.insatisfaits),
            }
            for number, point in enumerate(results.priorites, start=1)
        ],
        "croisements": [_cross(cross, results) for cross in results.croisements],
        "choix": [
            {
                "libelle": choice.libelle,
                "base": choice.base,
                "parts": [(label, wording.figure(share)) for label, share in choice.parts.values()],
            }
            for choice in results.choix
        ],
        "evolution": trend(results.evolutions) if results.evolutions else "",
        "evolutions": [
            {
                "libelle": evolution.court,
                "annees": [(year, wording.figure(share)) for year, share in evolution.annees],
                "phrase": wording.evolution_sentence(evolution),
            }
            for evolution in results.evolutions
        ],
    }


def _cross(cross: Cross, results: Results) -> dict[str, Any]:
    return {
        "titre": cross.titre,
        "colonnes": [f"{row} ({cross.bases[row]}\u00a0réponses)" for row in cross.rows],
        "lignes": [
            {
                "etape": step.court,
                "cases": [
                    HIDDEN if share is None else wording.figure(share)
                    for share in (cross.cells[row, step.code] for row in cross.rows)
                ],
                "phrase": wording.cross_sentence(cross, step),
            }
            for step in results.etapes
        ],
    }

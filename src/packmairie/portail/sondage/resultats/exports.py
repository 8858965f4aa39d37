# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as files for others: CSV, ODS, codebook. Free texts are never in them, hidden cells neither."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from odfdo import Document, Table

from packmairie.portail.sondage.base import write_table
from packmairie.portail.sondage.questionnaire.model import Questionnaire
from packmairie.portail.sondage.resultats.compute import Answer, Results
from packmairie.portail.sondage.resultats.wording import precision, verdict
from packmairie.portail.sondage.statistique.estimates import Share
from packmairie.portail.sondage.statistique.frame import TITLES, VARIABLES

Row = tuple[Any, ...]
SHARE_HEADER = ("part", "borne basse", "borne haute", "base")
HIDDEN = "masqué"


def _share(share: Share | None) -> Row:
    return (HIDDEN, "", "", "") if share is None else (share.value, share.low, share.high, share.base)


def share_rows(results: Results) -> list[Row]:
    """Return every share as (table, subject, value, group, share, low, high, base); shares are between 0 and 1."""
    rows: list[Row] = []
    wordings = {code: wording for code, wording, _sense in results.echelle}
    for step in results.etapes:
        rows += [
            ("satisfaction", step.libelle, wordings[code], "ensemble", *_share(share))
            for code, share in step.degres.items()
        ]
        rows.append(("satisfaction", step.libelle, "insatisfaits (total)", "ensemble", *_share(step.insatisfaits)))
        rows.append(("satisfaction", step.libelle, "satisfaits (total)", "ensemble", *_share(step.favorables)))
    for point in results.priorites:
        rows.append(("importance", point.court, "très importante", "ensemble", *_share(point.importance)))
    for choice in results.choix:
        rows += [("choix", choice.libelle, wording, "ensemble", *_share(s)) for wording, s in choice.parts.values()]
    names = {step.code: step.libelle for step in results.etapes}
    for cross in results.croisements:
        rows += [
            ("croisement", names[step], "insatisfaits (total)", f"{cross.titre} : {row}", *_share(share))
            for (row, step), share in cross.cells.items()
        ]
    for evolution in results.evolutions:
        rows += [
            ("évolution", evolution.court, "insatisfaits (total)", str(year), *_share(share))
            for year, share in evolution.annees
        ]
    return rows


HEADER = ("tableau", "objet", "modalité", "groupe", *SHARE_HEADER)


def comparison_rows(results: Results) -> list[Row]:
    """Return every comparison of two steps: first, second, difference, bounds, p-value (Holm), verdict."""
    names = {step.code: step.libelle for step in results.etapes}
    return [
        (names[p.first], names[p.second], p.difference.value, p.difference.low, p.difference.high,
         p.difference.p_value, verdict(p.difference))
        for p in results.paires
    ]  # fmt: skip


COMPARISON_HEADER = ("étape", "étape comparée", "écart", "borne basse", "borne haute", "p (Holm)", "lecture")


def codebook(questionnaire: Questionnaire) -> list[Row]:
    """Return the codebook of the answers: variable, question, kind, code, wording, place on the scale."""
    rows: list[Row] = [
        (name, TITLES[name], "strate", "*", "non précisé : groupe de strates trop petites", "") for name in VARIABLES
    ]
    rows.append(("poids", "Nombre de collectivités que la réponse représente", "nombre", "", "", ""))
    for question in questionnaire.questions():
        if question.genre == "texte":
            continue
        for name, wording in question.variables():
            rows += [(name, wording, question.genre, m.code, m.libelle, m.sens) for m in question.modalites]
    return rows


CODEBOOK_HEADER = ("variable", "intitulé", "genre", "code", "libellé", "sens")


def answer_rows(questionnaire: Questionnaire, results: Results, answers: Iterable[Answer]) -> tuple[Row, list[Row]]:
    """Return the header and a line per answer, without free texts, sorted by what they hold.

    ``answers`` are those of an anonymous survey after its count: their strata are the labels of ``results.groups``.
    """
    names = [
        name for question in questionnaire.questions() if question.genre != "texte" for name, _w in question.variables()
    ]
    weights = {group.label: weight for group, weight in zip(results.groups, results.weights.values, strict=True)}

    def told(value: str | list[str] | None) -> str:
        return value or "" if not isinstance(value, list) else "|".join(value)

    rows = sorted(
        (*answer.stratum, weights[answer.stratum], *(told(answer.values.get(name)) for name in names))
        for answer in answers
    )
    return (*VARIABLES, "poids", *names), rows


def results_csv(results: Results) -> str:
    """Return all shares as CSV."""
    return write_table(HEADER, share_rows(results))


def codebook_csv(questionnaire: Questionnaire) -> str:
    """Return the codebook as CSV."""
    return write_table(CODEBOOK_HEADER, codebook(questionnaire))


def results_ods(results: Results, questionnaire: Questionnaire) -> bytes:
    """Return shares, comparisons, method and codebook as an OpenDocument spreadsheet (ISO/IEC 26300)."""
    document = Document("spreadsheet")
    document.body.clear()
    for name, header, rows in (
        ("Résultats", HEADER, share_rows(results)),
        ("Comparaisons", COMPARISON_HEADER, comparison_rows(results)),
        ("Méthode", ("Comment lire", ""), [(precision(results), "")]),
        ("Dictionnaire", CODEBOOK_HEADER, codebook(questionnaire)),
    ):
        document.body.append(_sheet(name, header, rows))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _sheet(name: str, header: Sequence[str], rows: Iterable[Row]) -> Table:
    table = Table(name)
    table.set_values([list(header), *([None if cell == "" else cell for cell in row] for row in rows)])
    return table

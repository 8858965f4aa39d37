# SPDX-License-Identifier: GPL-3.0-or-later
"""The result page, its PDF and its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from packmairie.formats.pdf import to_pdf
from packmairie.model.problem import ExitCode, PackmairieError
from packmairie.portail.sondage.base import write_table
from packmairie.portail.sondage.collecte import questionnaire_of
from packmairie.portail.sondage.depouillement import results_of
from packmairie.portail.sondage.models import Campagne, ReponseConfidentielle
from packmairie.portail.sondage.resultats import exports
from packmairie.portail.sondage.resultats.compute import Answer, Results
from packmairie.portail.sondage.resultats.page import page
from packmairie.portail.sondage.vues.gestion import manager

PAPER = Path(__file__).parents[1] / "static" / "sondage" / "papier.css"
Maker = Callable[[Campagne, Results], tuple[str, str | bytes]]


@require_GET
def show(request: HttpRequest, number: int) -> HttpResponse:
    """Show the results."""
    campagne, outcome = _results(request, number)
    if isinstance(outcome, HttpResponse):
        return outcome
    content = page(outcome) | {"campagne": campagne, "gestion": request.user.has_perm("sondage.gerer")}
    return render(request, "sondage/resultats.html", content)


def _pdf(campagne: Campagne, results: Results) -> tuple[str, bytes]:
    html = render_to_string("sondage/papier.html", page(results) | {"campagne": campagne})
    return "application/pdf", to_pdf(html, style=PAPER.read_text(encoding="utf-8"))


def _csv(campagne: Campagne, results: Results) -> tuple[str, str]:
    return "text/csv", exports.results_csv(results)


def _ods(campagne: Campagne, results: Results) -> tuple[str, bytes]:
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    return kind, exports.results_ods(results, questionnaire_of(campagne))


def _codebook(campagne: Campagne, results: Results) -> tuple[str, str]:
    return "text/csv", exports.codebook_csv(questionnaire_of(campagne))


FILES: dict[str, Maker] = {
    "resultats.pdf": _pdf,
    "resultats.csv": _csv,
    "resultats.ods": _ods,
    "dictionnaire.csv": _codebook,
}


@require_GET
def file(request: HttpRequest, number: int, name: str) -> HttpResponse:
    """Send one of ``FILES``."""
    if name not in FILES:
        raise Http404
    campagne, outcome = _results(request, number)
    if isinstance(outcome, HttpResponse):
        return outcome
    try:
        kind, content = FILES[name](campagne, outcome)
    except PackmairieError as error:
        return _refusal(request, error)
    return _download(kind, content, f"sondage-{campagne.annee}-{name}")


@manager
@require_GET
def answers(request: HttpRequest, number: int) -> HttpResponse:
    """Send the answers of a counted anonymous survey, without free texts, for further work."""
    campagne = get_object_or_404(Campagne, pk=number, mode=Campagne.Mode.ANONYME)
    _campagne, outcome = _results(request, number)
    if isinstance(outcome, HttpResponse):
        return outcome
    listed = [Answer(tuple(s), v) for s, v in campagne.reponses_anonymes.values_list("strate", "valeurs")]
    header, rows = exports.answer_rows(questionnaire_of(campagne), outcome, listed)
    return _download("text/csv", write_table(list(header), rows), f"sondage-{campagne.annee}-reponses.csv")


@manager
@require_GET
def texts(request: HttpRequest, number: int) -> HttpResponse:
    """Show the free texts to those who run the survey: they are in no file."""
    campagne = get_object_or_404(Campagne, pk=number, etat=Campagne.Etat.DEPOUILLEE)
    questions = {q.code: q.libelle for q in questionnaire_of(campagne).questions() if q.genre == "texte"}
    if campagne.mode == Campagne.Mode.ANONYME:
        found = list(campagne.verbatims.order_by("pk").values_list("question", "texte"))
    else:
        rows = ReponseConfidentielle.objects.filter(invitation__campagne=campagne).values_list("valeurs", flat=True)
        found = sorted((name, str(text)) for values in rows for name, text in values.items() if name in questions)
    listed = [(label, [text for name, text in found if name == code]) for code, label in questions.items()]
    return render(request, "sondage/verbatims.html", {"campagne": campagne, "textes": listed})


def _results(request: HttpRequest, number: int) -> tuple[Campagne, Results | HttpResponse]:
    """Return a campaign that this visitor may see, with its results or the answer that says why there are none."""
    campagne = get_object_or_404(Campagne, pk=number)
    if not (campagne.publiee and campagne.etat == Campagne.Etat.DEPOUILLEE):
        if not request.user.is_authenticated:
            return campagne, redirect("sondage-connexion")
        if not request.user.has_perm("sondage.gerer"):
            raise Http404
    try:
        return campagne, results_of(campagne)
    except PackmairieError as error:
        return campagne, _refusal(request, error)


def _refusal(request: HttpRequest, error: PackmairieError) -> HttpResponse:
    status = 503 if error.exit_code == ExitCode.UNAVAILABLE else 409
    advice = " ; ".join(f"{problem.reason} : {problem.remedy}" for problem in error.problems)
    return render(request, "sondage/message.html", {"titre": "Pas de résultats", "conseil": advice}, status=status)


def _download(kind: str, content: str | bytes, name: str) -> HttpResponse:
    charset = "; charset=utf-8" if isinstance(content, str) else ""
    return HttpResponse(
        content, content_type=kind + charset, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )

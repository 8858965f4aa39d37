# SPDX-License-Identifier: GPL-3.0-or-later
"""What those who run the surveys see: campaigns, sendings, replacements, paper and phone, the count."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.views import LoginView
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from packmairie.model.problem import PackmairieError
from packmairie.portail.projet.cadence import Cadence
from packmairie.portail.sondage import collecte, courrier, depouillement
from packmairie.portail.sondage.models import Campagne, Invitation
from packmairie.portail.sondage.vues.formulaires import Cle, NouvelleCampagne, Remplacement

_LOGINS = Cadence(10, 900)
_FIRST = {"mode": "anonyme", "repartition": "proportionnelle"}


class Connexion(LoginView):
    """The login of those who run surveys."""

    template_name = "sondage/connexion.html"
    next_page = "sondage-gestion"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Let ten tries pass in a quarter of an hour from one place, and for one name."""
        keys = (str(request.META.get("packmairie.seau", "")), f"nom:{request.POST.get('username', '')[:150]}")
        if sum(_LOGINS.allows(key) for key in keys) < len(keys):
            return _message(request, "Trop d'essais", "Réessayez dans un quart d'heure.", 429)
        return super().post(request, *args, **kwargs)


def manager(view: Any) -> Any:
    """Let in only those who may run surveys; ask others to log in, or refuse them."""
    allowed = permission_required("sondage.gerer", raise_exception=True)(view)
    return login_required(allowed, login_url="sondage-connexion")


@manager
@require_GET
def campaigns(request: HttpRequest) -> HttpResponse:
    """List the campaigns."""
    listed = Campagne.objects.annotate(
        invitees=Count("invitations", filter=Q(invitations__invitee=True)),
        reponses=Count("invitations", filter=Q(invitations__utilise=True)),
    )
    return render(request, "sondage/gestion.html", {"campagnes": listed})


@manager
@require_http_methods(["GET", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Make a campaign; show the key of its ballot box, once."""
    form = NouvelleCampagne(request.POST or None, initial=_FIRST | {"annee": timezone.localdate().year})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        campagne = Campagne(
            titre=given["titre"], annee=given["annee"], mode=given["mode"], cloture=given["cloture"],
            questionnaire=given["questionnaire"].model_dump(mode="json"), calage=given["calage"],
            repartition=form.repartition_dite(),
        )  # fmt: skip
        key = collecte.create_campaign(campagne, form.tirage)
        if key is None:
            return redirect("sondage-campagne", campagne.pk)
        return render(request, "sondage/cle.html", {"campagne": campagne, "cle": key})
    return render(request, "sondage/nouvelle.html", {"form": form}, status=400 if form.errors else 200)


@manager
@require_GET
def campaign(request: HttpRequest, number: int) -> HttpResponse:
    """Show where a campaign stands: by stratum, and who has not answered."""
    campagne = get_object_or_404(Campagne, pk=number)
    invited = list(campagne.invitations.filter(invitee=True))
    by_stratum: dict[str, list[int]] = {}
    for one in invited:
        counts = by_stratum.setdefault(" · ".join(one.strate), [0, 0])
        counts[0] += 1
        counts[1] += one.utilise
    waiting = [one for one in invited if not one.utilise and one.issue == Invitation.Issue.ATTENTE]
    issues = {
        label: sum(one.issue == code and not one.utilise for one in invited) for code, label in Invitation.Issue.choices
    }
    context = {
        "campagne": campagne,
        "invitees": len(invited),
        "reponses": sum(one.utilise for one in invited),
        "jamais": sum(not one.envois and bool(one.courriel) for one in waiting),
        "relances": sum(bool(one.envois and one.courriel) for one in waiting),
        "sans_adresse": sum(not one.courriel for one in waiting),
        "strates": [(name, *counts) for name, counts in sorted(by_stratum.items())],
        "attente": waiting,
        "issues": issues,
        "motifs": Remplacement().fields["issue"].choices,  # type: ignore[attr-defined]
        "peut_ouvrir_resultats": campagne.etat == Campagne.Etat.DEPOUILLEE
        or campagne.mode == Campagne.Mode.CONFIDENTIEL,
    }
    return render(request, "sondage/campagne.html", context)


@manager
@require_POST
def act(request: HttpRequest, number: int) -> HttpResponse:
    """Do one thing to a campaign: open, send, remind, close, reopen, end, rake, publish."""
    campagne = get_object_or_404(Campagne, pk=number)
    action = request.POST.get("action", "")
    stages = Campagne.Etat
    moves = {
        "ouvrir": (stages.PREPARATION, stages.OUVERTE),
        "clore": (stages.OUVERTE, stages.CLOSE),
        "rouvrir": (stages.CLOSE, stages.OUVERTE),
    }
    if action in moves and campagne.etat == moves[action][0]:
        Campagne.objects.filter(pk=campagne.pk, etat=moves[action][0]).update(etat=moves[action][1])
    elif action in ("envoyer", "relancer") and campagne.etat == stages.OUVERTE:
        sent = courrier.send(campagne, f"{request.scheme}://{request.get_host()}", reminder=action == "relancer")
        text = f"{sent.envoyes} envoyés, {sent.refuses} refusés par le relais, {sent.sans_adresse} sans adresse."
        return _message(request, "Courriels", text, 200, campagne)
    elif action == "publier" and campagne.etat == stages.DEPOUILLEE:
        Campagne.objects.filter(pk=campagne.pk).update(publiee=not campagne.publiee)
    elif action == "caler" and not campagne.publiee:
        try:
            depouillement.set_raking(campagne, not campagne.calage)
        except PackmairieError as error:
            told = "; ".join(f"{p.reason} : {p.remedy}" for p in error.problems)
            return _message(request, "Calage impossible", told, 409, campagne)
    elif action == "finir" and campagne.etat == stages.CLOSE and campagne.mode == Campagne.Mode.CONFIDENTIEL:
        depouillement.close_confidential(campagne)
    else:
        return _message(request, "Action impossible", "La campagne n'en est pas à ce stade.", 409, campagne)
    return redirect("sondage-campagne", campagne.pk)


@manager
@require_POST
def replace(request: HttpRequest, number: int, invitation: int) -> HttpResponse:
    """Close an invitation that failed and invite the next of its stratum."""
    found = get_object_or_404(Invitation, pk=invitation, campagne=number, invitee=True, utilise=False)
    form = Remplacement(request.POST)
    if found.campagne.etat not in (Campagne.Etat.PREPARATION, Campagne.Etat.OUVERTE):
        return _message(request, "Action impossible", "La campagne n'en est pas à ce stade.", 409, found.campagne)
    if not form.is_valid() or found.issue != Invitation.Issue.ATTENTE:
        return _message(request, "Action impossible", "Choisissez un motif dans la liste.", 400, found.campagne)
    following = collecte.call_replacement(found, Invitation.Issue(form.cleaned_data["issue"]))
    text = f"{found.nom} est remplacée par {following.nom}." if following else "Plus de remplaçante dans cette strate."
    return _message(request, "Remplacement", text, 200, found.campagne)


@manager
@require_GET
def letters(request: HttpRequest, number: int) -> HttpResponse:
    """Show the letters with their codes, and on demand a questionnaire to fill by hand, to be printed.

    Those of the collectivités without a mail address, or of all that have not answered.
    """
    campagne = get_object_or_404(Campagne, pk=number, etat=Campagne.Etat.OUVERTE)
    everybody = "tous" in request.GET
    listed = [
        (one, collecte.shown_token(collecte.token(one)))
        for one in courrier.waiting(campagne)
        if everybody or not one.courriel
    ]
    context = {
        "campagne": campagne, "lettres": listed, "questionnaire": collecte.questionnaire_of(campagne),
        "adresse": f"{request.scheme}://{request.get_host()}/sondage/",
        "anonyme": campagne.mode == Campagne.Mode.ANONYME, "papier": "papier" in request.GET,
    }  # fmt: skip
    return render(request, "sondage/lettres.html", context)


@manager
@require_GET
def enter_for(request: HttpRequest, number: int, invitation: int) -> HttpResponse:
    """Go to the questionnaire of a collectivité that answers on paper or by phone, to fill it in its place."""
    found = get_object_or_404(Invitation, pk=invitation, campagne=number, invitee=True, utilise=False)
    return redirect("sondage-debut", collecte.token(found))


@manager
@require_http_methods(["GET", "POST"])
def open_box(request: HttpRequest, number: int) -> HttpResponse:
    """Ask for the key, and count."""
    campagne = get_object_or_404(Campagne, pk=number, mode=Campagne.Mode.ANONYME)
    form = Cle(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            depouillement.count(campagne, form.cleaned_data["cle"])
        except PackmairieError as error:
            form.add_error("cle", "; ".join(f"{p.reason} : {p.remedy}" for p in error.problems))
        else:
            return redirect("sondage-resultats", campagne.pk)
    return render(
        request, "sondage/depouiller.html", {"campagne": campagne, "form": form}, status=400 if form.errors else 200
    )


def _message(
    request: HttpRequest, title: str, advice: str, status: int, campagne: Campagne | None = None
) -> HttpResponse:  # fmt: skip
    content = {"titre": title, "conseil": advice, "campagne": campagne}
    return render(request, "sondage/message.html", content, status=status)

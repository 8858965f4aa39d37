# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of a cell: queue, report, oral entry, members, bilan, log."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Callable
from io import StringIO
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from packmairie.portail.signalement import coffre, comptes, journal, notifications
from packmairie.portail.signalement.cellule import bilan as yearly
from packmairie.portail.signalement.cellule import dossiers
from packmairie.portail.signalement.cellule import formulaires as own
from packmairie.portail.signalement.cellule.acces import member_only, open_report
from packmairie.portail.signalement.cellule.dossiers import Refused
from packmairie.portail.signalement.cellule.transmission import make_export, new_passphrase
from packmairie.portail.signalement.coffre import Coffre
from packmairie.portail.signalement.competence import commune, competent_cell, entitled, vouched
from packmairie.portail.signalement.depot.enregistrement import Depot, deposit
from packmairie.portail.signalement.depot.formulaires import facts_for_reading
from packmairie.portail.signalement.fichiers import download
from packmairie.portail.signalement.models import Enveloppe, Journal, Membre, PartCle, Signalement
from packmairie.portail.signalement.regles import etats
from packmairie.portail.signalement.regles import vocabulaire as words
from packmairie.portail.signalement.scellement import code as codes
from packmairie.portail.signalement.scellement import signature
from packmairie.portail.signalement.scellement.enveloppe import Unreadable
from packmairie.portail.signalement.sessions import Acces

HERE = "signalement/cellule/"


def _page(request: HttpRequest, access: Acces, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, f"{HERE}{name}.html", {"membre": access.membre, **context}, status=status)


@member_only
@require_safe
def queue(request: HttpRequest, access: Acces) -> HttpResponse:
    """Show the reports of the cell: those that open, and how many do not."""
    member = access.membre
    sent = notifications.flush(member, access.private)
    shown, closed_to_me = [], 0
    closed = request.GET.get("clos") == "1"
    reports = list(Signalement.objects.filter(cellule=member.cellule, clos__isnull=not closed).order_by("recu", "id"))
    parts = PartCle.objects.filter(signalement__in=reports, enveloppe=Enveloppe.FAITS, membre__isnull=False)
    charged: dict[uuid.UUID, list[str]] = {}
    for name, who in parts.order_by("membre__nom").values_list("signalement_id", "membre__nom"):
        charged.setdefault(name, []).append(str(who))
    opened = coffre.summaries(reports, member, access.private)
    for report in reports:
        if report.pk not in opened:
            closed_to_me += 1
            continue
        facts, qualified = opened[report.pk]
        row = commune(facts.get("insee", ""))
        categories = words.CATEGORIES[report.dispositif]
        said = [qualified["categorie"]] if qualified else facts.get("categories", [])
        clocks = [c for c in report.echeances() if c.atteinte is None]
        shown.append(
            {
                "signalement": report, "commune": row.nom if row else "?",
                "categories": ", ".join(words.label(categories, c) for c in said),
                "prochaine": min(clocks, key=lambda c: c.limite, default=None),
                "charges": ", ".join(charged.get(report.pk, [])),
            }
        )  # fmt: skip
    waiting = member.cellule.membres.filter(actif=True, confirmation__isnull=True).count()
    context = {
        "dossiers": shown, "fermes": closed_to_me, "avis": notifications.waiting(member.cellule_id), "envoyes": sent,
        "a_confirmer": waiting, "confirme": vouched(member.cellule, member), "clos": closed,
        "lecteurs": len(entitled(member.cellule)),
    }  # fmt: skip
    return _page(request, access, "file", context)


def _report_page(request: HttpRequest, access: Acces, vault: Coffre, status: int = 200, **given: Any) -> HttpResponse:
    report = vault.report
    facts = vault.last("faits") or {}
    qualified = vault.last("qualification", Enveloppe.INTERNE)
    kinds = {"message_auteur": "Auteur", "message_cellule": "Cellule", "etat": "Cellule", "orientation": "Cellule",
             "accord": "Auteur", "validation": "Auteur", "transmission": "Cellule"}  # fmt: skip
    thread = [
        {"qui": kinds[item.genre], "genre": item.genre, **item.contenu,
         "accord": ", ".join(words.label(words.CONSENTEMENTS, c) for c in item.contenu.get("employeur_sait", []))}
        for item in vault.all(*kinds, boxes=(Enveloppe.FAITS,))
    ]  # fmt: skip
    charged = [p.membre for p in report.parts.filter(enveloppe=Enveloppe.FAITS).select_related("membre") if p.membre]
    allowed = dossiers.consent(vault)
    context: dict[str, Any] = {
        "signalement": report, "commune": commune(facts.get("insee", "")),
        "faits": facts_for_reading({**facts, "employeur_sait": allowed}, report.dispositif), "recu": facts.get("recu"),
        "fil": thread, "pieces": vault.all("piece", boxes=(Enveloppe.FAITS,)),
        "notes": vault.all("note", "motif", boxes=(Enveloppe.INTERNE,)),
        "mesures": [
            {**m.contenu, "nom": words.label(words.MESURES, m.contenu["mesure"]),
             "etat": words.label(words.MESURE_ETATS, m.contenu["etat_mesure"])}
            for m in vault.all("mesure", boxes=(Enveloppe.INTERNE,))
        ],
        "qualification": words.label(words.CATEGORIES[report.dispositif], qualified["categorie"]) if qualified else "",
        "echeances": report.echeances(), "charges": charged, "accord": allowed,
        "a_identite": report.scelles.filter(genre="identite").exists(), "ouvre_identite": vault.opens("identite"),
        "conflit": facts.get("mis_en_cause") in words.CONFLICTS, "demandes_entretien": report.entretien_demande,
        "f_message": own.ReplyForm(), "f_etat": own.StateForm(current=report.etat), "f_note": own.NoteForm(),
        "f_qualification": own.QualificationForm(dispositif=report.dispositif),
        "f_mesure": own.MeasureForm(initial={"jour": timezone.localdate()}),
        "f_orientation": own.OrientationForm(), "f_identite": own.IdentityMotiveForm(),
        "f_affecter": own.AssignForm(members=entitled(report.cellule), initial={"membres": charged}),
        "f_transmettre": own.TransmissionForm(
            allowed=allowed, initial={"elements": [i for i in allowed if i != "identite"], "phrase": new_passphrase()}
        ),
        **given,
    }  # fmt: skip
    for name, form in context.items():
        if name.startswith("f_"):
            # Several forms on one page have a field of the same name: their identifiers must differ.
            form.auto_id = f"{name[2:]}_%s"
    return _page(request, access, "dossier", context, status)


@member_only
@require_safe
def report(request: HttpRequest, access: Acces, name: uuid.UUID) -> HttpResponse:
    """Show a report to a member in charge."""
    _report, vault = open_report(access, name)
    return _report_page(request, access, vault)


Act = Callable[[Coffre, Acces, dict[str, Any]], None]


def _reply(vault: Coffre, access: Acces, asked: dict[str, Any]) -> None:
    dossiers.reply(vault, access.membre, asked["texte"], timezone.localdate())


def _state(vault: Coffre, access: Acces, asked: dict[str, Any]) -> None:
    dossiers.change_state(
        vault, access.membre, asked["etat"], asked["explication"], asked["issue"], timezone.localdate()
    )


def _note(vault: Coffre, access: Acces, asked: dict[str, Any]) -> None:
    dossiers.note(vault, access.membre, "note", asked, Enveloppe.INTERNE, timezone.localdate())


def _qualify(vault: Coffre, access: Acces, asked: dict[str, Any]) -> None:
    dossiers.note(vault, access.membre, "qualification", asked, Enveloppe.INTERNE, timezone.localdate())


def _measure(vault: Coffre, access: Acces, asked: dict[str, Any]) -> None:
    full = {**asked, "jour": asked["jour"].isoformat()}
    dossiers.note(vault, access.membre, "mesure", full, Enveloppe.INTERNE, timezone.localdate())


def _orient(vault: Coffre, access: Acces, asked: dict[str, Any]) -> None:
    text = f"{words.label(words.ORIENTATIONS, asked['vers'])}. {asked['precision']}".strip()
    dossiers.note(vault, access.membre, "orientation", {**asked, "texte": text}, Enveloppe.FAITS, timezone.localdate())


def _assign(vault: Coffre, access: Acces, asked: dict[str, Any]) -> None:
    dossiers.assign(vault, access.membre, asked["membres"])


def _interview(vault: Coffre, access: Acces, asked: dict[str, Any]) -> None:
    Signalement.objects.filter(pk=vault.report.pk, entretien_demande__isnull=True).update(
        entretien_demande=timezone.localdate()
    )
    journal.write(vault.report.cellule, access.membre, "entretien demandé", vault.report)


ACTIONS: dict[str, tuple[Act, Callable[[HttpRequest, Coffre], forms.Form]]] = {
    "message": (_reply, lambda r, v: own.ReplyForm(r.POST)),
    "etat": (_state, lambda r, v: own.StateForm(r.POST, current=v.report.etat)),
    "note": (_note, lambda r, v: own.NoteForm(r.POST)),
    "qualification": (_qualify, lambda r, v: own.QualificationForm(r.POST, dispositif=v.report.dispositif)),
    "mesure": (_measure, lambda r, v: own.MeasureForm(r.POST)),
    "orientation": (_orient, lambda r, v: own.OrientationForm(r.POST)),
    "affecter": (_assign, lambda r, v: own.AssignForm(r.POST, members=entitled(v.report.cellule))),
    "entretien": (_interview, lambda r, v: forms.Form(r.POST)),
}


@member_only
@require_POST
def act(request: HttpRequest, access: Acces, name: uuid.UUID, action: str) -> HttpResponse:
    """Do one thing to a report."""
    _report, vault = open_report(access, name)
    if action not in ACTIONS:
        raise Http404
    perform, make_form = ACTIONS[action]
    form = make_form(request, vault)
    if not form.is_valid():
        return _report_page(request, access, vault, 422, **{f"f_{action}": form, "ouvert": action})
    try:
        perform(vault, access, form.cleaned_data)
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _report_page(request, access, vault, 409, **{f"f_{action}": form, "ouvert": action})
    notifications.flush(access.membre, access.private)
    left = not vault.report.parts.filter(membre=access.membre).exists()
    return HttpResponseRedirect(reverse("file") if left else reverse("dossier", args=[name]))


@member_only
@require_POST
def identity(request: HttpRequest, access: Acces, name: uuid.UUID) -> HttpResponse:
    """Open the envelope of identity: a motive, a line in the log, and the key."""
    _report, vault = open_report(access, name)
    form = own.IdentityMotiveForm(request.POST)
    if not form.is_valid():
        return _report_page(request, access, vault, 422, f_identite=form, ouvert="identite")
    try:
        found = dossiers.open_identity(vault, access.membre, form.cleaned_data["motif"], timezone.localdate())
    except Refused as refusal:
        form.add_error(None, str(refusal))
        return _report_page(request, access, vault, 403, f_identite=form, ouvert="identite")
    return _report_page(request, access, vault, identite=found or {"nom": "Anonyme", "contact": ""})


@member_only
@require_POST
def transmit(request: HttpRequest, access: Acces, name: uuid.UUID) -> HttpResponse:
    """Make the sealed and signed export, note it in the report, and send it to the member's browser."""
    report, vault = open_report(access, name)
    form = own.TransmissionForm(request.POST, allowed=dossiers.consent(vault))
    if not form.is_valid():
        return _report_page(request, access, vault, 422, f_transmettre=form, ouvert="transmettre")
    asked = form.cleaned_data
    now = timezone.localtime()
    try:
        seed = comptes.signing_seed(access.membre, access.private)
        made = make_export(
            vault, asked["elements"], asked["destinataire"], asked["avis_cellule"], now,
            seed=seed, age_key=asked["cle_age"], passphrase=asked["phrase"],
        )  # fmt: skip
    except (Refused, Unreadable) as refusal:
        form.add_error(None, str(refusal) or "Votre compte n'est pas encore confirmé, ou une pièce est altérée.")
        return _report_page(request, access, vault, 409, f_transmettre=form, ouvert="transmettre")
    items = ", ".join(words.label(words.CONSENTEMENTS, item) for item in made.elements)
    content = {"texte": f"Transmis à {asked['destinataire']} : {items}.", "empreinte": made.empreinte}
    dossiers.note(vault, access.membre, "transmission", content, Enveloppe.FAITS, now.date())
    if etats.may_follow(report.etat, "transmis"):
        dossiers.change_state(vault, access.membre, "transmis", "", "", now.date())
    response = HttpResponse(made.contenu, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="signalement-{report.repere}.zip.age"'
    return response


@member_only
@require_safe
def file(request: HttpRequest, access: Acces, name: uuid.UUID, number: int) -> HttpResponseBase:
    """Send a document of a report to a member in charge, and log it."""
    report, vault = open_report(access, name)
    found = next((p for p in vault.all("piece", boxes=(Enveloppe.FAITS,)) if p.numero == number), None)
    if found is None:
        raise Http404
    journal.write(report.cellule, access.membre, "document lu", report, str(number))
    return download(found)


@member_only
@require_http_methods(["GET", "POST"])
def oral(request: HttpRequest, access: Acces) -> HttpResponse:
    """Enter a report received by word of mouth or on paper; its author will validate it with his code."""
    member = access.membre
    if request.method != "POST":
        form = own.OralForm(initial={"anonyme": "oui"})
        return _page(request, access, "saisie", {"form": form, "groupes": _groups(form)})
    form = own.OralForm(request.POST, request.FILES, dispositif=str(request.POST.get("dispositif", "")))
    if form.is_valid():
        asked = form.cleaned_data
        found = competent_cell(
            asked["insee"], asked["dispositif"], asked["mis_en_cause"], timezone.localdate(),
            accept_conflict=asked["malgre_conflit"],
        )  # fmt: skip
        if found.cellule == member.cellule or (asked["malgre_conflit"] and found.verdict == "deport"):
            made = deposit(
                Depot(
                    member.cellule, asked["dispositif"], form.facts(), form.identity(), asked["avis"], asked["pieces"],
                    origine=asked["origine"], saisi_par=member,
                ),
                timezone.localtime(),
            )  # fmt: skip
            context = {
                "repere": codes.groups(made.repere),
                "code": codes.groups(made.code),
                "recu": timezone.localtime(),
            }
            return _page(request, access, "saisie_faite", context)
        names = {"deport": "C'est la cellule de déport qui doit le recevoir, ou l'auteur accepte la vôtre : cochez-le.",
                 "non_adherent": "Cette commune n'a pas confié ce dispositif à une cellule."}  # fmt: skip
        form.add_error("insee", names.get(found.verdict, "Une autre cellule est compétente, ou aucune."))
    return _page(request, access, "saisie", {"form": form, "groupes": _groups(form)}, 422)


def _groups(form: own.OralForm) -> list[tuple[str, list[forms.BoundField]]]:
    return [(title, [form[name] for name in names]) for title, names in form.groups]


@member_only
@require_http_methods(["GET", "POST"])
def team(request: HttpRequest, access: Acces) -> HttpResponse:
    """Show the members; a custodian invites, confirms and dismisses."""
    member = access.membre
    context: dict[str, Any] = {"form": own.MemberForm()}
    status = 200
    if request.method == "POST":
        if not (member.garant and vouched(member.cellule, member)):
            return _page(request, access, "equipe", {**_team(member), **context}, 403)
        what, target = request.POST.get("quoi"), request.POST.get("membre", "")
        chosen = member.cellule.membres.filter(pk=int(target)).first() if target.isdecimal() else None
        if what == "inviter":
            form = own.MemberForm(request.POST)
            if form.is_valid():
                made = form.save(commit=False)
                made.cellule = member.cellule
                made.save()
                context["invitation"], context["invite"] = codes.groups(comptes.invite(made)), made
            else:
                context["form"], status = form, 422
        elif what == "reinviter" and chosen is not None and not chosen.actif:
            context["invitation"], context["invite"] = codes.groups(comptes.invite(chosen)), chosen
        elif what == "confirmer" and chosen is not None and chosen.actif:
            comptes.confirm(member, access.private, chosen)
        elif what == "partir" and chosen is not None and chosen.pk != member.pk:
            comptes.dismiss(member, chosen)
        else:
            status = 400
    return _page(request, access, "equipe", {**_team(member), **context}, status)


def _team(member: Membre) -> dict[str, Any]:
    cell = member.cellule
    return {
        "equipe": [
            {"ligne": m, "confirme": vouched(cell, m), "empreinte": signature.fingerprint(bytes(m.cle_publique or b""))}
            for m in cell.membres.order_by("nom")
        ],
        "empreinte": signature.fingerprint(bytes(cell.cle_verification or b"")),
        "communes": [(commune(a.insee), a) for a in cell.adhesions.order_by("insee", "debut")],
        "peut": member.garant and vouched(cell, member),
    }  # fmt: skip


@member_only
@require_safe
def bilan(request: HttpRequest, access: Acces) -> HttpResponse:
    """Show the bilan of a year, or give it as CSV."""
    asked = request.GET.get("annee", "")
    year = int(asked) if asked.isdecimal() and len(asked) == 4 else timezone.localdate().year
    found = yearly.yearly(access.membre.cellule, year)
    if request.GET.get("format") == "csv":
        text = StringIO()
        writer = csv.writer(text, delimiter=";")
        writer.writerow(["tableau", "ligne", "dossiers"])
        writer.writerow(["total", str(year), found.total])
        for table in found.tableaux:
            writer.writerows([table.titre, name, count] for name, count in table.lignes)
        response = HttpResponse("\ufeff" + text.getvalue(), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="bilan-{year}.csv"'
        return response
    number, digest = journal.head(access.membre.cellule)
    return _page(request, access, "bilan", {"bilan": found, "numero": number, "empreinte": digest})


@member_only
@require_safe
def log(request: HttpRequest, access: Acces) -> HttpResponse:
    """Show the last lines of the log, and whether its chain holds."""
    cell = access.membre.cellule
    lines = Journal.objects.filter(cellule=cell).order_by("-numero")[:200]
    return _page(request, access, "journal", {"lignes": lines, "faute": journal.first_fault(cell)})

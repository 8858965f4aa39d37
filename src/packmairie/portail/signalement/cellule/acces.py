# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may see a page of the cell: a member who is here, and a report that his key opens."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from packmairie.portail.signalement import coffre, sessions
from packmairie.portail.signalement.coffre import Coffre
from packmairie.portail.signalement.models import Signalement
from packmairie.portail.signalement.sessions import MEMBER_COOKIE, Acces

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Acces, P], HttpResponseBase]


def member_only(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Given a view that wants a member, return one that sends everybody else to the login."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        access = sessions.current(request, MEMBER_COOKIE)
        if access is None or access.session.activation:
            return HttpResponseRedirect(reverse("connexion"))
        return view(request, access, *args, **kwargs)

    return sensitive_post_parameters()(guarded)


def open_report(access: Acces, name: uuid.UUID) -> tuple[Signalement, Coffre]:
    """Given a member and the name of a report, return it with its vault.

    Answer 404 whether it does not exist, belongs to another cell, or does not open with the member's key.
    """
    report = Signalement.objects.select_related("cellule").filter(pk=name, cellule=access.membre.cellule_id).first()
    vault = coffre.open_for_member(report, access.membre, access.private) if report else None
    if report is None or vault is None:
        raise Http404
    return report, vault

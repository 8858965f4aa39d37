# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in to Roundcube as an agent's browser does, see the inbox, and leave."""

from __future__ import annotations

import re
import time
from html import unescape

from packmairie.engines.web import Session, Web, WebFailure
from packmairie.model.probe import Answer, Found, Page, Unanswered, WebmailSession, WebmailVisit

_TOKEN = re.compile(r'"request_token":"([A-Za-z0-9]+)"')
_TITLE = re.compile(r"<title>([^<]*)</title>")


class _StepError(Exception):
    """A step answered otherwise than it should; the text says how."""


def visit_webmail(web: Web, probe: WebmailVisit, password: str | None) -> Answer:
    """Given an account, log in, list the inbox, log out; return which step failed when one does."""
    if not password:
        return Unanswered("le mot de passe de la sonde n'est pas dans le coffre")
    steps: dict[str, float] = {}
    title = ""
    step, start = "page", time.monotonic()
    session = web.visitor()
    try:
        token = _token(_expect(session.request("GET", probe.url), 200))
        steps[step], step, start = time.monotonic() - start, "connexion", time.monotonic()
        opened = _log_in(session, probe, token, password)
        title, token = _title(opened), _token(opened)
        steps[step], step, start = time.monotonic() - start, "réception", time.monotonic()
        _list_inbox(session, probe, token)
        steps[step], step, start = time.monotonic() - start, "déconnexion", time.monotonic()
        _expect(session.request("GET", f"{probe.url}?_task=logout&_token={token}"), 200, 302)
        steps[step] = time.monotonic() - start
    except WebFailure as failure:
        if failure.obstacle or failure.no_name:
            return Found(WebmailSession(steps, step, str(failure), title))
        return Unanswered(str(failure))
    except _StepError as error:
        return Found(WebmailSession(steps, step, str(error), title))
    return Found(WebmailSession(steps, title=title))


def _log_in(session: Session, probe: WebmailVisit, token: str, password: str) -> Page:
    form = {
        "_token": token,
        "_task": "login",
        "_action": "login",
        "_timezone": "Europe/Paris",
        "_url": "",
        "_user": probe.login,
        "_pass": password,
    }
    answer = session.request("POST", f"{probe.url}?_task=login", data=form)
    if answer.status != 302:
        raise _StepError(f"identifiant ou mot de passe refusé (réponse {answer.status})")
    return _expect(session.request("GET", f"{probe.url}?_task=mail"), 200)


def _list_inbox(session: Session, probe: WebmailVisit, token: str) -> None:
    listed = _expect(
        session.request("GET", f"{probe.url}?_task=mail&_action=list&_mbox=INBOX&_remote=1&_token={token}"), 200
    )
    if '"action":"list"' not in listed.body.replace(" ", ""):
        raise _StepError("la liste des messages n'est pas venue")


def _expect(page: Page, *statuses: int) -> Page:
    if page.status not in statuses:
        raise _StepError(f"réponse HTTP {page.status}")
    return page


def _token(page: Page) -> str:
    found = _TOKEN.search(page.body)
    if not found:
        raise _StepError("la page n'est pas celle du webmail (jeton absent)")
    return found.group(1)


def _title(page: Page) -> str:
    found = _TITLE.search(page.body)
    return unescape(found.group(1)).strip() if found else ""

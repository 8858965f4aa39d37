# SPDX-License-Identifier: GPL-3.0-or-later
"""The file spaces as a workstation meets them (WebDAV), and as their host answers the technician (SSH)."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from packmairie.engines.hosts import run_on_host
from packmairie.engines.web import Session, Web, WebFailure
from packmairie.model.pack import Hote
from packmairie.model.probe import Answer, Found, Page, Unanswered
from packmairie.model.probes_partage import FileRoundTrip, FilesHostFacts, FilesHostReading, FileTrip, Space
from packmairie.model.problem import fail

STATE_COMMAND = "PYTHONPATH=/usr/local/lib PYTHONDONTWRITEBYTECODE=1 python3 -m packmairie.partage_hote.state"
ASK_COMMAND = "PYTHONPATH=/usr/local/lib PYTHONDONTWRITEBYTECODE=1 python3 -m packmairie.partage_hote.command"
SENT_OCTETS = 24_000


class _StepError(Exception):
    """A step answered otherwise than it should; the text says how."""


def round_trip(web: Web, probe: FileRoundTrip, password: str | None) -> Answer:
    """Given the technical account of a commune, put a file, read it back, delete it; the file is always taken away.

    Return which step failed when one does, no answer when the host could not be reached.
    """
    if not password:
        return Unanswered("le mot de passe de la sonde n'est pas dans le coffre")
    token = base64.b64encode(f"{probe.login}:{password}".encode()).decode("ascii")
    access = {"Authorization": f"Basic {token}"}
    url = f"{probe.url}essai-{secrets.token_hex(8)}.txt"
    sent = secrets.token_hex(SENT_OCTETS // 2)
    steps: dict[str, float] = {}
    session = web.visitor()

    def ask(method: str, where: str, text: str = "", **headers: str) -> Page:
        return session.request(method, where, body=Page(0, access | headers, text))

    def read_back() -> None:
        if _expect(ask("GET", url), 200).body != sent:
            raise _StepError("le fichier relu n'est pas celui qui a été déposé")

    def delete() -> None:
        _expect(ask("DELETE", url), 200, 204)
        _expect(ask("GET", url), 404)

    wished: tuple[tuple[str, Callable[[], object]], ...] = (
        ("connexion", lambda: _expect(ask("PROPFIND", probe.url, Depth="0"), 207)),
        ("dépôt", lambda: _expect(ask("PUT", url, sent), 200, 201, 204)),
        ("relecture", read_back),
        ("suppression", delete),
    )
    return _walk(session, wished, steps)


def _walk(session: Session, wished: tuple[tuple[str, Callable[[], object]], ...], steps: dict[str, float]) -> Answer:
    for step, act in wished:
        start = time.monotonic()
        try:
            act()
        except WebFailure as failure:
            if failure.obstacle or failure.no_name:
                return Found(FileTrip(steps, step, str(failure)))
            return Unanswered(str(failure))
        except _StepError as error:
            return Found(FileTrip(steps, step, str(error)))
        steps[step] = time.monotonic() - start
    return Found(FileTrip(steps))


def _expect(page: Page, *statuses: int) -> Page:
    if page.status not in statuses:
        raise _StepError(f"réponse {page.status}")
    return page


def read_files_host(probe: FilesHostReading, host: Hote) -> Answer:
    """Given the host of the file spaces, return its figures, or why they could not be read."""
    answer = run_on_host(probe.host, host, STATE_COMMAND)
    if not isinstance(answer, Found):
        return answer
    try:
        data = json.loads(answer.value)
        return Found(
            FilesHostFacts(
                {
                    insee: Space(int(space["octets"]), int(space["corbeille"]), int(space["quota"]))
                    for insee, space in data["communes"].items()
                },
                int(data["libre"]),
                int(data["total"]),
                int(data["attente"]),
                float(data["attente_secondes"]),
                int(data["quarantaine"]),
                None if data["signatures_jours"] is None else float(data["signatures_jours"]),
                bool(data["laboratoire"]),
            )
        )
    except (ValueError, KeyError, TypeError):
        return Unanswered("réponse illisible de l'hôte des fichiers")


def ask_files_host(name: str, host: Hote, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Given what the technician asks of the host, return its answer. Raise PackmairieError when it cannot be done."""
    answer = run_on_host(name, host, ASK_COMMAND, json.dumps(asked))
    if not isinstance(answer, Found):
        raise fail(f"hôte {name}", answer.reason, "vérifier l'accès SSH, puis « packmairie deploy »")
    told: dict[str, Any] = json.loads(answer.value)
    if "erreur" in told:
        raise fail(f"commune {asked['insee']}", str(told["erreur"]), "voir « packmairie partage --help »")
    return told

# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of a web host with two communes, the messages of an agent and the answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from core_samples import commune, pack

from packmairie.briques.presence_site import site_data
from packmairie.site_hote import builder
from packmairie.site_hote.places import Places

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
RIENCOURT, OEUF = "62708", "62633"
HOST = "www.riencourt-les-bapaume.fr"
AGENT = "secretariat@riencourt-les-bapaume.fr"
SITE = "site@riencourt-les-bapaume.fr"


def host_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Return the folders of a host that has the data of two communes."""
    # Files are written and read at once here; the tests of unfinished ones say otherwise.
    monkeypatch.setattr(builder, "SETTLED", timedelta(0))
    names = ("data", "initial", "contents", "mail", "state", "sites")
    found = Places(**{name: tmp_path / name for name in names}, code=Places().code)
    for folder in (*(tmp_path / name for name in names), found.incoming, found.following):
        folder.mkdir(parents=True, exist_ok=True)
    for insee in (RIENCOURT, OEUF):
        lay(found, insee)
    return found


def lay(places: Places, insee: str, **changes) -> None:
    """Lay the data of a commune, as the role does."""
    town = commune(insee)
    data = site_data(town, pack(town)) | changes
    (places.data / f"{insee}.json").write_text(json.dumps(data), encoding="utf-8")


def message(subject: str, text: str = "texte", sender: str = AGENT) -> bytes:
    """Return a message of an agent to the site."""
    built = EmailMessage()
    built["From"], built["To"], built["Subject"] = sender, SITE, subject
    built.set_content(text)
    return built.as_bytes()


class Post:
    """Collects the answers."""

    def __init__(self, error: OSError | None = None) -> None:
        self.sent: list[tuple[str, EmailMessage]] = []
        self.error = error

    def __call__(self, answer: EmailMessage, to: str) -> None:
        if self.error:
            raise self.error
        self.sent.append((to, answer))

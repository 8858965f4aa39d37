# SPDX-License-Identifier: GPL-3.0-or-later
"""The website of a commune built on this machine, to look at before it is deployed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from packmairie.briques.marches import links
from packmairie.briques.presence_site import site_data
from packmairie.inventory.content import CONTENT_FOLDER
from packmairie.inventory.loader import load_pack
from packmairie.model.problem import fail
from packmairie.operations.inventory import commune_of as pack_commune
from packmairie.site_mairie.content import read_content
from packmairie.site_mairie.data import commune_of
from packmairie.site_mairie.pages import render_site
from packmairie.site_mairie.publish import publish


@dataclass(frozen=True)
class Preview:
    """What was built: the host name that the site will have, its files, and what could not be published."""

    host: str
    folder: Path
    files: int
    changed: int
    problems: tuple[str, ...]


def preview(pack_folder: Path, insee: str, to: Path, content: Path | None, today: date) -> Preview:
    """Given a pack, a commune's code and an empty or previously built folder, build the commune's site there.

    The content is read from a folder, by default ``contenu/<INSEE>`` of the pack. Raise PackmairieError.
    """
    pack = load_pack(pack_folder)
    commune = pack_commune(pack, insee)
    if not commune.deploys("presence"):
        place = f"{insee} {commune.nom}"
        raise fail(place, f"la commune a déjà un site ({commune.existant['presence']})", "retirer existant.presence")
    if to.exists() and (not to.is_dir() or (any(to.iterdir()) and not (to / "sitemap.xml").exists())):
        raise fail(str(to), "ce dossier contient autre chose qu'un site", "donner un dossier vide ou nouveau")
    source = content or pack_folder / CONTENT_FOLDER / insee
    site = commune_of(site_data(commune, pack, pack.coats.get(commune.insee), links(commune, pack)))
    rendered = render_site(site, read_content(source), today)
    try:
        to.resolve().parent.mkdir(parents=True, exist_ok=True)
        done = publish(rendered, source, to.resolve())
    except OSError as error:
        raise fail(str(to), f"écriture impossible ({error.strerror})", "vérifier le dossier et ses droits") from None
    return Preview(site.hote, to, len(rendered.files) + len(rendered.documents), done.changed, done.problems)

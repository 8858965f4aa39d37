# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workstation leads to: the services of the commune, with their addresses."""

from __future__ import annotations

from dataclasses import dataclass

from packmairie.briques.portail import channel_address
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack

FILES_LABEL = "fichiers"
WEBMAIL_LABEL = "webmail"


@dataclass(frozen=True)
class Service:
    """A service as an agent meets it: its name, and its address."""

    name: str
    title: str
    url: str


def has_mail(commune: Commune) -> bool:
    """Tell whether the platform keeps the commune's mail."""
    return commune.deploys("messagerie")


def files_url(commune: Commune, pack: Pack) -> str | None:
    """Return the address of the commune's file space, by WebDAV too; None where it has none here."""
    served = any("partage" in host.groupes for host in pack.file.plateforme.hotes.values())
    return f"https://{FILES_LABEL}.{commune.domaine.nom}/" if served and commune.deploys("partage") else None


def named(title: str, account: str | None) -> str:
    """Return the title of a service, with the account that the commune has there when its file says it."""
    return f"{title} (compte {account})" if account else title


def services_of(commune: Commune, pack: Pack) -> tuple[Service, ...]:
    """Return the commune's services in the order in which an agent needs them; those that it does not have are out."""
    domain, site = commune.domaine.nom, commune.site
    found = []
    if has_mail(commune):
        url = f"https://{pack.file.plateforme.host_name(WEBMAIL_LABEL)}/"
        found.append(Service("webmail", "Courrier, de partout", url))
    files = files_url(commune, pack)
    if files:
        found.append(Service("fichiers", "Fichiers partagés", files))
    if commune.deploys("presence"):
        found.append(Service("site", "Site de la commune", f"https://www.{domain}/"))
    if site.profil_acheteur:
        account = commune.marches.compte if commune.marches is not None else None
        found.append(Service("marches", named("Marchés publics", account), str(site.profil_acheteur)))
    if commune.teletransmission is not None and pack.file.tdt is not None:
        title = named("Télétransmission des actes", commune.teletransmission.compte)
        found.append(Service("teletransmission", title, str(pack.file.tdt.url)))
    channel = channel_address(commune, pack)
    if channel:
        found.append(Service("signalement", "Signalement", channel))
    found += [
        Service(f"signet-{rank}", bookmark.titre, bookmark.adresse)
        for rank, bookmark in enumerate(pack.file.postes.signets, start=1)
    ]
    return tuple(found)

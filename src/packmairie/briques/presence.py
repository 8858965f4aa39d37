# SPDX-License-Identifier: GPL-3.0-or-later
"""The commune on the web: its site at www.<domain>, the webmail, and the settings that mail programs ask for.

Where the commune has a site elsewhere, only the redirections that it asks for are served; its mail, when the pack
deploys it, keeps its settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from packmairie.briques.contract import Brique, Paper, Secrets
from packmairie.briques.marches import links
from packmairie.briques.presence_checks import WEB_SERVICES, commune_checks, platform_checks
from packmairie.briques.presence_clients import apple, client_settings, outlook, thunderbird
from packmairie.briques.presence_site import site_data, site_host
from packmairie.model.commune import SHARED_LOCAL_PART, SITE_LOCAL_PART, Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import Check
from packmairie.model.problem import fail
from packmairie.model.record import Record
from packmairie.model.sauvegarde import Extract, Source
from packmairie.model.secret import SecretKind, SecretWish
from packmairie.model.tree import Part, Tree, TreeFile
from packmairie.site_mairie.colour import default_colour
from packmairie.site_mairie.wording import of_name

WEBMAIL_NAME = "webmail"
WEBMAIL_KEY = "presence.cle_webmail"
WEBMAIL_COPY = "/var/lib/packmairie/webmail/copie/webmail.sqlite"
"""What its hook copies before each backup (``roles/webmail``)."""
_OWN = "user_id IN (SELECT user_id FROM origine.users WHERE lower(username) LIKE '%@' || :valeur)"
WEBMAIL_TABLES = (
    ("system", "1"),
    ("users", "lower(username) LIKE '%@' || :valeur"),
    *((table, _OWN) for table in ("identities", "contacts", "contactgroups", "collected_addresses", "responses")),
    *((table, _OWN) for table in ("dictionary", "searches", "filestore")),
    (
        "contactgroupmembers",
        f"contactgroup_id IN (SELECT contactgroup_id FROM origine.contactgroups WHERE {_OWN})",  # noqa: S608 — constants alone
    ),
)
"""What Roundcube keeps of a domain's people (SQL/sqlite.initial.sql of 1.6); its sessions and caches are not kept."""
HOSTS_FOLDER = "/srv/communes"
CONTENTS_FOLDER = "/var/lib/packmairie/contenus"
DATA_FOLDER = "/var/lib/packmairie/sites"
FIRST_FOLDER = "/var/lib/packmairie/contenus-initiaux"
CODE_FOLDER = "/usr/local/lib/packmairie"
CODE_PACKAGES = ("site_mairie", "site_hote")
BRANDING_FOLDER = "/etc/packmairie/webmail/communes"
TRANSPORT_MAP = "/etc/postfix/communes/sites"
TO_WWW, TO_ELSEWHERE = ".vers-www", ".redirection"
"""Files by which a host name's folder says that it redirects; Caddy reads them (role frontal)."""


class Presence(Brique):
    """The website, the webmail, and the automatic set-up of mail programs."""

    name = "presence"
    title = "Présence en ligne"
    elsewhere = True
    units = WEB_SERVICES

    def variables(self, pack: Pack) -> dict[str, dict[str, Any]]:
        """Return the webmail's name and limits, and the addresses by which the sites are reached."""
        platform, mail = pack.file.plateforme, pack.file.messagerie
        return {
            "frontal": {
                "frontal_webmail_name": platform.host_name(WEBMAIL_NAME),
                "frontal_webmail_upload_mb": mail.taille_message_mo + 5,
                "presence_orders_per_hour": pack.file.acme.commandes_par_heure,
                "presence_addresses": [str(address) for address in (*platform.ipv4, *platform.ipv6)],
                "webmail_client_name": platform.host_name("mail"),
                "webmail_message_size_mb": mail.taille_message_mo,
            }
        }

    def records(self, commune: Commune, pack: Pack) -> tuple[Record, ...]:
        """Return the names that lead to the web host.

        Raise ValueError where the commune keeps another record under one of them.
        """
        ttl, web = pack.file.dns.ttl, f"{pack.file.plateforme.host_name('web')}."
        served = served_names(commune)
        refuse_kept_records(commune, served)
        records: list[Record] = []
        if "@" in served:
            records += addresses("", pack, "adresse du site")
        if "www" in served:
            records.append(Record("www", "CNAME", (web,), ttl, "adresse du site"))
        if commune.deploys("messagerie"):
            records.append(Record("autoconfig", "CNAME", (web,), ttl, "réglages de Thunderbird et d'Apple"))
            # Not an alias: a SRV record must not lead to one (RFC 2782).
            records += addresses("autodiscover", pack, "réglages d'Outlook")
            target = f"0 0 443 autodiscover.{commune.domaine.nom}."
            records.append(Record("_autodiscover._tcp", "SRV", (target,), ttl, "réglages d'Outlook"))
        return tuple(records)

    def platform_records(self, pack: Pack, secrets: Secrets) -> tuple[Record, ...]:
        """Return the webmail's name."""
        return addresses(WEBMAIL_NAME, pack, "webmail")

    def tenant(self, commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the commune's data for the generator, its host names' folders, and its name for the webmail."""
        trees = [Tree("frontal", "frontal", (*redirection_files(commune), *settings_files(commune, pack)))]
        if commune.deploys("presence"):
            trees.append(Tree("presence", "frontal", (data_file(commune, pack), *first_files(commune, pack))))
        if edits_by_mail(commune, pack):
            trees.append(Tree("postfix", "messagerie", (editing_file(commune),)))
        if commune.deploys("messagerie"):
            trees.append(Tree("webmail", "frontal", (branding_file(commune),)))
        return tuple(trees)

    def platform_tenant(self, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the generator, the webmail's key and name, and the map of site@ addresses, empty by itself."""
        key = secrets[WEBMAIL_KEY]
        if len(key) != 24 or not key.isalnum():
            raise fail("secrets de la plateforme", f"« {WEBMAIL_KEY} » n'a pas 24 lettres et chiffres", "le régénérer")
        secret = TreeFile(
            "/etc/packmairie/webmail/cle.php",
            (Part(f"<?php\n$config['des_key'] = '{key}';\n"),),
            mode="0640",
            group="webmail",
            secret=True,
        )
        admitted = f"{HOSTS_FOLDER}/{pack.file.plateforme.host_name(WEBMAIL_NAME)}/.admis"
        return (
            Tree("presence", "frontal", tuple(code_files())),
            Tree("webmail", "frontal", (secret,)),
            Tree("frontal", "frontal", (TreeFile(admitted, (Part("Nom servi par Caddy.\n"),)),)),
            Tree("postfix", "messagerie", (TreeFile(TRANSPORT_MAP, (Part(""),), shared=True),)),
        )

    def platform_secrets(self, pack: Pack) -> tuple[SecretWish, ...]:
        """Return the key of the webmail's sessions."""
        return (SecretWish(WEBMAIL_KEY, SecretKind.PASSWORD),)

    def sources(self, commune: Commune, pack: Pack) -> tuple[Source, ...]:
        """Return the site, what the commune's file says of it, and what its people set in the webmail."""
        found = []
        if commune.deploys("presence"):
            folders = (f"{CONTENTS_FOLDER}/{commune.insee}", f"{DATA_FOLDER}/{commune.insee}.json")
            found.append(Source("site", "Site et réglages", "frontal", folders, ("*.tmp",)))
        if commune.deploys("messagerie"):
            rows = Extract(WEBMAIL_COPY, commune.domaine.nom, WEBMAIL_TABLES)
            found.append(
                Source("reglages-webmail", "Réglages et carnets d'adresses du webmail", "frontal", (), extracts=(rows,))
            )
        return tuple(found)

    def checks(self, commune: Commune, pack: Pack) -> tuple[Check, ...]:
        """Prove the site, its redirections, the webmail and the settings of mail programs; the RPNT 1.1–1.8."""
        return commune_checks(commune, pack, pack.file.plateforme.host_name(WEBMAIL_NAME))

    def platform_checks(self, pack: Pack) -> tuple[Check, ...]:
        """Prove the webmail's page and certificate, and the services of the web host."""
        return platform_checks(pack, pack.file.plateforme.host_name(WEBMAIL_NAME))

    def dossier(self, commune: Commune, pack: Pack) -> tuple[Paper, ...]:
        """Return the paper that a site needs: who answers for what it publishes (LCEN, article 1-1)."""
        if not commune.deploys("presence"):
            return ()
        named = bool(commune.site.directeur_publication or site_data(commune, pack)["directeur_publication"])
        return (
            Paper(
                "directeur de la publication nommé",
                named,
                "Écrire le nom du maire dans site.elus, ou site.directeur_publication.",
            ),
        )


def addresses(name: str, pack: Pack, why: str) -> tuple[Record, ...]:
    """Return the address records of a name that leads to the platform."""
    platform, ttl = pack.file.plateforme, pack.file.dns.ttl
    records = [Record(name, "A", tuple(str(address) for address in platform.ipv4), ttl, why)]
    if platform.ipv6:
        records.append(Record(name, "AAAA", tuple(str(address) for address in platform.ipv6), ttl, why))
    return tuple(records)


def served_names(commune: Commune) -> frozenset[str]:
    """Return which of ``@`` and ``www`` the platform serves for a commune."""
    if commune.deploys("presence"):
        return frozenset(("@", "www"))
    return frozenset(redirection.de for redirection in commune.site.redirections)


def refuse_kept_records(commune: Commune, served: frozenset[str]) -> None:
    """Raise ValueError when a record kept for another provider has a name that the platform serves."""
    for kept in commune.domaine.enregistrements:
        kinds = ("A", "AAAA", "CNAME") if kept.nom == "@" else ("A", "AAAA", "CNAME", "TXT", "MX")
        if kept.nom in served and kept.type in kinds:
            raise ValueError(
                f"« {kept.nom} » {kept.type} mène ailleurs, or la plateforme sert ce nom (si le site est ailleurs,"
                " écrire existant: {presence: …})"
            )


def redirection_files(commune: Commune) -> tuple[TreeFile, ...]:
    """Return the folders of the names that only redirect."""
    if commune.deploys("presence"):
        path = f"{HOSTS_FOLDER}/{commune.domaine.nom}/{TO_WWW}"
        return (TreeFile(path, (Part(f"{site_host(commune)}\n", commune.insee),)),)
    hosts = {"@": commune.domaine.nom, "www": site_host(commune)}
    return tuple(
        TreeFile(
            f"{HOSTS_FOLDER}/{hosts[redirection.de]}/{TO_ELSEWHERE}",
            (Part(f"{redirection.vers}\n", commune.insee),),
        )
        for redirection in commune.site.redirections
    )


def settings_files(commune: Commune, pack: Pack) -> tuple[TreeFile, ...]:
    """Return the settings of mail programs, when the pack serves the commune's mail."""
    if not commune.deploys("messagerie"):
        return ()
    settings = client_settings(commune, pack, pack.file.plateforme.host_name(WEBMAIL_NAME))
    domain = commune.domaine.nom
    contents = {
        f"autoconfig.{domain}/mail/config-v1.1.xml": thunderbird(settings),
        f"autoconfig.{domain}/apple.mobileconfig": apple(settings),
        f"autodiscover.{domain}/autodiscover/autodiscover.xml": outlook(settings),
    }
    return tuple(TreeFile(f"{HOSTS_FOLDER}/{path}", (Part(text, commune.insee),)) for path, text in contents.items())


def data_file(commune: Commune, pack: Pack) -> TreeFile:
    """Return what the generator is given for a commune."""
    try:
        data = site_data(commune, pack, pack.coats.get(commune.insee), links(commune, pack))
    except ValueError as error:
        raise fail(f"commune {commune.insee}", f"site.blason : {error}", "corriger l'image ou la retirer") from None
    text = json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    return TreeFile(f"{DATA_FOLDER}/{commune.insee}.json", (Part(text, commune.insee),))


def first_files(commune: Commune, pack: Pack) -> Iterator[TreeFile]:
    """Yield what the pack has for the folder of the commune's secretary; the web host puts each there once."""
    for path, source in pack.contents.get(commune.insee, {}).items():
        yield TreeFile(f"{FIRST_FOLDER}/{commune.insee}/{path}", (Part("", commune.insee, source),))


def editing_file(commune: Commune) -> TreeFile:
    """Return the address by which agents edit the site, for Postfix (texthash: address, transport)."""
    line = f"{SITE_LOCAL_PART}@{commune.domaine.nom} sites:\n"
    return TreeFile(TRANSPORT_MAP, (Part(line, commune.insee),), shared=True)


def edits_by_mail(commune: Commune, pack: Pack) -> bool:
    """Tell whether agents may change the commune's site by writing to site@.

    The address leads to an account of the web host: there is none where mail has a host of its own, nor where the
    commune's mail is elsewhere.
    """
    together = any({"frontal", "messagerie"} <= set(host.groupes) for host in pack.file.plateforme.hotes.values())
    return together and commune.deploys("presence") and commune.deploys("messagerie")


def branding_file(commune: Commune) -> TreeFile:
    """Return the commune as the webmail shows it."""
    domain = commune.domaine.nom
    couleurs = commune.site.couleurs
    shown = {
        "nom": commune.nom,
        "titre": f"Mairie {of_name(commune.nom)}",
        "couleur": couleurs.principale if couleurs else default_colour(commune.insee),
        "contact": f"{SHARED_LOCAL_PART}@{domain}",
        "agents": {f"{agent.identifiant}@{domain}": agent.nom for agent in commune.agents},
    }
    text = json.dumps(shown, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    return TreeFile(f"{BRANDING_FOLDER}/{domain}.json", (Part(text, commune.insee),))


def code_files() -> Iterator[TreeFile]:
    """Yield the generator and what runs it, as the web host's Python reads them."""
    for package in CODE_PACKAGES:
        for path, source in _sources(files(f"packmairie.{package}"), package):
            yield TreeFile(f"{CODE_FOLDER}/{path}", (Part(source),))


def _sources(folder: Traversable, place: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(entry, f"{place}/{entry.name}")
        elif entry.name.endswith((".py", ".j2")):
            yield f"{place}/{entry.name}", entry.read_text(encoding="utf-8")

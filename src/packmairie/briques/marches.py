# SPDX-License-Identifier: GPL-3.0-or-later
"""Public contracts: the essential data that the commune publishes beside its site, and its buyer profile."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from importlib.resources import files
from typing import Any

from packmairie.briques.contract import Brique, Paper, Secrets
from packmairie.briques.envois import judge_rounds
from packmairie.briques.envois_tenant import address_of
from packmairie.briques.judging import require_answer
from packmairie.briques.presence_site import site_host
from packmairie.formats.decp.catalogue import Publisher
from packmairie.formats.decp.register import CONCESSION, MARKET, Row, convert, everything, joined
from packmairie.formats.decp.rules import Judged, beyond_schema, overdue
from packmairie.formats.decp.thresholds import TABLE, Thresholds
from packmairie.formats.decp.yearly import split
from packmairie.formats.findings import Report
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.probe import (
    Chain,
    Check,
    HttpChain,
    HttpGet,
    Page,
    RegisterReading,
    Verdict,
    conforme,
    non_conforme,
    non_verifie,
)
from packmairie.model.probes_envois import WatchReading
from packmairie.model.tree import Part, Tree, TreeFile
from packmairie.site_mairie.wording import of_name

BRIQUE = "marches"
Register = tuple[Sequence[Row], Report]
"""The rows of a register, and what is wrong with its form."""
PART = "marches"
DECP_NAME, CATALOGUE_NAME = "decp.json", "catalogue.jsonld"
HOSTS_FOLDER = "/srv/communes"
GROUP = "frontal"
SETTINGS = "/etc/packmairie/marches"
CODE_FOLDER = "/usr/local/lib/packmairie/marches_hote"
WATCH_HOURS = 50
"""The watch is nightly: one night may be missed."""
PUBLISH = "Lancer « packmairie marches publish {insee} », puis « packmairie deploy {insee} »."


class Marches(Brique):
    """What the commune publishes of its contracts, served by its own site for harvesting."""

    name = BRIQUE
    title = "Marchés publics"

    def tenant(self, commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return the files published, under the host name of the commune's site."""
        published = published_files(commune, pack)
        folder = f"{HOSTS_FOLDER}/{site_host(commune)}/{PART}"
        laid = tuple(TreeFile(f"{folder}/{name}", (Part(text, commune.insee),)) for name, text in published.items())
        trees = [Tree("frontal", GROUP, laid)] if laid else []
        watched = watched_addresses(commune, pack)
        if watched:
            text = json.dumps({"adresses": watched}, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
            path = f"{SETTINGS}/communes/{commune.insee}.json"
            trees.append(Tree(BRIQUE, GROUP, (TreeFile(path, (Part(text, commune.insee),)),)))
        return tuple(trees)

    def variables(self, pack: Pack) -> dict[str, dict[str, Any]]:
        """Return whether the web host has anything to watch."""
        return {GROUP: {"marches_wanted": anybody_watched(pack)}}

    def platform_tenant(self, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return what watches on the web host, and where it may go; nothing where there is nothing to watch."""
        if not anybody_watched(pack):
            return ()
        reached = {address_of(url) for commune in pack.communes for url in watched_addresses(commune, pack)}
        said = {"utilisateur": BRIQUE, "destinations": sorted(list(where) for where in reached)}
        text = json.dumps(said, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        code = (
            TreeFile(f"{CODE_FOLDER}/{entry.name}", (Part(entry.read_text(encoding="utf-8")),))
            for entry in sorted(files("packmairie.marches_hote").iterdir(), key=lambda entry: entry.name)
            if entry.name.endswith(".py")
        )
        return (Tree(BRIQUE, GROUP, (TreeFile(f"{SETTINGS}/sorties.json", (Part(text),)), *code)),)

    def platform_checks(self, pack: Pack) -> tuple[Check, ...]:
        """Prove that the nightly watch is made, and that nothing it looks at is gone."""
        if not anybody_watched(pack):
            return ()
        remedy = (
            "Sur l'hôte web : journalctl -u packmairie-marches ; vérifier les adresses, puis « packmairie deploy »."
        )
        host = next(name for name, found in pack.file.plateforme.hotes.items() if GROUP in found.groupes)
        return (
            Check(
                BRIQUE,
                "veille",
                f"faite il y a moins de {WATCH_HOURS} h, chaque adresse répond",
                (WatchReading(host),),
                lambda answers: require_answer(
                    answers[0], lambda rounds: judge_rounds(rounds, remedy, hours=WATCH_HOURS, word="veille"), remedy
                ),
                title="Les données et les profils d'acheteur sont vus chaque nuit",
            ),
        )

    def checks(self, commune: Commune, pack: Pack) -> tuple[Check, ...]:
        """Prove that the data are served, those of the register, valid, catalogued; and that the profile answers."""
        if commune.marches is None:
            return ()
        checks = [_profile_check(commune)]
        if publishes(commune):
            checks += _data_checks(commune, pack)
        return tuple(checks)

    def dossier(self, commune: Commune, pack: Pack) -> tuple[Paper, ...]:
        """Return what the publication of contracts needs beside files."""
        if commune.marches is None:
            return ()
        return (
            Paper(
                "profil d'acheteur de la commune",
                commune.site.profil_acheteur is not None,
                "Écrire l'adresse de son compte sur la plateforme mutualisée dans site.profil_acheteur.",
            ),
        )


def watched_addresses(commune: Commune, pack: Pack) -> dict[str, str | None]:
    """Return what the web host looks at for a commune: addresses, with the SHA-256 of what is published there."""
    if commune.marches is None or not commune.deploys(BRIQUE):
        return {}
    found: dict[str, str | None] = {
        data_address(commune) + name: hashlib.sha256(text.encode()).hexdigest()
        for name, text in published_files(commune, pack).items()
    }
    if commune.site.profil_acheteur is not None:
        found[str(commune.site.profil_acheteur)] = None
    return found


def anybody_watched(pack: Pack) -> bool:
    """Tell whether the web host has anything to watch."""
    return any(watched_addresses(commune, pack) for commune in pack.communes)


def publishes(commune: Commune) -> bool:
    """Tell whether the commune's data are served by the pack: it wants them, and its site is here."""
    return commune.marches is not None and commune.deploys(BRIQUE) and commune.deploys("presence")


def published_files(commune: Commune, pack: Pack) -> dict[str, str]:
    """Return the files to serve by name."""
    return dict(pack.publications.get(commune.insee, {}).get(PART, {})) if publishes(commune) else {}


def data_address(commune: Commune) -> str:
    """Return the address under which the data are served, with its final slash."""
    return f"https://{site_host(commune)}/{PART}/"


def publisher_of(commune: Commune) -> Publisher:
    """Return who publishes, for the catalogue."""
    return Publisher(f"Commune {of_name(commune.nom)}", commune.siret, commune.insee, f"https://{site_host(commune)}/")


def thresholds_of(pack: Pack) -> Sequence[Thresholds]:
    """Return the thresholds of the pack, or those that packmairie knows."""
    return tuple(Thresholds(**row.model_dump()) for row in pack.file.marches.seuils) or TABLE


def links(commune: Commune, pack: Pack) -> list[dict[str, str]]:
    """Return what the site's page on contracts links to: title and address."""
    titles = {DECP_NAME: "Données essentielles des marchés (JSON)", CATALOGUE_NAME: "Catalogue pour le moissonnage"}
    found = []
    order = {DECP_NAME: 0, CATALOGUE_NAME: 2}
    for name in sorted(published_files(commune, pack), key=lambda name: (order.get(name, 1), name)):
        title = titles.get(name) or f"Liste des marchés de {name.removeprefix('liste-').removesuffix('.csv')} (CSV)"
        found.append({"titre": title, "adresse": data_address(commune) + name})
    return found


def _profile_check(commune: Commune) -> Check:
    address = commune.site.profil_acheteur
    remedy = "Vérifier l'adresse dans site.profil_acheteur, ou prévenir la plateforme de marchés."
    if address is None:
        # Nothing was asked: the dossier says that the account is to be opened, a check has nothing to prove.
        missing = non_verifie("aucune adresse dans site.profil_acheteur", "L'écrire dans le fichier de la commune.")
        return Check(BRIQUE, "profil-acheteur", "profil d'acheteur joignable", (), lambda _a: missing, title=PROFILE)
    return Check(
        BRIQUE,
        "profil-acheteur",
        f"{address} répond",
        (HttpChain(address),),
        lambda answers: require_answer(answers[0], lambda chain: judge_profile(chain, remedy), remedy),
        title=PROFILE,
    )


PROFILE = "Le profil d'acheteur répond"


def judge_profile(chain: Chain, remedy: str) -> Verdict:
    """The address leads to a page."""
    if chain.obstacle is not None:
        return non_conforme(chain.reason, remedy)
    status = chain.page.status if chain.page else 0
    if status >= 500:
        return non_verifie(f"réponse HTTP {status} : la plateforme de marchés est en panne", "Réessayer plus tard.")
    return conforme(chain.hops[-1].url) if status == 200 else non_conforme(f"réponse HTTP {status}", remedy)


def _data_checks(commune: Commune, pack: Pack) -> list[Check]:
    base, published = data_address(commune), published_files(commune, pack)
    remedy = PUBLISH.format(insee=commune.insee)
    decp = (HttpGet(base + DECP_NAME),)
    return [
        Check(
            BRIQUE,
            "decp-publie",
            f"{base}{DECP_NAME} est du JSON",
            decp,
            lambda answers: require_answer(answers[0], lambda page: judge_served(page, remedy), remedy),
            title="Les données essentielles des marchés sont en ligne",
        ),
        Check(
            BRIQUE,
            "decp-a-jour",
            "les contrats du registre sont ceux du site, chacun dans les deux mois",
            (*decp, RegisterReading(commune.insee)),
            lambda answers: require_answer(
                answers[0],
                lambda page: require_answer(
                    answers[1],
                    lambda register: judge_fresh(page, register, commune, pack),
                    f"Lancer « packmairie marches verify {commune.insee} ».",
                ),
                remedy,
            ),
            title="Les marchés publiés sont ceux du registre",
        ),
        Check(
            BRIQUE,
            "decp-valide",
            "aucune erreur, et le fichier est celui que le schéma officiel a validé",
            decp,
            lambda answers: require_answer(
                answers[0], lambda page: judge_valid(page, published.get(DECP_NAME), commune, pack), remedy
            ),
            title="Les données des marchés sont valides",
        ),
        Check(
            BRIQUE,
            "catalogue-dcat",
            "le catalogue nomme chaque fichier publié, à sa taille",
            (HttpGet(base + CATALOGUE_NAME),),
            lambda answers: require_answer(
                answers[0], lambda page: judge_catalogue(page, base, published, remedy), remedy
            ),
            title="data.gouv.fr peut moissonner les marchés",
        ),
    ]


def _document(page: Page) -> Any:
    """Return the page's JSON, None when it is not a page of JSON."""
    if page.status != 200:
        return None
    try:
        return json.loads(page.body)
    except (ValueError, RecursionError):
        return None


def judge_served(page: Page, remedy: str) -> Verdict:
    """The file answers, and is a DECP document."""
    if page.status != 200:
        return non_conforme(f"réponse HTTP {page.status}", remedy)
    document = _document(page)
    try:
        count = len(everything(document))
    except (KeyError, TypeError, AttributeError):
        return non_conforme("la réponse n'est pas un document DECP", remedy)
    return conforme(f"{count} contrat{'s' if count > 1 else ''}")


def wished_contracts(register: Register, commune: Commune, pack: Pack, served: dict[str, str], today: date) -> Any:
    """Return the document that the register wishes to be served; ``served`` gives the days of publication known.

    Raise ValueError when the register cannot be converted.
    """
    rows, reading = register
    place = {"code": commune.insee, "typeCode": "Code commune"}
    converted = convert(rows, commune.siret, place, {**served, "": today.isoformat()})
    found = reading.joined(converted.report)
    if found.errors:
        first = found.errors[0]
        raise ValueError(f"ligne {first.line} : {first.reason}")
    lists = converted.document["marches"]
    if commune.marches is not None and commune.marches.liste_annuelle:
        return joined(split(lists[MARKET], thresholds_of(pack))[0], lists.get(CONCESSION, []))
    return converted.document


def judge_fresh(page: Page, register: Register, commune: Commune, pack: Pack, today: date | None = None) -> Verdict:
    """What is served is what the register says; a contract two months old is there."""
    day, remedy = today or date.today(), PUBLISH.format(insee=commune.insee)  # noqa: DTZ011 — a legal day is local
    document = _document(page)
    try:
        served = {str(item["id"]): item for item in everything(document)}
        dates = {number: str(item["datePublicationDonnees"]) for number, item in served.items()}
    except (KeyError, TypeError, AttributeError):
        return non_conforme("la réponse n'est pas un document DECP", remedy)
    try:
        contracts = wished_contracts(register, commune, pack, dates, day)
    except ValueError as error:
        return non_verifie(f"registre illisible ({error})", f"Lancer « packmairie marches verify {commune.insee} ».")
    wished = {str(item.get("id")): item for item in everything(contracts)}
    late = overdue(contracts, set(served), day)
    if late:
        return non_conforme(f"en retard de publication : {', '.join(late[:5])}", remedy)
    different = sorted(number for number in wished.keys() | served.keys() if wished.get(number) != served.get(number))
    if different:
        return non_conforme(f"le registre a changé : {', '.join(different[:5])}", remedy)
    return conforme(f"{len(served)} contrats, ceux du registre")


def judge_valid(page: Page, published: str | None, commune: Commune, pack: Pack, today: date | None = None) -> Verdict:
    """What is served breaks no rule, and is the very file that the official schema accepted at publication."""
    day, remedy = today or date.today(), PUBLISH.format(insee=commune.insee)  # noqa: DTZ011 — a legal day is local
    document = _document(page)
    if document is None:
        return non_conforme(f"réponse HTTP {page.status}, pas du JSON", remedy)
    found = beyond_schema(document, Judged(day, thresholds_of(pack), commune.siret), lambda _path: 0)
    if found.errors:
        first = found.errors[0]
        return non_conforme(f"{first.place} : {first.reason}", f"{first.remedy}. {remedy}")
    if published is None or page.body != published:
        return non_verifie("le fichier servi n'est pas celui que le schéma officiel a validé", remedy)
    return conforme("validé à la publication, sans erreur aujourd'hui")


def judge_catalogue(page: Page, base: str, published: dict[str, str], remedy: str) -> Verdict:
    """The catalogue is JSON-LD that names every file published, at its address and size."""
    document = _document(page)
    try:
        dataset = next(item for item in document["@graph"] if item["@type"] == "dcat:Dataset")
        named = {
            item["dcat:downloadURL"]["@id"]: int(item["dcat:byteSize"]["@value"])
            for item in dataset["dcat:distribution"]
        }
    except (KeyError, TypeError, ValueError, StopIteration):
        return non_conforme(f"réponse HTTP {page.status}, pas un catalogue DCAT", remedy)
    wished = {base + name: len(text.encode()) for name, text in published.items() if name != CATALOGUE_NAME}
    if named != wished:
        wrong = sorted(address for address in named.keys() | wished.keys() if named.get(address) != wished.get(address))
        return non_conforme(f"catalogue et fichiers diffèrent : {', '.join(wrong[:3])}", remedy)
    return conforme(f"{len(named)} fichiers décrits")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The YAML files that packmairie writes for a technician to read and complete."""

from __future__ import annotations

import json
import os
from pathlib import Path

from packmairie.inventory.atomic import write_new_files
from packmairie.inventory.loader import COMMUNES_FOLDER, PACK_FILE
from packmairie.inventory.schema import SCHEMAS_FOLDER
from packmairie.model.commune import DnsMode
from packmairie.registry.domain import propose_domain
from packmairie.registry.eligibility import Eligible
from packmairie.registry.slug import slug
from packmairie.registry.table import MILLESIME, Row

PLUGIN_FILE = "packmairie.yml"


def quoted(text: str) -> str:
    """Given any text, return it as a double-quoted YAML scalar (JSON strings are YAML: YAML 1.2 §1.3)."""
    return json.dumps(text, ensure_ascii=False)


def commune_path(folder: Path, row: Row) -> Path:
    """Return where the file of a commune goes in a pack: ``communes/62708-riencourt-les-bapaume.yml``."""
    return folder / COMMUNES_FOLDER / f"{row.insee}-{slug(row.nom)}.yml"


def schema_line(file: Path, name: str, pack: Path) -> str:
    """Return the first line that tells an editor where the JSON Schema is, or nothing when there is none to point at.

    The schema is looked for in ``docs/schemas`` of the folders above the pack (a checkout),
    then in the pack itself, where ``inventory init`` puts a copy.
    """
    candidates = [parent / "docs" / SCHEMAS_FOLDER for parent in pack.resolve().parents] + [
        pack.resolve() / SCHEMAS_FOLDER
    ]
    for folder in candidates:
        schema = folder / f"{name}.json"
        if schema.is_file():
            return f"# yaml-language-server: $schema={os.path.relpath(schema, file.resolve().parent)}\n"
    return ""


def commune_text(
    row: Row, verdict: Eligible, *, domain: str | None = None, dns: DnsMode = DnsMode.GEREE, waiver: str = ""
) -> str:
    """Given a commune of the register and why it is admitted, return the content of its file, without the schema line.

    Without a ``domain`` the proposed one is written, and said to be unconfirmed: whether
    it is free, or taken by a homonym elsewhere in France, only the registrar knows.
    """
    postal = ", ".join(quoted(code) for code in row.codes_postaux)
    lines = [
        f"# {row.nom} ({row.departement})",
        "",
        f"# Registre officiel, millésime {MILLESIME} : à ne pas modifier, « inventory validate » compare.",
        "# Les codes restent entre guillemets : YAML prendrait 01234 pour un nombre en base huit.",
        f"insee: {quoted(row.insee)}",
        f"nom: {quoted(row.nom)}",
        f"departement: {quoted(row.departement)}",
        f"siren: {quoted(row.siren)}",
        f"siret: {quoted(row.siret)}",
        f"codes_postaux: [{postal}]",
        f"population: {row.population}",
        f"millesime: {MILLESIME}",
        "epci:",
        f"  siren: {quoted(row.epci_siren)}",
        f"  nom: {quoted(row.epci_nom)}",
        f"latitude: {row.latitude}",
        f"longitude: {row.longitude}",
        "",
        f"# Admise dans le pack : {verdict.reason}.",
    ]
    if verdict.waived:
        lines.append(f"derogation: {quoted(waiver)}")
    lines += [
        "# Une fois la convention signée, une commune reste éligible même si sa population dépasse le seuil.",
        "# convention:",
        "#   depuis: AAAA-MM-JJ",
        "",
        "domaine:",
    ]
    if domain is None:
        lines += [
            "  # Nom proposé d'après celui de la commune : une homonyme ailleurs en France peut l'avoir déjà.",
            "  # À vérifier auprès du bureau d'enregistrement, puis écrire confirme: true.",
            f"  nom: {propose_domain(row)}",
        ]
    else:
        lines.append(f"  nom: {quoted(domain)}")
    lines += [
        "  # geree : la plateforme publie la zone ; externe : packmairie dit quoi saisir ailleurs, et le vérifie.",
        f"  dns: {dns.value}",
        f"  confirme: {'false' if domain is None else 'true'}",
        "",
        "# À compléter : qui a une boîte à la mairie. contact@, postmaster@ et abuse@ existent toujours.",
        "agents: []",
        "# agents:",
        "#   - identifiant: prenom.nom",
        "#     nom: Prénom Nom",
        "",
        "messagerie:",
        "  # Adresses supplémentaires, et les boîtes qui les reçoivent.",
        "  alias:",
        "    mairie: [contact]",
        "",
        "# À compléter : les briques que la commune a déjà, et par qui. Elles sont vérifiées, jamais déployées.",
        "# existant:",
        "#   presence: Nom du prestataire",
        "",
        "# À compléter : ce que montre le site. Tout est facultatif ; les couleurs illisibles sont refusées.",
        "# site:",
        "#   adresse:",
        "#     voie: 1 place de la Mairie",
        '#   telephone: "03 00 00 00 00"',
        "#   horaires:",
        "#     - jours: lundi, jeudi",
        "#       heures: 9h-12h, 14h-17h30",
        "#   elus:",
        "#     - fonction: Maire",
        "#       nom: Prénom Nom",
        "",
        "# À compléter : ce que la fiche de la mairie déclare sur Service-Public.gouv.fr.",
        "# service_public:",
        "#   courriel: contact@exemple.fr",
        "#   site: https://www.exemple.fr",
        "#   constate_le: AAAA-MM-JJ",
    ]
    return "\n".join(lines) + "\n"


def write_communes(folder: Path, texts: dict[Path, str]) -> None:
    """Given a pack's folder and its new communes' files, write them all or none; never overwrite one.

    Raise FileExistsError or OSError.
    """
    (folder / COMMUNES_FOLDER).mkdir(exist_ok=True)
    write_new_files({path: schema_line(path, "commune", folder) + text for path, text in texts.items()})


def pack_text(name: str) -> str:
    """Given the name of a new pack, return a ``pack.yml`` to complete, with documentation addresses (RFC 5737)."""
    return f"""\
# Le pack : la plateforme, ses règles. Les communes sont dans communes/, une par fichier.
# Vérifier à tout moment : packmairie inventory validate --pack DOSSIER

nom: {quoted(name)}

operateur:
  # À compléter : reçoit les alertes et sert au compte de l'autorité de certification.
  nom: {quoted(name)}
  courriel: exploitation@pack.example
  # Pour les mentions légales des sites des communes :
  # adresse: 1 rue de l'Exemple, 59000 Lille
  # telephone: "03 00 00 00 00"

# Qui peut entrer dans le pack. Le seuil est strict : « moins de 1 000 habitants ».
eligibilite:
  departements: ["59", "62"]
  population_moins_de: 1000
  millesime: {MILLESIME}

plateforme:
  # À compléter : domaine propre de la plateforme, et ses adresses publiques.
  domaine: pack.example
  ipv4: [192.0.2.10]
  serveurs_dns:
    ns1: [192.0.2.10]
  hotes:
    # À compléter : un hôte peut jouer plusieurs parts, ou chaque part avoir le sien.
    plateforme:
      adresse: 192.0.2.10
      groupes: [dns, frontal, messagerie]
      connexion:
        ansible_user: root

# Autorité de certification : Let's Encrypt par défaut.
# acme:
#   annuaire: https://acme-v02.api.letsencrypt.org/directory
#   caa: [letsencrypt.org]

# Une boîte ailleurs, pour prouver que le courrier part et arrive.
# temoin:
#   adresse: temoin@ailleurs.example
#   imap: imap.ailleurs.example
#   soumission: smtp.ailleurs.example
"""


def pack_files(folder: Path, name: str) -> dict[Path, str]:
    """Given the folder and the name of a new pack, return its first files by path."""
    pack = folder / PACK_FILE
    return {
        pack: schema_line(pack, "pack", folder) + pack_text(name),
        folder
        / PLUGIN_FILE: "# Inventaire Ansible : calculé par packmairie à partir de ce dossier.\nplugin: packmairie\n",
        folder / ".gitignore": "# Le mot de passe du coffre ne va jamais dans le dépôt.\n.vault-password\n",
        folder / COMMUNES_FOLDER / ".gitkeep": "",
    }

# SPDX-License-Identifier: GPL-3.0-or-later
"""A small sound pack for the inventory's tests, and what makes one wrong."""

from __future__ import annotations

from pathlib import Path

from packmairie.inventory.writer import commune_path, commune_text, pack_text
from packmairie.registry.eligibility import Eligible
from packmairie.registry.table import table

RIENCOURT = "62708-riencourt-les-bapaume.yml"
OEUF = "62633-oeuf-en-ternois.yml"

RICH = """\
insee: "62708"
nom: "Riencourt-lès-Bapaume"
departement: "62"
siren: "216207084"
siret: "21620708400015"
codes_postaux: ["62450"]
population: 33
millesime: 2026
epci:
  siren: "200035442"
  nom: "CC du Sud Artois"
latitude: 50.088
longitude: 2.8813
domaine:
  nom: "riencourt-les-bapaume.fr"
  dns: geree
  confirme: false
  enregistrements:
    - nom: "vieux"
      type: A
      valeurs: ["192.0.2.7"]
convention:
  depuis: 2026-01-15
derogation: "motif d'exemple"
agents:
  - identifiant: "secretariat"
    nom: "Secrétariat"
    quota_mo: 500
messagerie:
  alias:
    "mairie": ["contact"]
  spf: ["include:spf.exemple.fr"]
existant:
  presence: "Prestataire d'exemple"
service_public:
  courriel: "contact@riencourt-les-bapaume.fr"
  site: "https://www.riencourt-les-bapaume.fr"
  constate_le: 2026-11-24
site:
  adresse:
    voie: "1 place de la Mairie"
    complement: "Rez-de-chaussée"
    code_postal: "62450"
    commune: "Riencourt"
  telephone: "03 53 01 00 10"
  courriel: "mairie@riencourt-les-bapaume.fr"
  horaires:
    - jours: "lundi, jeudi"
      heures: "9h-12h, 14h-17h30"
  fermetures:
    - du: 2026-12-24
      au: 2027-01-02
      motif: "congés"
  note_horaires: "Sur rendez-vous"
  elus:
    - fonction: "Maire"
      nom: "Maire (exemple)"
  presentation: ["Un village d'exemple."]
  couleurs:
    principale: "#2f5d50"
    accent: "#f0c75e"
  liens:
    - titre: "Réserver la salle"
      adresse: "https://www.exemple.fr/salle"
      description: "Tarifs et conditions"
  profil_acheteur: "https://marches.exemple.fr/"
  signalement: "https://signalement.exemple.fr/"
  directeur_publication: "Maire (exemple)"
  hebergeur:
    nom: "Hébergeur d'exemple"
    adresse: "2 rue de l'Exemple, 59000 Lille"
    telephone: "03 53 01 00 11"
    courriel: "contact@hebergeur.example"
  delegue_donnees: "dpo@exemple.fr"
  accessibilite:
    etat: "partiellement conforme"
    declaration: 2026-10-01
    audit_par: "Auditeur d'exemple"
    taux: 62
    non_accessible: ["Plans numérisés"]
    contact: "acces@exemple.fr"
  redirections:
    - de: "@"
      vers: "https://www.exemple.fr/"
"""
"""One file with every key, each scalar on a line of its own."""


def make_pack(folder: Path, *codes: str) -> Path:
    """Write a pack with these communes (two by default), as ``inventory add`` would; return its folder."""
    (folder / "communes").mkdir(parents=True)
    (folder / "pack.yml").write_text(pack_text("Essai"), encoding="utf-8")
    for code in codes or ("62708", "62633"):
        row = table()[code]
        commune_path(folder, row).write_text(commune_text(row, Eligible("essai")), encoding="utf-8")
    return folder


def edit(path: Path, before: str, after: str) -> None:
    """Replace a text that must be there, once."""
    text = path.read_text(encoding="utf-8")
    assert before in text, before
    path.write_text(text.replace(before, after, 1), encoding="utf-8")

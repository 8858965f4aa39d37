# SPDX-License-Identifier: GPL-3.0-or-later
"""The report that goes to the authority: what the author accepted and nothing else, signed by the cell, sealed by age.

``age -d`` opens it; the manifest and its signature can be verified without this program.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from packmairie.portail.signalement.cellule.dossiers import Refused, consent
from packmairie.portail.signalement.coffre import Coffre
from packmairie.portail.signalement.competence import commune
from packmairie.portail.signalement.depot.formulaires import facts_for_reading
from packmairie.portail.signalement.fichiers import clear_pieces
from packmairie.portail.signalement.models import Enveloppe
from packmairie.portail.signalement.regles import vocabulaire as words
from packmairie.portail.signalement.scellement import code as codes
from packmairie.portail.signalement.scellement import secours, signature

LARGEST = 100_000_000
_ITEMS = {
    "categorie": ("categories",),
    "faits": ("recit", "depuis", "dernier", "moment", "lieu", "demarches", "attentes"),
    "personnes": ("personnes", "temoins", "mis_en_cause"),
}
README = """\
Ce dossier vient de la cellule de signalement. Il est confidentiel (article R135-4 du code général de la fonction
publique) : seules les personnes qui ont à en connaître peuvent le lire. Conservez-le chiffré.

Vérifier qu'il n'a pas été modifié :
  sha256sum -c MANIFESTE.sha256
  openssl pkeyutl -verify -pubin -inkey CLE_PUBLIQUE.pem -rawin -in MANIFESTE.sha256 -sigfile MANIFESTE.sig
Empreinte de la clé de la cellule, à comparer de vive voix : {fingerprint}
"""
_PEM = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"
"""The DER beginning of an Ed25519 public key (RFC 8410), which its 32 bytes follow."""


@dataclass(frozen=True)
class Envoi:
    """A sealed export: its bytes and the SHA-256 of its manifest."""

    contenu: bytes
    empreinte: str
    elements: tuple[str, ...]


def public_pem(public: bytes) -> bytes:
    """Given an Ed25519 public key, return it as OpenSSL reads it."""
    return b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(_PEM + public) + b"\n-----END PUBLIC KEY-----\n"


def report_text(vault: Coffre, items: Sequence[str], recipient: str, asked: str, when: datetime) -> str:
    """Given an open vault and the accepted items, return the report. A question that was not accepted is not in it."""
    report = vault.report
    facts = vault.last("faits") or {}
    row = commune(facts.get("insee", ""))
    lines = [
        "RAPPORT DE LA CELLULE DE SIGNALEMENT", "",
        f"De : {report.cellule.nom}, {report.cellule.centre}", f"À : {recipient}",
        f"Employeur : {row.nom if row else facts.get('insee', '')}", f"Établi le : {when:%d/%m/%Y}", "",
        f"Un signalement a été reçu le {report.recu:%d/%m/%Y} (dispositif : "
        f"{words.label(words.DISPOSITIFS, report.dispositif)}).", "",
        "Son auteur accepte que vous sachiez : "
        + " ; ".join(text for code, text in words.CONSENTEMENTS if code in items) + ".", "",
    ]  # fmt: skip
    if "identite" in items:
        identity = vault.last("identite", Enveloppe.IDENTITE) or {}
        lines += [
            f"Auteur : {identity.get('nom', 'anonyme')}",
            f"Contact : {identity.get('contact') or 'non donné'}",
            "",
        ]
    shown = {name: facts[name] for item in items for name in _ITEMS.get(item, ()) if facts.get(name)}
    for question, answer in facts_for_reading({**shown, "employeur_sait": ["x"]}, report.dispositif)[:-1]:
        lines += [f"{question} :", str(answer), ""]
    if asked:
        lines += ["Ce que la cellule vous demande :", asked, ""]
    lines += [
        "Rappels : aucune mesure défavorable ne peut viser l'auteur, la victime ou un témoin de bonne foi (L135-6",
        "CGFP) ; la protection fonctionnelle (L134-1) et, en cas de risque manifeste, les mesures d'urgence (L134-6)",
        "relèvent de l'autorité territoriale.", "",
    ]  # fmt: skip
    return "\n".join(lines)


def make_export(
    vault: Coffre, wanted: Sequence[str], recipient: str, asked: str, when: datetime, *, seed: bytes, age_key: str,
    passphrase: str,
) -> Envoi:  # fmt: skip
    """Given an open vault and what is wished, return the sealed export.

    Raise ``Refused`` for anything that the author did not accept, or that this member cannot open.
    """
    allowed = consent(vault)
    beyond = [item for item in wanted if item not in allowed]
    if beyond or not wanted:
        raise Refused("L'auteur n'a pas accepté que cela soit transmis.")
    if "identite" in wanted and not vault.opens(Enveloppe.IDENTITE):
        raise Refused("Transmettre l'identité demande un garant, qui en a la clé.")
    files = {"RAPPORT.txt": report_text(vault, wanted, recipient, asked, when).encode()}
    if "pieces" in wanted:
        pieces = vault.all("piece", boxes=(Enveloppe.FAITS,))
        if sum(piece.contenu["taille"] for piece in pieces) > LARGEST:
            raise Refused("Les pièces dépassent 100 Mo : remettez-les autrement.")
        for piece in pieces:
            files[f"pieces/{piece.numero:03d}-{piece.contenu['nom']}"] = b"".join(clear_pieces(piece))
    public = bytes(vault.report.cellule.cle_verification or b"")
    files["LISEZ-MOI.txt"] = README.format(fingerprint=signature.fingerprint(public)).encode()
    manifest = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())).encode()
    files["MANIFESTE.sha256"] = manifest
    files["MANIFESTE.sig"] = signature.sign(manifest, seed)
    files["CLE_PUBLIQUE.pem"] = public_pem(public)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in files.items():
            package.writestr(zipfile.ZipInfo(name, when.timetuple()[:6]), data)
    clear = archive.getvalue()
    sealed = secours.seal_to_recipient(clear, age_key) if age_key else secours.seal_to_passphrase(clear, passphrase)
    return Envoi(sealed, hashlib.sha256(manifest).hexdigest(), tuple(wanted))


def new_passphrase() -> str:
    """Return a passphrase of 100 bits, easy to say on the telephone."""
    return codes.groups(codes.draw(20))

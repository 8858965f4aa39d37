# SPDX-License-Identifier: GPL-3.0-or-later
"""The @CTES message of an act (1-1) and its envelope, in ISO-8859-1, under the names that the exchange gives them.

The transmission operator makes its own from the same values; these are made to be validated before anything leaves.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from lxml import etree

from packmairie.formats.actes.act import Act, Sender

SPACE = "http://www.interieur.gouv.fr/ACTES#v1.1-20040216"
INSEE = "http://xml.insee.fr/schema"
NSMAP = {"actes": SPACE, "insee": INSEE}
ABBREVIATIONS = {1: "DE", 2: "AR", 3: "AI", 4: "CC", 5: "BF", 6: "AU"}


def act_identifier(act: Act, sender: Sender) -> str:
    """Return the identifier of an act for the State: ``062-216207084-20261015-2026_017-DE``."""
    letters = ABBREVIATIONS.get(act.nature, "AU")
    return f"{sender.department}-{sender.siren}-{act.day:%Y%m%d}-{act.number}-{letters}"


def message_name(act: Act, sender: Sender) -> str:
    """Return the name of the message's file."""
    return f"{act_identifier(act, sender)}-1-1_0.xml"


def document_names(act: Act, sender: Sender) -> tuple[str, ...]:
    """Return the names of the act and of its annexes, in order."""
    base = f"{act_identifier(act, sender)}-1-1"
    return tuple(
        f"{file.type}-{base}_{number}.{_extension(file.name)}"
        for number, file in enumerate((act.document, *act.annexes), start=1)
    )


def _extension(name: str) -> str:
    return name.rsplit(".", 1)[-1].lower() if "." in name else "pdf"


def envelope_name(sender: Sender, day: date, number: int) -> str:
    """Return the name of an envelope's file: ``EACT--216207084--20261124-1.xml``."""
    return f"EACT--{sender.siren}--{day:%Y%m%d}-{number}.xml"


def message(act: Act, sender: Sender, classified: date) -> bytes:
    """Given an act, its sender and the date of the classification, return the message."""
    root = _element(None, "Acte", Date=act.day.isoformat(), NumeroInterne=act.number, CodeNatureActe=str(act.nature))
    for level, code in enumerate(act.matiere.split("."), start=1):
        _element(root, f"CodeMatiere{level}", CodeMatiere=code)
    _element(root, "Objet").text = act.subject
    _element(root, "ClassificationDateVersion").text = classified.isoformat()
    first, *others = document_names(act, sender)
    _element(_element(root, "Document"), "NomFichier").text = first
    annexes = _element(root, "Annexes", Nombre=str(len(others)))
    for name in others:
        _element(_element(annexes, "Annexe"), "NomFichier").text = name
    _element(root, "DocumentPapier").text = "O" if act.on_paper else "N"
    return _serialised(root)


def envelope(act: Act, sender: Sender) -> bytes:
    """Return the envelope of an act alone."""
    root = _element(None, "EnveloppeCLMISILL")
    issuer = _element(root, "Emetteur")
    identity = _element(
        issuer, "IDCL", Departement=sender.department, Arrondissement=sender.arrondissement, Nature=sender.nature
    )
    identity.set(f"{{{INSEE}}}SIREN", sender.siren)
    contact = _element(issuer, "Referent")
    _element(contact, "Nom").text = sender.name
    _element(contact, "Email").text = sender.address
    _element(_element(root, "AdressesRetour"), "Email").text = sender.address
    form = _element(_element(root, "FormulairesEnvoyes"), "Formulaire")
    _element(form, "NomFichier").text = message_name(act, sender)
    return _serialised(root)


def _element(parent: Any, name: str, **attributes: str) -> Any:
    tag = f"{{{SPACE}}}{name}"
    element = etree.Element(tag, nsmap=NSMAP) if parent is None else etree.SubElement(parent, tag)
    for key, value in attributes.items():
        element.set(f"{{{SPACE}}}{key}", value)
    return element


def _serialised(root: Any) -> bytes:
    return bytes(etree.tostring(root, encoding="ISO-8859-1", xml_declaration=True, pretty_print=True))

# SPDX-License-Identifier: GPL-3.0-or-later
"""What S²LOW answers, from memory, and the acknowledgement of an act."""

from __future__ import annotations

from envois_samples import PDF, SCHEMAS

from packmairie.engines.deposit import NotSentError
from packmairie.formats.actes.s2low import Status

ACTES = SCHEMAS / "actes"
EXAMPLES = ACTES / "exemples"


def arack(number="2026_017", siren="216207084"):
    """Return the acknowledgement of an act."""
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<actes:ARActe xmlns:actes="http://www.interieur.gouv.fr/ACTES#v1.1-20040216" actes:DateReception="2026-11-24"
 actes:IDActe="062-{siren}-20261015-{number}-DE"><actes:ActeRecu actes:NumeroInterne="{number}" actes:Date="2026-10-15">
<actes:Objet>Budget supplémentaire</actes:Objet></actes:ActeRecu></actes:ARActe>""".encode("iso-8859-1")


class FakeS2low:
    """Answers from memory what S²LOW would."""

    def __init__(self):
        self.created = []
        self.state = Status(17)
        self.stamped = PDF + b"tampon"
        self.refusal = ""
        self.cut = False

    def test(self):
        """Known."""

    def classification(self):
        return (EXAMPLES / "pastell-classification.xml").read_bytes()

    def create(self, made, files):
        if self.refusal:
            raise NotSentError(self.refusal)
        self.created.append((made, [file.name for file in files]))
        self.content = files[0].path.read_bytes()
        if self.cut:
            raise OSError("coupure")
        return "666"

    def status(self, transaction):
        assert transaction == "666"
        return self.state

    def files(self, transaction):
        return [
            {"id": "1", "name": "x_0.xml", "mimetype": "text/xml"},
            {"id": "2", "name": self.created[0][1][0], "mimetype": "application/pdf"},
        ]

    def download(self, file, *, stamped=False):
        return self.stamped if stamped else self.content

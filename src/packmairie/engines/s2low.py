# SPDX-License-Identifier: GPL-3.0-or-later
"""S²LOW over mutual TLS: a transaction created to wait for the agent, then read; never confirmed, never signed.

The certificate is the machine's own. The agent's RGS** certificate stays in the agent's browser.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packmairie.engines.deposit import NotSentError, NotThere, Package, There, Unknown
from packmairie.engines.deposit_http import Client
from packmairie.engines.sip import opened
from packmairie.formats.actes.act import Act
from packmairie.formats.actes.s2low import Status, create_fields, read_answer, read_status

MODULE = "/modules/actes"


@dataclass(frozen=True)
class Sent:
    """A file to send: where it is, and the name under which it goes (ASCII, made by the exchange's rules)."""

    path: Path
    name: str


class S2low:
    """One S²LOW, spoken to by one machine."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def test(self) -> None:
        """Raise NotSentError when S²LOW does not know this machine."""
        answer = self.client.ask("GET", "/api/test-connexion.php")
        if answer.status_code != 200 or not answer.content.lstrip().startswith(b"OK"):
            told = answer.content.decode("iso-8859-1").strip()[:200]
            raise NotSentError(f"S²LOW refuse la connexion (HTTP {answer.status_code}) : {told}")

    def classification(self) -> bytes:
        """Return the classification that the préfecture serves. Raise NotSentError or OSError."""
        content = self._get(f"{MODULE}/actes_classification_fetch.php", api="1")
        if content.lstrip().startswith(b"KO"):
            raise NotSentError(content.decode("iso-8859-1").strip()[2:].strip()[:300] or "pas de classification")
        return content

    def create(self, act: Act, files: list[Sent]) -> str:
        """Create the transaction and return its number. Raise NotSentError when refused, OSError when unsure."""
        # Each text goes in ISO-8859-1, which S²LOW expects whatever the request says.
        fields = {
            name: [text.encode("iso-8859-1") for text in value]
            if isinstance(value, list)
            else value.encode("iso-8859-1")
            for name, value in create_fields(act).items()
        }
        with ExitStack() as stack:
            parts: list[Any] = []
            for position, file in enumerate(files):
                stream, _facts = stack.enter_context(opened(file.path))
                key = "acte_attachments[]" if position else "acte_pdf_file"
                parts.append((key, (file.name, stream, _media_type(file.name))))
            answer = self.client.ask("POST", f"{MODULE}/actes_transac_create.php", data=fields, files=parts)
        if 400 <= answer.status_code < 500:
            raise NotSentError(f"S²LOW refuse (HTTP {answer.status_code})")
        try:
            good, rest = read_answer(answer.content)
        except ValueError as error:
            raise OSError(f"S²LOW répond HTTP {answer.status_code}, {error}") from None
        if not good:
            raise NotSentError(f"S²LOW refuse : {rest[:400]}")
        number = rest.split()[0] if rest else ""
        if not number.isdigit():
            raise OSError(f"S²LOW n'a pas donné de numéro de transaction ({rest[:80]})")
        return number

    def status(self, transaction: str) -> Status:
        """Return the status of a transaction. Raise ValueError when S²LOW refuses to tell it."""
        return read_status(self._get(f"{MODULE}/actes_transac_get_status.php", transaction=transaction))

    def files(self, transaction: str) -> list[dict[str, Any]]:
        """Return the files of a transaction as S²LOW lists them. Raise ValueError."""
        found = json.loads(self._get(f"{MODULE}/actes_transac_get_files_list.php", transaction=transaction))
        if not isinstance(found, list):
            raise ValueError("liste de fichiers illisible")
        return [item for item in found if isinstance(item, dict)]

    def download(self, file: str, *, stamped: bool = False) -> bytes:
        """Return a file of a transaction, stamped with its acknowledgement or not."""
        return self._get(f"{MODULE}/actes_download_file.php", file=file, **({"tampon": "true"} if stamped else {}))

    def _get(self, path: str, **parameters: str) -> bytes:
        answer = self.client.ask("GET", path, params=parameters)
        if answer.status_code != 200:
            raise NotSentError(f"S²LOW répond HTTP {answer.status_code}")
        return answer.content


def _media_type(name: str) -> str:
    return {"pdf": "application/pdf", "png": "image/png"}.get(name.rsplit(".", 1)[-1], "image/jpeg")


class S2lowDeposit:
    """The deposit of one act, as the others are done."""

    def __init__(self, s2low: S2low, act: Act, files: list[Sent]) -> None:
        self.s2low = s2low
        self.act = act
        self.files = files

    def stage(self, package: Package) -> None:
        """Ask whether S²LOW knows this machine, before files are sent."""
        self.s2low.test()

    def commit(self, package: Package) -> dict[str, Any]:
        """Create the transaction, which waits for the agent."""
        return {"moyen": "s2low", "transaction": self.s2low.create(self.act, self.files)}

    def find(self, package: Package) -> There | NotThere | Unknown:
        """S²LOW finds a transaction by its number alone, which is what was lost."""
        return Unknown("S²LOW ne retrouve une transaction que par son numéro ; le lire dans son interface")

    def same(self, transaction: str) -> bool:
        """Tell whether a transaction of S²LOW holds the very act that is to be deposited."""
        mine = hashlib.sha256(self.files[0].path.read_bytes()).hexdigest()
        for item in self.s2low.files(transaction):
            if str(item.get("mimetype")) == "application/pdf" and f"-{self.act.number}-" in str(item.get("name")):
                return hashlib.sha256(self.s2low.download(str(item.get("id")))).hexdigest() == mine
        return False

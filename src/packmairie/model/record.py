# SPDX-License-Identifier: GPL-3.0-or-later
"""A DNS record set as packmairie wishes it, before any provider is involved."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

RECORD_TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT")
DEFAULT_TTL = 3600


@dataclass(frozen=True, order=True)
class Record:
    """One record set: an owner name, a type, and the values in presentation form.

    ``name`` is relative to the zone (``""`` is the apex). ``values`` are RFC 1035
    presentation values, host names absolute with their final dot; TXT values are
    unquoted and of any length, splitting into 255-byte strings is the writer's work.
    ``why`` is shown to whoever has to enter the record by hand (French).
    """

    name: str
    type: str
    values: tuple[str, ...]
    ttl: int = DEFAULT_TTL
    why: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Refuse what must never be published: an unknown type or an empty value.

        An empty value is not a formality: ``p=`` alone revokes a DKIM key (RFC 6376 §3.6.1).
        """
        if self.type not in RECORD_TYPES:
            raise ValueError(f"type d'enregistrement inconnu : {self.type}")
        if not self.values or any(not value.strip() for value in self.values):
            raise ValueError(f"enregistrement {self.type} « {self.name or '@'} » sans valeur")
        if any("\n" in value or "\r" in value or "\0" in value for value in self.values):
            raise ValueError(f"enregistrement {self.type} « {self.name or '@'} » : caractère de contrôle")

    def owner(self, zone: str) -> str:
        """Return the absolute owner name, with its final dot, in the given zone (no final dot)."""
        return f"{self.name}.{zone}." if self.name else f"{zone}."


@dataclass(frozen=True)
class Zone:
    """All the records wished in one zone.

    ``commune`` is the INSEE code that the zone belongs to, or ``None`` for the
    platform's own. ``managed`` says whether packmairie publishes the zone itself
    or only prints and checks it (``dns: externe``).
    """

    name: str
    records: tuple[Record, ...]
    commune: str | None = None
    managed: bool = True
    owners: dict[str, str] = field(default_factory=dict, compare=False)
    """INSEE code by relative owner name, for records of a shared zone that belong to one commune."""

    def commune_of(self, record_name: str) -> str | None:
        """Return the commune that a record of this zone belongs to, if one does."""
        return self.commune or self.owners.get(record_name)


_PLAIN = re.compile(rb"[ !#-\[\]-~]*")


def txt_strings(value: str) -> str:
    """Given an unquoted TXT value, return it in presentation form, split at 255 bytes (RFC 1035 §3.3.14)."""
    encoded = value.encode("utf-8")
    chunks = [encoded[start : start + 255] for start in range(0, len(encoded), 255)] or [b""]
    return " ".join('"' + _escape(chunk) + '"' for chunk in chunks)


def _escape(chunk: bytes) -> str:
    """Escape quotes, backslashes and non-printable bytes as RFC 1035 §5.1 says."""
    if _PLAIN.fullmatch(chunk):
        return chunk.decode("ascii")
    return "".join(
        f"\\{chr(byte)}" if byte in b'"\\' else chr(byte) if 32 <= byte < 127 else f"\\{byte:03d}" for byte in chunk
    )


def zone_text(zone: Zone) -> str:
    """Given a zone, return its records as a zone file fragment, one line a value, aligned for reading."""
    lines = [f"$ORIGIN {zone.name}."]
    for record in sorted(zone.records):
        for value in record.values:
            shown = txt_strings(value) if record.type == "TXT" else value
            lines.append(f"{record.name or '@':<28} {record.ttl:>6} IN {record.type:<6} {shown}")
    return "\n".join(lines) + "\n"

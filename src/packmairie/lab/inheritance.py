# SPDX-License-Identifier: GPL-3.0-or-later
"""What lab hosts inherit from the machine: its apt mirror, apt options and extra authorities.

Nothing about any mirror is written in the project: whatever this machine uses,
the lab uses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from packmairie.lab import commands
from packmairie.model.problem import fail

RELEASE = "trixie"
_INHERITED_OPTION = re.compile(
    r"^Acquire::(Check-|Retries|By-Hash|ForceIPv[46]|https?::(?!.*Proxy)|AllowInsecure|Max-)", re.IGNORECASE
)
_SUITE = re.compile(r"^(?P<codename>[a-z]+)(?P<pocket>|-updates|-security|/updates)$")


@dataclass(frozen=True, order=True)
class Source:
    """One apt source for Debian's own archive, translated to the lab's release."""

    uri: str
    suites: tuple[str, ...]
    signed_by: str = ""

    def stanza(self) -> str:
        """Return it in the deb822 format of sources.list.d (see sources.list(5))."""
        lines = ["Types: deb", f"URIs: {self.uri}", f"Suites: {' '.join(self.suites)}", "Components: main"]
        if self.signed_by:
            lines.append(f"Signed-By: {self.signed_by}")
        return "\n".join(lines) + "\n"

    @property
    def host(self) -> str:
        """Name (without port) of the mirror."""
        return urlsplit(self.uri).hostname or ""


def translate(texts: Iterable[str], codename: str, release: str = RELEASE) -> list[Source]:
    """Translate the machine's apt sources to those of the lab's hosts.

    Given the texts of sources.list and sources.list.d files, in either format, and
    the machine's codename. Only Debian's own archive (component main, suites of
    that codename) is kept; third-party repositories are not.
    """
    found: list[Source] = []
    for text in texts:
        entries = _deb822(text) if re.search(r"(?mi)^Types:", text) else _one_line(text)
        for uris, suites, components, signed_by in entries:
            wanted = tuple(
                f"{release}{match['pocket'].replace('/updates', '-security')}"
                for match in map(_SUITE.match, suites)
                if match and match["codename"] in {codename, "stable", release}
            )
            if "main" not in components or not wanted:
                continue
            found.extend(Source(uri, wanted, signed_by) for uri in uris if urlsplit(uri).scheme in {"http", "https"})
    return list(dict.fromkeys(found))


_Entry = tuple[list[str], list[str], list[str], str]


def _deb822(text: str) -> list[_Entry]:
    entries: list[_Entry] = []
    for paragraph in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        key = ""
        for line in paragraph.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if line[0] in " \t":
                fields[key] = f"{fields.get(key, '')} {line.strip()}"
                continue
            key, _, value = line.partition(":")
            key = key.strip().lower()
            fields[key] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            signed = fields.get("signed-by", "")
            entries.append(
                (
                    fields.get("uris", "").split(),
                    fields.get("suites", "").split(),
                    fields.get("components", "").split(),
                    # A key written in the stanza belongs to the machine; Debian's keyring is in the base.
                    signed if signed.startswith("/usr/share/keyrings/debian-") else "",
                )
            )
    return entries


def _one_line(text: str) -> list[_Entry]:
    entries: list[_Entry] = []
    for line in text.splitlines():
        match = re.match(r"^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if match:
            entries.append(([match[1]], [match[2]], match[3].split(), ""))
    return entries


def inherited_options(dump: str) -> list[str]:
    """Return the lines of ``apt-config dump`` that say how to reach and trust the mirror."""
    return [line for line in dump.splitlines() if _INHERITED_OPTION.match(line) and not line.endswith(' "";')]


def upstream_proxy(dump: str) -> str:
    """Return ``host:port`` of the HTTP proxy that the machine's own apt uses, or an empty string."""
    match = re.search(r'^Acquire::http::Proxy "(?!false|DIRECT)([^"]+)";', dump, re.MULTILINE)
    return urlsplit(match[1]).netloc if match else ""


def proxy_options(proxy: str) -> str:
    """Return the apt.conf.d file that sends a host's apt through the lab's proxy, given its URL."""
    return "".join(f'Acquire::{scheme}::Proxy "{proxy}";\n' for scheme in ("http", "https"))


@dataclass(frozen=True)
class Inheritance:
    """Everything that the lab takes from the machine."""

    sources: tuple[Source, ...]
    options: tuple[str, ...]
    upstream: str
    authorities: tuple[Path, ...]

    @property
    def mirrors(self) -> tuple[str, ...]:
        """The names that the apt proxy lets through, sorted."""
        return tuple(sorted({source.host for source in self.sources if source.host}))

    def apt_options(self) -> str:
        """Return the apt.conf.d file of the lab's base: the machine's options, and downloads kept."""
        lines = [
            "# Labo packmairie : options de la machine ; les paquets servent aux hôtes suivants.",
            *self.options,
            'Acquire::Languages "none";',
            'APT::Keep-Downloaded-Packages "true";',
        ]
        return "\n".join(lines) + "\n"

    def sources_file(self) -> str:
        """Return the hosts' debian.sources."""
        return "\n".join(source.stanza() for source in self.sources)


def read_sources(etc: Path = Path("/etc")) -> list[Source]:
    """Return the machine's Debian sources translated to the lab's release (empty: not a Debian)."""
    release = (etc / "os-release").read_text() if (etc / "os-release").exists() else ""
    match = re.search(r"^VERSION_CODENAME=\"?([a-z]+)", release, re.MULTILINE)
    files = [etc / "apt/sources.list", *sorted((etc / "apt/sources.list.d").glob("*"))]
    texts = [file.read_text() for file in files if file.is_file() and file.suffix in {".list", ".sources"}]
    return translate(texts, match[1] if match else "stable")


def read(etc: Path = Path("/etc")) -> Inheritance:
    """Read from this machine what its lab hosts inherit. Raise when it has no usable Debian source."""
    sources = read_sources(etc)
    if not sources:
        raise fail(
            str(etc / "apt"),
            "aucune source apt de Debian utilisable par les hôtes du labo",
            "déclarer un miroir Debian (main, http ou https) dans sources.list.d",
        )
    dump = commands.must(["apt-config", "dump"])
    return Inheritance(
        sources=tuple(sources),
        options=tuple(inherited_options(dump)),
        upstream=upstream_proxy(dump),
        authorities=tuple(sorted(Path("/usr/local/share/ca-certificates").glob("*.crt"))),
    )

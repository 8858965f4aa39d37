# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab keeps what it makes."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Paths:
    """The lab's state folder. Everything below it belongs to the lab alone."""

    state: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Paths:
        """Return the folder named by PACKMAIRIE_LAB, else /var/lib/packmairie-lab."""
        variables = os.environ if environment is None else environment
        return cls(Path(variables.get("PACKMAIRIE_LAB") or "/var/lib/packmairie-lab").absolute())

    @property
    def images(self) -> Path:
        """Base system, apt lists and converged layers."""
        return self.state / "images"

    @property
    def hosts(self) -> Path:
        """One folder per host: upper, work, root, host.json, process.json, console.log."""
        return self.state / "hosts"

    @property
    def keys(self) -> Path:
        """The technician's SSH key, the hosts' keys, the lab's certificate authority."""
        return self.state / "keys"

    @property
    def debs(self) -> Path:
        """The layer of packages already downloaded (a root with var/cache/apt/archives)."""
        return self.state / "debs"

    @property
    def wheelhouse(self) -> Path:
        """Programs downloaded from PyPI on the machine and pushed to the hosts."""
        return self.state / "wheelhouse"

    @property
    def proxy(self) -> Path:
        """Configuration, log and process record of the apt proxy."""
        return self.state / "proxy"

    @property
    def lock(self) -> Path:
        """Held by whoever changes the lab."""
        return self.state / "lock"

    @property
    def known_hosts(self) -> Path:
        """The hosts' public keys, by address: SSH checks them strictly."""
        return self.state / "known_hosts"

    @property
    def allocations(self) -> Path:
        """The last byte of the address of each poste ever booted."""
        return self.state / "addresses.json"

    def host(self, name: str) -> Path:
        """Return the folder of one host."""
        return self.hosts / name

    def make(self) -> None:
        """Create the folders; only root may look inside."""
        for folder in (self.state, self.images, self.hosts, self.keys, self.debs, self.proxy):
            folder.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o711)
        self.keys.chmod(0o700)


def write_atomically(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Write a file so that a reader (or a crash) sees the old content or the new, nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an absent or damaged file counts as empty."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write an object as JSON, atomically."""
    write_atomically(path, json.dumps(value, indent=2, sort_keys=True) + "\n")

# SPDX-License-Identifier: GPL-3.0-or-later
"""What every brique is: pure functions over a commune and its pack.

A brique does no I/O. It says which DNS records, files, buckets and secrets it wants, how it is
proven, and which papers it needs; engines do the work. Adding a brique is one module here, one
role, one test file and one page — and its line in ``catalogue``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from packmairie.model.commune import Commune
from packmairie.model.export import Export
from packmairie.model.pack import Pack
from packmairie.model.probe import Check
from packmairie.model.record import Record
from packmairie.model.sauvegarde import Source
from packmairie.model.secret import SecretWish
from packmairie.model.tree import Tree

Secrets = Mapping[str, Any]
"""A vault's content by secret name. Offline, values are plain placeholders of the right shape."""


@dataclass(frozen=True)
class Paper:
    """A paper precondition of a brique: what must exist, and whether the commune's file says that it does."""

    name: str
    present: bool
    remedy: str


class Brique:
    """One service of the pack. Every method has an empty answer by default."""

    name: str = ""
    title: str = ""
    elsewhere: bool = False
    """True for a brique that has work to do also where the commune has this service elsewhere."""
    units: tuple[str, ...] = ()
    """The systemd units by which its checks judge a shared host (see :class:`HostReading`)."""
    ports: ClassVar[Mapping[str, Mapping[str, tuple[int, ...]]]] = {}
    """The ports that its part of the platform answers on: group → ``tcp`` or ``udp`` → ports. Others are closed."""

    def variables(self, pack: Pack) -> Mapping[str, Mapping[str, Any]]:
        """Return what its roles need to know of the pack, as Ansible variables by group; nothing secret."""
        return {}

    def records(self, commune: Commune, pack: Pack) -> tuple[Record, ...]:
        """Return the records wished in the commune's own zone."""
        return ()

    def shared_records(self, commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Record, ...]:
        """Return the records of this commune that live in the platform's zone."""
        return ()

    def platform_records(self, pack: Pack, secrets: Secrets) -> tuple[Record, ...]:
        """Return the records of the platform's zone that belong to no commune."""
        return ()

    def tenant(self, commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return what the shared hosts need for this commune."""
        return ()

    def platform_tenant(self, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return what the shared hosts need for the platform's own domain."""
        return ()

    def sources(self, commune: Commune, pack: Pack) -> tuple[Source, ...]:
        """Return what must be backed up for this commune on the shared hosts."""
        return ()

    def exports(self, commune: Commune, pack: Pack) -> tuple[Export, ...]:
        """Return what a commune that leaves takes with it: by default, the folders that are backed up for it.

        A brique whose data is in a program rather than in folders gives a ``command`` that writes it. What is only rows
        of a file that communes share comes with the last snapshot of the backups.
        """
        return tuple(
            Export(source.name, source.title, source.group, source.paths, source.excludes)
            for source in self.sources(commune, pack)
            if source.paths
        )

    def buckets(self, commune: Commune, pack: Pack) -> tuple[str, ...]:
        """Return the names of the object stores wished."""
        return ()

    def secrets(self, commune: Commune, pack: Pack) -> tuple[SecretWish, ...]:
        """Return the secrets to generate for this commune."""
        return ()

    def platform_secrets(self, pack: Pack) -> tuple[SecretWish, ...]:
        """Return the secrets to generate for the platform."""
        return ()

    def checks(self, commune: Commune, pack: Pack) -> tuple[Check, ...]:
        """Return how this brique is proven for this commune."""
        return ()

    def platform_checks(self, pack: Pack) -> tuple[Check, ...]:
        """Return how the platform's part of this brique is proven."""
        return ()

    def dossier(self, commune: Commune, pack: Pack) -> tuple[Paper, ...]:
        """Return the paper preconditions."""
        return ()

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the briques that send for communes have in common: ``archivage`` and ``teletransmission``."""

from __future__ import annotations

from typing import Any, ClassVar

from packmairie.briques import envois_tenant
from packmairie.briques.contract import Brique, Secrets
from packmairie.briques.partage_tenant import GROUP
from packmairie.model.commune import Commune
from packmairie.model.export import Export
from packmairie.model.pack import Pack
from packmairie.model.sauvegarde import Source
from packmairie.model.tree import Tree


class SendingBrique(Brique):
    """A brique whose spool and hourly round are on the host of the file spaces."""

    secret_names: ClassVar[tuple[str, ...]]
    """The secrets that the host needs, of the commune or of the platform."""
    attached: ClassVar[tuple[str, ...]]
    """What the host needs of the pack's files, by the beginning of their names."""
    spool_title: ClassVar[str]
    """What the spool is called among what is backed up."""

    def variables(self, pack: Pack) -> dict[str, dict[str, Any]]:
        """Return whether the host of the file spaces has anything to do here."""
        return envois_tenant.variables(self.name, pack)

    def tenant(self, commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return what the host needs of this commune."""
        return envois_tenant.tenant_tree(self.name, commune, pack, secrets, self.secret_names)

    def platform_tenant(self, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
        """Return what the host needs of the pack."""
        return envois_tenant.platform_tree(self.name, pack, secrets, self.secret_names, self.attached)

    def sources(self, commune: Commune, pack: Pack) -> tuple[Source, ...]:
        """Return the spool: without its journal, nobody knows what was sent."""
        if not envois_tenant.sends(self.name, commune, pack):
            return ()
        return (Source(self.name, self.spool_title, GROUP, (envois_tenant.spool_folder(self.name, commune),)),)

    def exports(self, commune: Commune, pack: Pack) -> tuple[Export, ...]:
        """Return what was sent and its receipts: the spool on the host, else the one that the controller keeps."""
        return super().exports(commune, pack) or (Export(self.name, self.title, spool=True),)

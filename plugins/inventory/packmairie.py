# SPDX-License-Identifier: GPL-3.0-or-later
"""Give Ansible the desired state of a pack: its shared hosts, by the parts of the platform that they play."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from packmairie.briques.sauvegarde_files import PLANNED_GROUP, planned_hosts
from packmairie.briques.sauvegarde_repositories import has_store
from packmairie.model.problem import PackmairieError
from packmairie.operations.desired import remembered_pack
from packmairie.operations.variables import BACKED_UP, group_variables, host_variables, workstation_variables

DOCUMENTATION = r"""
name: packmairie
short_description: A pack folder as an inventory
description:
  - Reads the pack in which its configuration file stands (C(packmairie.yml), beside C(pack.yml)).
  - Each shared host is in the groups of the parts that it plays; communes are not hosts.
  - Workstations are in the group C(postes); C(commune_insee) says whose each one is.
options:
  plugin:
    description: Always C(packmairie).
    required: true
    choices: [packmairie]
"""


class InventoryModule(BaseInventoryPlugin):  # type: ignore[misc]
    """The pack as Ansible sees it; reads files only, no host is contacted and no secret is opened."""

    NAME = "packmairie"

    def verify_file(self, path: str) -> bool:
        """Accept the file named packmairie.yml only."""
        return bool(super().verify_file(path)) and Path(path).name == "packmairie.yml"

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Fill the inventory from the pack's folder; every problem of the pack is told at once."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        folder = Path(path).resolve().parent
        try:
            pack = remembered_pack(folder)
        except PackmairieError as error:
            raise AnsibleParserError(f"pack {folder} :\n{error}") from error
        self.inventory.add_group("plateforme_hotes")
        for group, variables in group_variables(pack, folder).items():
            self.inventory.add_group(group)
            for name, value in variables.items():
                self.inventory.set_variable(group, name, value)
        for name, host in sorted(pack.file.plateforme.hotes.items()):
            self.inventory.add_host(name, group="plateforme_hotes")
            for group in host.groupes:
                self.inventory.add_group(group)
                # Not add_child: it takes a host of the name of a group for that group.
                self.inventory.add_host(name, group=group)
            for variable, value in host_variables(host).items():
                self.inventory.set_variable(name, variable, value)
        self._add_backups(pack)
        self._add_workstations(pack)

    def _add_backups(self, pack: Any) -> None:
        """Put in one group the shared hosts that keep something of the communes, where there is a store for it."""
        self.inventory.add_group("sauvegarde")
        for name, host in sorted(pack.file.plateforme.hotes.items()) if has_store(pack) else ():
            if BACKED_UP & set(host.groupes):
                self.inventory.add_host(name, group="sauvegarde")
        self.inventory.add_group(PLANNED_GROUP)
        for name in planned_hosts(pack):
            self.inventory.add_host(name, group=PLANNED_GROUP)

    def _add_workstations(self, pack: Any) -> None:
        """Add each commune's workstations, each knowing whose it is."""
        self.inventory.add_group("postes")
        for commune in pack.communes:
            for poste in commune.postes:
                # Nobody reaches one that pulls: its bundle brings this very playbook to it.
                if poste.revoque_le is not None or poste.pulled:
                    continue
                self.inventory.add_host(poste.nom, group="postes")
                for variable, value in workstation_variables(commune, poste, pack).items():
                    self.inventory.set_variable(poste.nom, variable, value)

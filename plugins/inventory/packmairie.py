# SPDX-License-Identifier: GPL-3.0-or-later
"""Give Ansible the desired state of a pack: its shared hosts, by the parts of the platform that they play."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from packmairie.inventory.loader import load_pack
from packmairie.model.problem import PackmairieError
from packmairie.operations.variables import group_variables, host_variables

DOCUMENTATION = r"""
name: packmairie
short_description: A pack folder as an inventory
description:
  - Reads the pack in which its configuration file stands (C(packmairie.yml), beside C(pack.yml)).
  - Each shared host is in the groups of the parts that it plays; communes are not hosts.
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
            pack = load_pack(folder)
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
                self.inventory.add_child(group, name)
            for variable, value in host_variables(host).items():
                self.inventory.set_variable(name, variable, value)

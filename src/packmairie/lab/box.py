# SPDX-License-Identifier: GPL-3.0-or-later
"""A mairie's box: a host of the lab is taken off the bridge and put in a network of its own, behind a router that
translates its address. What it asks for comes back; nothing else comes in, and no other host has a route to it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from packmairie.lab import commands
from packmairie.lab.desk import first_process
from packmairie.lab.hosts import Host
from packmairie.lab.network import Network
from packmairie.model.problem import fail

OUTSIDE_OFFSET = 250
INSIDE, HOST_ADDRESS = "192.168.77.1", "192.168.77.17"
BOOT_SECONDS = 30.0
RULES = """
table inet box {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
  }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname "lan" oifname "wan" accept
  }
}
table ip box_nat {
  chain postrouting {
    type nat hook postrouting priority 100;
    oifname "wan" masquerade
  }
}
"""


@dataclass(frozen=True)
class Box:
    """The router of one host: a network namespace of this machine, one foot on the lab's bridge."""

    host: Host
    network: Network

    @property
    def namespace(self) -> str:
        """Name of the router's network namespace."""
        return f"{self.network.bridge}-box"

    @property
    def outside(self) -> str:
        """The router's address on the lab's network: all that others see of the host behind it."""
        return self.network.at(OUTSIDE_OFFSET)

    def network_file(self) -> str:
        """Return the systemd.network(5) file of the host behind: a private address, the router for all else."""
        return (
            "[Match]\nName=host0\n\n[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nLLMNR=no\nMulticastDNS=no\n"
            f"Address={HOST_ADDRESS}/24\nGateway={INSIDE}\n"
        )

    def up(self) -> None:
        """Make the router; one that a crash left is made anew."""
        self.down()
        outer = f"{self.network.bridge}bx"[:15]
        commands.must(["ip", "netns", "add", self.namespace])
        commands.must(["ip", "link", "add", outer, "type", "veth", "peer", "name", "wan", "netns", self.namespace])
        commands.must(["ip", "link", "set", outer, "master", self.network.bridge, "up"])
        self._inside("ip", "address", "add", f"{self.outside}/24", "dev", "wan")
        for link in ("lo", "wan"):
            self._inside("ip", "link", "set", link, "up")
        self._inside("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        commands.must(["ip", "netns", "exec", self.namespace, "nft", "-f", "-"], text_input=RULES)

    def take(self) -> None:
        """Put the running host behind the router; its own address must be that of :meth:`network_file` already."""
        index = self._outer_link()
        links = json.loads(commands.must(["ip", "-json", "link", "show"]))
        name = next((link["ifname"] for link in links if link["ifindex"] == index), None)
        if name is None:
            raise fail(self.host.name, "son lien réseau n'est pas sur cette machine", "packmairie lab restart")
        commands.must(["ip", "link", "set", name, "nomaster"])
        commands.must(["ip", "link", "set", name, "netns", self.namespace, "name", "lan"])
        self._inside("ip", "address", "add", f"{INSIDE}/24", "dev", "lan")
        self._inside("ip", "link", "set", "lan", "up")

    def down(self) -> None:
        """Remove the router; the host behind keeps a link that leads nowhere."""
        commands.run(["ip", "netns", "delete", self.namespace])
        deadline = time.monotonic() + 5
        while (Path("/sys/class/net") / f"{self.network.bridge}bx"[:15]).exists() and time.monotonic() < deadline:
            time.sleep(0.1)

    def _inside(self, *argv: str) -> str:
        return commands.must(["ip", "netns", "exec", self.namespace, *argv])

    def _outer_link(self) -> int:
        """Return the index, on this machine, of the other end of the host's link; wait until the host has one."""
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            place = ["nsenter", "-t", str(first_process(self.host)), "-n"]
            found = commands.run([*place, "ip", "-json", "link", "show", "host0"])
            if found.returncode == 0:
                return int(json.loads(found.stdout)[0]["link_index"])
            time.sleep(0.2)
        raise fail(self.host.name, "pas de lien réseau", f"lire {self.host.console}")

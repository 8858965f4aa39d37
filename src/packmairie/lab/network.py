# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own network: one bridge, one prefix, no way out.

Hosts have no default route and nothing is translated for them. On the machine,
a blackhole route for the prefix (only used when the bridge is down) keeps lab
traffic from ever leaving it, and a small nftables table lets the hosts reach
nothing of the machine but the apt proxy.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packmairie.lab import commands
from packmairie.model.problem import Problem, fail

PROXY_PORT = 3142
BLACKHOLE_METRIC = "4278198272"
FIXED_OFFSETS = {"plateforme": 10, "stockage": 11, "monde": 20}
"""Last byte of the address of each host that exists once."""
REGISTRY_OFFSET = 21
"""Second address of `monde`: the authoritative servers of the root and the registries."""
FIRST_POSTE_OFFSET = 101
HOST_NAME = re.compile(r"^(plateforme|stockage|monde|poste-[0-9][0-9AB][0-9]{3}-[0-9]{1,2})$")


@dataclass(frozen=True)
class Network:
    """Name of the bridge and the /24 prefix of one lab. Two labs on a machine need two of these."""

    bridge: str = "pmlab0"
    prefix: ipaddress.IPv4Network = field(default_factory=lambda: ipaddress.IPv4Network("10.59.62.0/24"))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Network:
        """Return the network named by PACKMAIRIE_LAB_NETWORK (``bridge,prefix``), else the usual one."""
        value = (os.environ if environment is None else environment).get("PACKMAIRIE_LAB_NETWORK", "")
        if not value:
            return cls()
        bridge, _, prefix = value.partition(",")
        try:
            network = ipaddress.IPv4Network(prefix)
        except ValueError:
            network = None
        if network is None or network.prefixlen != 24 or not re.fullmatch(r"[a-z][a-z0-9-]{0,10}", bridge):
            raise fail(
                "PACKMAIRIE_LAB_NETWORK",
                f"« {value} » n'est pas de la forme « pont,préfixe/24 »",
                "écrire par exemple pmlab1,10.59.63.0/24",
            )
        return cls(bridge, network)

    def at(self, offset: int) -> str:
        """Return the address whose last byte is `offset`."""
        return str(self.prefix.network_address + offset)

    @property
    def machine(self) -> str:
        """Address of the machine itself on the bridge."""
        return self.at(1)

    @property
    def resolver(self) -> str:
        """Address of monde's resolver, the one in every host's resolv.conf."""
        return self.at(FIXED_OFFSETS["monde"])

    @property
    def registry(self) -> str:
        """Address of monde's authoritative server: the root and the registries."""
        return self.at(REGISTRY_OFFSET)

    @property
    def proxy(self) -> str:
        """URL of the apt proxy as the hosts see it."""
        return f"http://{self.machine}:{PROXY_PORT}"

    def addresses(self, host: str, allocated: Mapping[str, int]) -> tuple[str, ...]:
        """Return the addresses of a host, the main one first.

        `allocated` gives the last byte of each poste. Raise `PackmairieError` for
        a name that is not one of the lab's.
        """
        check_name(host)
        if host == "monde":
            return self.resolver, self.registry
        offset = FIXED_OFFSETS.get(host) or allocated[host]
        return (self.at(offset),)


def check_name(host: str) -> None:
    """Raise `PackmairieError` unless the name is one that the lab can boot."""
    if not HOST_NAME.match(host):
        raise fail(
            host,
            "ce n'est pas le nom d'un hôte du labo",
            "choisir plateforme, stockage, monde ou poste-<code INSEE>-<numéro>",
        )


def allocate(host: str, allocated: Mapping[str, int]) -> int:
    """Return the last byte for a new poste: the lowest free one from 101. Raise when none is left."""
    taken = set(allocated.values())
    for offset in range(FIRST_POSTE_OFFSET, 255):
        if offset not in taken:
            return offset
    raise fail(host, "plus d'adresse libre dans le réseau du labo", "arrêter et purger le labo")


def guard_rules(network: Network) -> str:
    """Return the nftables table that keeps the lab's hosts inside the lab.

    They may talk to one another and to the apt proxy; the machine may open
    connections to them. Nothing is forwarded between the bridge and anything else.
    """
    return f"""\
table inet {network.bridge}
delete table inet {network.bridge}
table inet {network.bridge} {{
  chain input {{
    type filter hook input priority -10; policy accept;
    iifname "{network.bridge}" ct state established,related accept
    iifname "{network.bridge}" ip daddr {network.machine} tcp dport {PROXY_PORT} accept
    iifname "{network.bridge}" icmp type echo-request accept
    iifname "{network.bridge}" drop
  }}
  chain forward {{
    type filter hook forward priority -10; policy accept;
    iifname "{network.bridge}" oifname "{network.bridge}" accept
    iifname "{network.bridge}" drop
    oifname "{network.bridge}" drop
  }}
}}
"""


def blackhole(network: Network, *, present: bool) -> None:
    """Add or remove the route that discards lab traffic when the bridge is down."""
    verb = "replace" if present else "del"
    route = ["ip", "route", verb, "blackhole", str(network.prefix), "metric", BLACKHOLE_METRIC]
    if present:
        commands.must(route)
    else:
        commands.run(route)


def exists(network: Network) -> bool:
    """Say whether the bridge is there."""
    return (Path("/sys/class/net") / network.bridge).exists()


def up(network: Network) -> None:
    """Bring the bridge, its guard and the blackhole route; changes nothing when all are there."""
    blackhole(network, present=True)
    if not exists(network):
        commands.must(["ip", "link", "add", network.bridge, "type", "bridge", "stp_state", "0"])
    ipv6 = Path(f"/proc/sys/net/ipv6/conf/{network.bridge}/disable_ipv6")
    if ipv6.exists():
        ipv6.write_text("1")
    commands.must(["nft", "-f", "-"], text_input=guard_rules(network))
    commands.must(["ip", "address", "replace", f"{network.machine}/24", "dev", network.bridge])
    commands.must(["ip", "link", "set", network.bridge, "up"])


def down(network: Network) -> None:
    """Remove the bridge and its guard. The blackhole stays: without a bridge it is what protects."""
    if exists(network):
        commands.must(["ip", "link", "delete", network.bridge])
    commands.run(["nft", "delete", "table", "inet", network.bridge])


def foreign_filter(ruleset: str, bridge_filtering: str) -> Problem | None:
    """Say whether another firewall of the machine would cut the lab's hosts from one another.

    Given ``nft -j list chains`` and the content of bridge-nf-call-iptables: when bridged
    traffic goes through the forward chains and one of them drops by default (as Docker
    leaves it), two lab hosts cannot talk.
    """
    if bridge_filtering.strip() != "1":
        return None
    try:
        chains = [entry["chain"] for entry in json.loads(ruleset)["nftables"] if "chain" in entry]
    except (ValueError, KeyError):
        return None
    if any(chain.get("hook") == "forward" and chain.get("policy") == "drop" for chain in chains):
        return Problem(
            "pare-feu de la machine",
            "il filtre le trafic entre ponts et rejette par défaut : les hôtes du labo ne se verraient pas",
            "sysctl -w net.bridge.bridge-nf-call-iptables=0",
        )
    return None

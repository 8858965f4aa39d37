# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as its users see it: bring hosts up, look at them, reach them, take them down."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from packmairie.lab import access, hosts, images, inheritance, keys, needs, network, proxy, registrar, world
from packmairie.lab.hosts import Host
from packmairie.lab.images import Layer, Progress
from packmairie.lab.locking import held
from packmairie.lab.network import Network
from packmairie.lab.observation import HostStatus, observe
from packmairie.lab.paths import Paths, read_json, write_json
from packmairie.lab.registrar import Delegation
from packmairie.model.problem import Problem, fail

DEFAULT_HOSTS = ("plateforme", "stockage", "monde")


def _silent(_: str) -> None:
    """Ignore progress."""


OTHER_HOSTS = 50
"""Hosts of other labs that may run on the same machine."""


class Lab:
    """One lab: a state folder and a network. Every method that changes it holds the lab's lock."""

    def __init__(self, paths: Paths, net: Network) -> None:
        self.paths = paths
        self.network = net
        self._depth = 0

    @classmethod
    def open(cls, state: Path | None = None, net: Network | None = None) -> Lab:
        """Return the lab of a state folder and network.

        By default those of PACKMAIRIE_LAB and PACKMAIRIE_LAB_NETWORK, else the
        machine's usual lab. Touches nothing.
        """
        paths = Paths(state.absolute()) if state is not None else Paths.from_environment()
        return cls(paths, net if net is not None else Network.from_environment())

    # What the machine lacks

    def missing_needs(self) -> list[Problem]:
        """Return every need of the lab that this machine does not meet, with its remedy."""
        return needs.missing(self.paths.state)

    def install_needs(self) -> list[str]:
        """Install the missing packages with apt-get, as root; return their names."""
        return needs.install()

    # Hosts

    def host(self, name: str) -> Host:
        """Return a host by name, whether it exists yet or not. Raise for a name that is not the lab's."""
        network.check_name(name)
        allocated = read_json(self.paths.allocations)
        if name.startswith("poste-") and name not in allocated:
            allocated[name] = network.allocate(name, allocated)
            self.paths.make()
            write_json(self.paths.allocations, allocated)
        return Host(name, self.network.addresses(name, allocated), self.paths.host(name), self.network)

    def existing(self) -> list[Host]:
        """Return the hosts that have a folder, by name."""
        if not self.paths.hosts.is_dir():
            return []
        folders = [folder.name for folder in self.paths.hosts.iterdir() if network.HOST_NAME.match(folder.name)]
        return [self.host(name) for name in sorted(folders)]

    def status(self) -> list[HostStatus]:
        """Return the state of every host that has been created, by name."""
        return [observe(host) for host in self.existing()]

    def up(self, names: Sequence[str] = DEFAULT_HOSTS, progress: Progress = _silent) -> list[HostStatus]:
        """Boot hosts and wait until each is ready; those that already run are left alone.

        What a crash left is repaired first: a host that died keeps its disk. `monde`
        is configured by Ansible when no layer of it is kept; one that runs with an
        older configuration is left alone, and told. Raise `PackmairieError`
        (exit code 3) with every unmet need when this machine cannot boot hosts.
        """
        for name in names:
            network.check_name(name)
        needs.require(self.paths.state)
        with self._locked(progress):
            self._prepare(progress)
            self._base(progress)
            chosen = [self.host(name) for name in names]
            world_host = next((host for host in chosen if host.name == "monde"), None)
            if world_host is not None and self._outdated_world(world_host, progress):
                self._stop([world_host])
                images.remove_tree(world_host.upper)
            self._boot(chosen, progress)
            if world_host is not None and not world_host.layer:
                self._converge_world(progress)
        return [observe(host) for host in chosen]

    def prepare(self, progress: Progress = _silent) -> Path:
        """Make the base image that every host stands on, when it is not made yet; return its folder. Boots nothing."""
        needs.require(self.paths.state)
        with self._locked(progress):
            return self._base(progress)

    def create(self, name: str, layer: Layer | None = None, progress: Progress = _silent) -> HostStatus:
        """Boot a host on a fresh disk, above a kept layer when one is given. A running one is stopped first."""
        needs.require(self.paths.state)
        with self._locked(progress):
            self._prepare(progress)
            host = self.host(name)
            self._stop([host])
            self._create(host, layer, progress)
            self._boot([host], progress)
            if name == "monde" and layer is None:
                self._converge_world(progress)
        return observe(host)

    def fleet(self, names: Sequence[str], layer: Layer, progress: Progress = _silent) -> None:
        """Boot many hosts at once, each on a fresh disk above one kept layer. Running ones are stopped first."""
        needs.require(self.paths.state)
        with self._locked(progress):
            self._prepare(progress)
            chosen = [self.host(name) for name in names]
            self._stop(chosen)
            hosts.make_room(len(chosen) + OTHER_HOSTS)
            for host in chosen:
                self._create(host, layer, progress)
            self._boot(chosen, progress)

    def reset(self, name: str, progress: Progress = _silent) -> HostStatus:
        """Boot a host on a fresh disk at the same address, as `up` would create it."""
        with self._locked(progress):
            return self.create(name, self._default_layer(name), progress)

    def restart(self, name: str, progress: Progress = _silent) -> HostStatus:
        """Restart a host on the same disk, as a power cycle in order does.

        A host that reboots from inside stops: nspawn leaves the rest to its caller.
        """
        with self._locked(progress):
            host = self.host(name)
            if not host.created:
                raise fail(name, "cet hôte n'existe pas", f"packmairie lab up {name}")
            self._stop([host])
            self._prepare(progress)
            self._boot([host], progress)
        return observe(host)

    def down(self, *, purge: bool = False, progress: Progress = _silent) -> None:
        """Stop every host and remove disks, bridge, mounts and proxy.

        Images, downloaded packages and keys stay, for a quick start; with `purge`
        everything goes. The route that discards lab traffic stays unless purged:
        without a bridge, it is what keeps that traffic on this machine.
        """
        if not self.paths.state.exists():
            return
        with self._locked(progress):
            self._repair(progress)
            every = self.existing()
            running = [host for host in every if host.process is not None]
            if running:
                progress(f"arrêt de {', '.join(host.name for host in running)}")
            self._stop(every)
            for host in every:
                images.remove_tree(host.folder)
            proxy.down(self.paths)
            network.down(self.network)
            if purge:
                network.blackhole(self.network, present=False)
                for entry in self.paths.state.iterdir():
                    if entry != self.paths.lock:
                        images.remove_tree(entry)
        if purge:
            self.paths.lock.unlink(missing_ok=True)
            self.paths.state.rmdir()

    def harvest(self) -> int:
        """Keep the packages that hosts have downloaded for the next ones; return how many were new."""
        return sum(images.harvest(self.paths, host.upper) for host in self.existing())

    # Layers

    def layer(self, name: str, digest: str) -> Layer | None:
        """Return the kept layer of that name and digest, unless absent or made on an older base."""
        return images.layer(self.paths, name, digest, self._base(_silent))

    def snapshot(self, host_name: str, name: str, digest: str, progress: Progress = _silent) -> Layer:
        """Keep a running host's disk as a layer and restart the host on it; return the layer.

        Only the newest layer of each name is kept, and those that hosts stand on.
        """
        with self._locked(progress):
            host = self.host(host_name)
            if not host.created:
                raise fail(host_name, "cet hôte n'existe pas", f"packmairie lab up {host_name}")
            below = self._below(host)
            if f"{name}-{digest}" in {layer for other in self.existing() for layer in self._below(other)}:
                raise fail(f"{name}-{digest}", "un hôte se sert déjà de cette couche", "choisir un autre condensat")
            self._stop([host])
            layer = images.keep(self.paths, host.upper, name, digest, below)
            self._prepare(progress)
            self._create(host, layer, progress)
            self._boot([host], progress)
            images.prune(self.paths, self._in_use())
        return layer

    # Reaching hosts

    def run(
        self, name: str, argv: Sequence[str], *, text_input: str | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a host as root over SSH; return what it said, whatever its exit status."""
        return access.run(self.paths, self.host(name), argv, text_input=text_input, timeout=timeout)

    def ssh_command(self, name: str, argv: Sequence[str] = (), *, terminal: bool = False) -> list[str]:
        """Return the ssh command line that opens a host, for a caller to execute."""
        return access.ssh_command(self.paths, self.host(name), argv, terminal=terminal)

    def connection_vars(self, name: str) -> dict[str, str]:
        """Return the Ansible variables that connect to a host over SSH."""
        return keys.connection_variables(self.paths, self.host(name).address)

    # The outside world

    def delegate(self, delegations: Mapping[str, Delegation]) -> list[str]:
        """Do the technician's act at the registrar: point domains at their name servers, publish their DS.

        Replaces what was delegated before for each domain. Return the domains whose
        delegation has changed. `monde` must run.
        """
        return registrar.delegate(self.paths, self.host("monde"), delegations)

    def set_reverse(self, names: Mapping[str, str]) -> bool:
        """Do the technician's act at the hosting provider: name addresses of the lab (PTR records).

        Given full host names by address. Return whether something has changed.
        """
        return registrar.set_reverse(self.paths, self.host("monde"), names)

    def flush_resolver(self) -> None:
        """Make monde's resolver forget everything it has learnt."""
        access.must(self.paths, self.host("monde"), ["unbound-control", "reload"])

    def root_certificate(self) -> Path:
        """Return the PEM file of the authority that every lab host trusts and that signs its certificates."""
        self.paths.make()
        return keys.authority(self.paths)[0]

    def witness_password(self) -> Path:
        """Return the file (mode 0600) with the password of temoin@ailleurs.example."""
        self.paths.make()
        return keys.witness_password(self.paths)[0]

    # How it is done

    @contextmanager
    def _locked(self, progress: Progress) -> Iterator[None]:
        """Hold the lab's lock; waits for another command's end, not for ever."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        self.paths.make()
        with held(self.paths.lock, progress):
            self._depth = 1
            try:
                yield
            finally:
                self._depth = 0

    def _prepare(self, progress: Progress) -> None:
        """Bring everything that hosts need to boot."""
        self._repair(progress)
        network.up(self.network)
        proxy.up(self.network, self.paths, inheritance.read())

    def _repair(self, progress: Progress) -> None:
        """Free what crashed hosts left; their disks stay."""
        known = set()
        for host in self.existing():
            known.add(host.machine)
            if host.process is None:
                if host.record.exists():
                    progress(f"{host.name} : arrêt brutal constaté, restes nettoyés")
                hosts.release(host)
        for machine in hosts.leftovers(self.network):
            if machine not in known:
                for group in hosts.cgroup_folders(machine):
                    hosts.empty_cgroup(group)

    def _base(self, progress: Progress) -> Path:
        return images.base(self.paths, inheritance.read(), progress)

    def _world_layer_name(self) -> str:
        return f"monde-{world.digest(self.paths, self.network, self._base(_silent).name)}"

    def _default_layer(self, name: str) -> Layer | None:
        if name != "monde":
            return None
        digest = self._world_layer_name().removeprefix("monde-")
        found = images.layer(self.paths, "monde", digest, self._base(_silent))
        return found if found is not None and world.fresh(found) else None

    def _create(self, host: Host, layer: Layer | None, progress: Progress) -> None:
        base = self._base(progress)
        lists = images.lists(
            self.paths,
            base,
            self.network.proxy,
            progress,
            mount=hosts.mount_overlay,
            unmount=hosts.unmount,
        )
        (self.paths.debs / images.APT_CACHE).mkdir(parents=True, exist_ok=True)
        name = f"{layer.name}-{layer.digest}" if layer else ""
        hosts.create(host, self.paths, images.lowers(self.paths, layer, base, lists), name)

    def _boot(self, chosen: Sequence[Host], progress: Progress) -> None:
        """Start the hosts that do not run, all at once, and wait for every one."""
        starting = [host for host in chosen if host.process is None]
        for host in starting:
            if not host.created:
                self._create(host, self._default_layer(host.name), progress)
        keys.record_known_hosts(self.paths, {host.name: host.addresses for host in self.existing()})
        started = time.monotonic()
        for host in starting:
            hosts.boot(host)
        for host in chosen:
            verdict = access.wait(self.paths, host)
            if host in starting:
                text = f"{host.name} ({host.address}) prêt en {time.monotonic() - started:.1f} s"
                if verdict == "degraded":
                    text += f" ; unités en échec : {', '.join(access.failed_units(self.paths, host))}"
                progress(text)

    def _stop(self, chosen: Sequence[Host]) -> None:
        hosts.stop(list(chosen))
        for host in chosen:
            images.harvest(self.paths, host.upper)

    def _outdated_world(self, host: Host, progress: Progress) -> bool:
        """Say whether monde must be made anew: unfinished, or stopped with an older configuration.

        One that runs and is used is left alone, and the technician told.
        """
        if not host.created or host.layer == self._world_layer_name():
            return False
        if host.layer and host.process is not None:
            progress("monde : son rôle a changé depuis ; « packmairie lab reset monde » pour l'appliquer")
            return False
        progress("monde : à refaire (configuration inachevée ou ancienne)")
        return True

    def _converge_world(self, progress: Progress) -> None:
        """Configure monde, which stands on no layer, and keep it as one."""
        world.converge(self.paths, self.network, self.host("monde"), progress)
        self.snapshot("monde", "monde", self._world_layer_name().removeprefix("monde-"), progress)

    def _below(self, host: Host) -> tuple[str, ...]:
        """Return the names of the layers, then of the base, that a host stands on."""
        folders = [folder.parent if folder.name == "tree" else folder for folder in host.lowers]
        return tuple(
            folder.name
            for folder in folders
            if folder.parent == self.paths.images and not folder.name.startswith("lists-")
        )

    def _in_use(self) -> list[Path]:
        return [folder for host in self.existing() for folder in host.lowers]

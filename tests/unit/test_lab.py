# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure parts of the lab: what it decides, without booting anything."""

import ipaddress
import json
import os
import signal
import sys
import time
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from packmairie.cli.lab import app
from packmairie.engines.wheelhouse import requirements_digest
from packmairie.lab import (
    Delegation,
    Lab,
    Network,
    hosts,
    images,
    inheritance,
    keys,
    needs,
    network,
    processes,
    proxy,
    registrar,
    wheelhouse,
)
from packmairie.lab import paths as lab_paths
from packmairie.lab.paths import Paths
from packmairie.model.problem import ExitCode, PackmairieError, Problem

DEB822 = """\
Types: deb deb-src
# a comment
URIs: http://miroir.test/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://miroir.test/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: https://ailleurs.test/debian
Suites: bookworm
Components: stable
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "labo")
    made.make()
    return made


class TestInheritance:
    def test_deb822_sources_are_translated_to_the_lab_release(self) -> None:
        sources = inheritance.translate([DEB822], "bookworm")
        assert [(source.uri, source.suites) for source in sources] == [
            ("http://miroir.test/debian", ("trixie", "trixie-updates")),
            ("https://miroir.test/debian-security", ("trixie-security",)),
        ]
        assert sources[0].signed_by == "/usr/share/keyrings/debian-archive-keyring.gpg"
        assert "Suites: trixie trixie-updates\n" in sources[0].stanza()

    def test_one_line_sources_are_translated_too(self) -> None:
        text = (
            "# deb http://non.test/debian bookworm main\n"
            "deb [arch=amd64] http://miroir.test/debian bookworm main non-free # commentaire\n"
            "deb http://miroir.test/security bookworm/updates main\n"
            "deb-src http://miroir.test/debian bookworm main\n"
            "deb http://tiers.test/apt bookworm-pgdg main\n"
        )
        found = [(source.uri, source.suites) for source in inheritance.translate([text], "bookworm")]
        assert found == [
            ("http://miroir.test/debian", ("trixie",)),
            ("http://miroir.test/security", ("trixie-security",)),
        ]

    def test_a_machine_without_a_debian_mirror_has_none_to_share(self, tmp_path: Path) -> None:
        assert inheritance.read_sources(tmp_path) == []
        assert inheritance.translate(["deb cdrom:[Debian]/ bookworm main\n"], "bookworm") == []

    def test_only_options_about_reaching_the_mirror_are_inherited(self) -> None:
        dump = (
            'Acquire::Check-Valid-Until "false";\nAcquire::Languages "none";\nAcquire::http "";\n'
            'Acquire::http::Proxy "http://mandataire.test:3128/";\nAcquire::https::Timeout "20";\n'
            'APT::Install-Recommends "0";\n'
        )
        assert inheritance.inherited_options(dump) == [
            'Acquire::Check-Valid-Until "false";',
            'Acquire::https::Timeout "20";',
        ]
        assert inheritance.upstream_proxy(dump) == "mandataire.test:3128"
        assert inheritance.upstream_proxy('Acquire::http::Proxy "DIRECT";\n') == ""

    def test_the_proxy_lets_exactly_the_mirrors_through(self) -> None:
        source = inheritance.Source("http://miroir.test:8080/debian", ("trixie",))
        inherited = inheritance.Inheritance((source, source), (), "", ())
        assert inherited.mirrors == ("miroir.test",)
        assert proxy.filter_rules(inherited.mirrors) == "^miroir\\.test$\n"

    def test_the_proxy_serves_the_lab_only(self, paths: Paths) -> None:
        text = proxy.configuration(Network(), paths, "")
        assert "Listen 10.59.62.1\n" in text
        assert "Allow 10.59.62.0/24\n" in text
        assert "FilterDefaultDeny Yes\n" in text
        assert "Upstream" not in text
        assert "Upstream http amont.test:3128\n" in proxy.configuration(Network(), paths, "amont.test:3128")


class TestNetwork:
    def test_addresses(self) -> None:
        net = Network()
        assert net.addresses("plateforme", {}) == ("10.59.62.10",)
        assert net.addresses("monde", {}) == ("10.59.62.20", "10.59.62.21")
        assert net.addresses("poste-62708-1", {"poste-62708-1": 101}) == ("10.59.62.101",)

    def test_another_network_is_named_in_the_environment(self) -> None:
        net = Network.from_environment({"PACKMAIRIE_LAB_NETWORK": "pmlab1,10.59.63.0/24"})
        assert (net.bridge, net.resolver) == ("pmlab1", "10.59.63.20")
        assert Network.from_environment({}) == Network()

    @pytest.mark.parametrize("value", ["pmlab1", "pmlab1,10.59.63.0/16", "PM,10.59.63.0/24", "a,b"])
    def test_a_wrong_network_is_refused(self, value: str) -> None:
        with pytest.raises(PackmairieError, match="PACKMAIRIE_LAB_NETWORK"):
            Network.from_environment({"PACKMAIRIE_LAB_NETWORK": value})

    @pytest.mark.parametrize("name", ["autre", "poste-62708", "../monde", "poste-2A004-1-1", ""])
    def test_only_the_labs_names_are_hosts(self, name: str) -> None:
        with pytest.raises(PackmairieError, match="n'est pas le nom d'un hôte du labo"):
            network.check_name(name)

    def test_postes_take_the_lowest_free_address(self) -> None:
        assert network.allocate("poste-62708-1", {}) == 101
        assert network.allocate("poste-62708-1", {"a": 101, "b": 103}) == 102
        with pytest.raises(PackmairieError, match="adresse libre"):
            network.allocate("poste-62708-1", {str(offset): offset for offset in range(101, 255)})

    def test_hosts_have_no_route_out(self) -> None:
        text = hosts.network_file(("10.59.62.20", "10.59.62.21"))
        assert "Address=10.59.62.20/24\nAddress=10.59.62.21/24\n" in text
        assert "Gateway" not in text
        assert "DHCP" not in text

    def test_the_guard_drops_what_it_does_not_name(self) -> None:
        rules = network.guard_rules(Network("pmlab7", ipaddress.IPv4Network("10.59.69.0/24")))
        assert 'iifname "pmlab7" ip daddr 10.59.69.1 tcp dport 3142 accept' in rules
        assert rules.count('iifname "pmlab7" drop') == 2

    @pytest.mark.parametrize(
        ("policy", "filtering", "expected"),
        [("drop", "1\n", True), ("drop", "0\n", False), ("accept", "1\n", False)],
    )
    def test_a_firewall_that_cuts_bridges_is_seen(self, policy: str, filtering: str, expected: bool) -> None:
        chains = {"nftables": [{"metainfo": {}}, {"chain": {"hook": "forward", "policy": policy}}]}
        assert (network.foreign_filter(json.dumps(chains), filtering) is not None) is expected
        assert network.foreign_filter("", "1") is None


class TestRegistrar:
    def test_a_delegation_has_its_ds_and_its_glue(self) -> None:
        digest = "a" * 64
        text = registrar.fragment("pack.example", Delegation({"ns1.pack.example": "10.59.62.10"}, [f"1 13 2 {digest}"]))
        assert text == (
            "pack.example. 60 IN NS ns1.pack.example.\n"
            f"pack.example. 60 IN DS 1 13 2 {digest}\n"
            "ns1.pack.example. 60 IN A 10.59.62.10\n"
        )

    def test_no_glue_outside_the_registry(self) -> None:
        text = registrar.fragment("riencourt.fr", Delegation({"NS1.pack.example.": "10.59.62.10"}))
        assert text == "riencourt.fr. 60 IN NS ns1.pack.example.\n"

    def test_requests_are_grouped_by_registry(self) -> None:
        one = Delegation({"ns1.pack.example": "10.59.62.10"})
        requests = registrar.requests({"riencourt.fr": one, "pack.example.": one})
        assert {registry: list(names) for registry, names in requests.items()} == {
            "fr": ["riencourt.fr"],
            "example": ["pack.example"],
        }

    def test_every_problem_is_told_at_once(self) -> None:
        with pytest.raises(PackmairieError) as caught:
            registrar.requests(
                {
                    "commune.com": Delegation({"ns1.pack.example": "10.59.62.10"}),
                    "œuf.fr": Delegation({"ns1.pack.example": "10.59.62.10"}),
                    "vide.fr": Delegation({}),
                    "faux.fr": Delegation({"ns1.pack.example": "dix"}, ["1 13 2 zz"]),
                }
            )
        assert sorted(problem.place for problem in caught.value.problems) == [
            "commune.com",
            "faux.fr",
            "faux.fr",
            "vide.fr",
            "œuf.fr",
        ]

    def test_reverse_names(self) -> None:
        assert registrar.reverse_fragments({"10.59.62.10": "mail.pack.example"}) == {
            "10.59.62.10": "10.62.59.10.in-addr.arpa. 60 IN PTR mail.pack.example.\n"
        }
        with pytest.raises(PackmairieError, match="adresse IPv4"):
            registrar.reverse_fragments({"x": "mail.pack.example"})


class TestImages:
    def _layer(self, paths: Paths, name: str, digest: str, below: tuple[str, ...], made: float) -> None:
        folder = paths.images / f"{name}-{digest}"
        (folder / "tree").mkdir(parents=True)
        lab_paths.write_json(folder / "layer.json", {"below": list(below), "made": made})

    def test_a_layer_is_found_on_its_own_base_only(self, paths: Paths) -> None:
        for base in ("base-1", "base-2"):
            (paths.images / base).mkdir()
        self._layer(paths, "monde", "abc", ("base-1",), 1)
        assert images.layer(paths, "monde", "abc", paths.images / "base-1") is not None
        assert images.layer(paths, "monde", "abc", paths.images / "base-2") is None
        assert images.layer(paths, "monde", "autre") is None

    def test_a_host_stands_on_layers_then_packages_then_lists_then_base(self, paths: Paths) -> None:
        (paths.images / "base-1").mkdir()
        self._layer(paths, "socle", "a", ("base-1",), 1)
        self._layer(paths, "plateforme", "b", ("socle-a", "base-1"), 2)
        layer = images.layer(paths, "plateforme", "b")
        assert images.lowers(paths, layer, paths.images / "base-1", paths.images / "lists-base-1-5") == [
            paths.images / "plateforme-b/tree",
            paths.images / "socle-a/tree",
            paths.debs,
            paths.images / "lists-base-1-5",
            paths.images / "base-1",
        ]

    def test_pruning_keeps_the_newest_of_each_name_what_is_in_use_and_what_they_stand_on(self, paths: Paths) -> None:
        for name, age in (("base-1", 10), ("base-2", 20), ("base-3", 30)):
            (paths.images / name).mkdir()
            os.utime(paths.images / name, (age, age))
        self._layer(paths, "monde", "old", ("base-1",), 1)
        self._layer(paths, "monde", "new", ("base-2",), 2)
        self._layer(paths, "plateforme", "used", ("base-1",), 1)
        self._layer(paths, "plateforme", "newer", ("base-3",), 9)
        for stamp in (5, 7):
            (paths.images / f"lists-base-3-{stamp}").mkdir()
        removed = images.prune(paths, [paths.images / "plateforme-used/tree"])
        assert sorted(path.name for path in removed) == ["lists-base-3-5", "monde-old"]

    def test_keeping_a_host_leaves_caches_and_secrets_of_the_moment_out(self, paths: Paths) -> None:
        upper = paths.state / "upper"
        for file in ("etc/motd", "var/cache/apt/archives/a.deb", "var/lib/apt/lists/l", "tmp/t", "var/log/journal/j"):
            lab_paths.write_atomically(upper / file, "x")
        layer = images.keep(paths, upper, "essai", "1", ("base-1",))
        found = sorted(str(path.relative_to(layer.tree)) for path in layer.tree.rglob("*") if path.is_file())
        assert found == ["etc/motd"]
        assert layer.base == "base-1"
        assert not upper.exists()

    def test_downloaded_packages_are_kept_once(self, paths: Paths) -> None:
        upper = paths.state / "upper"
        lab_paths.write_atomically(upper / images.APT_CACHE / "a_1_amd64.deb", "a")
        lab_paths.write_atomically(upper / images.APT_CACHE / "partial/b.deb", "b")
        assert images.harvest(paths, upper) == 1
        assert images.harvest(paths, upper) == 0
        assert (paths.debs / images.APT_CACHE / "a_1_amd64.deb").read_text() == "a"

    def test_a_digest_follows_content_and_names(self, tmp_path: Path) -> None:
        lab_paths.write_atomically(tmp_path / "role/tasks/main.yml", "a")
        first = images.tree_digest([tmp_path / "role"], "x")
        assert first == images.tree_digest([tmp_path / "role"], "x")
        assert first != images.tree_digest([tmp_path / "role"], "y")
        lab_paths.write_atomically(tmp_path / "role/tasks/main.yml", "b")
        assert first != images.tree_digest([tmp_path / "role"], "x")


class TestProcesses:
    def test_a_recorded_process_is_known_by_its_start(self, tmp_path: Path) -> None:
        record = tmp_path / "process.json"
        process = processes.start(["sleep", "60"], record, tmp_path / "log")
        try:
            assert processes.recorded(record) == process
            assert abs(process.since.timestamp() - time.time()) < 5
            lab_paths.write_json(record, {"pid": process.pid, "started": process.started + 1})
            assert processes.recorded(record) is None
            lab_paths.write_json(record, {"pid": process.pid, "started": process.started})
            processes.stop(record)
            assert not process.alive
            assert not record.exists()
        finally:
            process.signal(signal.SIGKILL)

    def test_a_damaged_record_names_nobody(self, tmp_path: Path) -> None:
        (tmp_path / "process.json").write_text("{")
        assert processes.recorded(tmp_path / "process.json") is None

    def test_cgroups_of_hybrid_and_unified_machines(self, tmp_path: Path) -> None:
        assert hosts.cgroup_folders("h", tmp_path) == []
        for tree in ("unified", "systemd"):
            lab_paths.write_atomically(tmp_path / tree / "cgroup.procs", "")
        assert hosts.cgroup_folders("h", tmp_path) == [tmp_path / "unified/h", tmp_path / "systemd/h"]
        lab_paths.write_atomically(tmp_path / "cgroup.controllers", "cpu")
        assert hosts.cgroup_folders("h", tmp_path) == [tmp_path / "h"]


class TestKeys:
    def test_the_witness_has_one_password_known_by_its_hash(self, paths: Paths) -> None:
        file, digest = keys.witness_password(paths)
        assert digest.startswith("$argon2id$")
        assert file.stat().st_mode & 0o777 == 0o600
        assert keys.witness_password(paths) == (file, digest)
        file.unlink()
        assert keys.witness_password(paths)[1] != digest

    def test_the_authority_is_made_once_and_its_key_is_private(self, paths: Paths) -> None:
        certificate, key = keys.authority(paths)
        assert key.stat().st_mode & 0o777 == 0o600
        before = certificate.read_bytes()
        assert keys.authority(paths)[0].read_bytes() == before

    def test_ssh_checks_host_keys(self, paths: Paths) -> None:
        options = keys.ssh_options(paths)
        assert "StrictHostKeyChecking=yes" in options
        assert f"UserKnownHostsFile={paths.known_hosts}" in options


class TestWheelhouse:
    def test_a_program_is_taken_out_of_its_wheel(self, tmp_path: Path) -> None:
        requirements = tmp_path / "wheelhouse.txt"
        requirements.write_text("outil==1 --hash=sha256:0\n")
        folder = tmp_path / "wheels"
        # What pip would have downloaded for this very file.
        target = folder / requirements_digest(requirements)
        lab_paths.write_atomically(target / ".complete", "")
        with zipfile.ZipFile(target / "outil-1-py3-none-any.whl", "w") as archive:
            archive.writestr("outil-1.data/scripts/outil", "#!/bin/sh\n")
        program = wheelhouse.binary(requirements, "outil", folder)
        assert program.read_text() == "#!/bin/sh\n"
        assert program.stat().st_mode & 0o777 == 0o755
        with pytest.raises(PackmairieError, match="aucun programme « autre »"):
            wheelhouse.binary(requirements, "autre", folder)


class TestCommandLine:
    def test_up_names_every_unmet_need_and_exits_3(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        problems = [Problem("tinyproxy", "absent", "apt-get install tinyproxy-bin"), Problem("droits", "non", "sudo")]
        monkeypatch.setattr(needs, "missing", lambda state: problems)
        monkeypatch.setenv("PACKMAIRIE_LAB", str(tmp_path / "labo"))
        result = CliRunner().invoke(app, ["up", "plateforme"])
        assert result.exit_code == ExitCode.UNAVAILABLE
        assert "apt-get install tinyproxy-bin" in result.stderr
        assert "droits" in result.stderr
        assert not (tmp_path / "labo").exists()

    def test_missing_programs_come_with_their_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(needs, "_find", lambda program: None)
        found = {problem.place: problem.remedy for problem in needs.missing_tools()}
        assert found["systemd-nspawn"] == "apt-get install systemd-container"
        assert found["tinyproxy"] == "apt-get install tinyproxy-bin"

    def test_elsewhere_than_on_linux_there_is_no_lab(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        assert [problem.place for problem in needs.missing(tmp_path)] == ["système"]

    def test_an_empty_lab_has_no_host_and_is_not_created_by_looking(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PACKMAIRIE_LAB", str(tmp_path / "labo"))
        result = CliRunner().invoke(app, ["status", "--json"])
        assert (result.exit_code, json.loads(result.stdout)) == (0, [])
        Lab.open().down()
        assert not (tmp_path / "labo").exists()

    def test_a_name_server_without_address_is_refused(self) -> None:
        result = CliRunner().invoke(app, ["delegate", "commune.fr", "--ns", "ns1.pack.example"])
        assert result.exit_code == ExitCode.FAILURE
        assert "NOM=ADRESSE" in result.stderr

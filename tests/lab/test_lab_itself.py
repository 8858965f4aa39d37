# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab, on booted hosts: that it is real, closed, survives crashes and leaves nothing.

Hosts that are crashed and removed here are those of a second lab, with its own
bridge and folder, so that the usual one is left in peace.
"""

import imaplib
import ipaddress
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from cryptography import x509
from separate import NETWORKS, separate_lab

from packmairie.lab import Delegation, Lab
from packmairie.lab.hosts import cgroup_folders, leftovers
from packmairie.lab.observation import stray_processes

MISSING = "; ".join(str(problem) for problem in Lab.open().missing_needs())
pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(MISSING), reason=MISSING or "nothing is missing")]
SECOND = NETWORKS["essai"]


@pytest.fixture(scope="module")
def second() -> Iterator[Lab]:
    """A second lab, whose hosts are crashed and removed."""
    lab = separate_lab("essai")
    try:
        lab.up(["plateforme", "stockage"])
        yield lab
    finally:
        lab.down(purge=True)


def output(lab: Lab, host: str, script: str) -> str:
    """Run a shell script on a host and return what it wrote."""
    result = lab.run(host, ["sh", "-c", script])
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


class TestSecondLab:
    def test_hosts_are_debian_machines_that_finished_booting(self, second: Lab) -> None:
        for host in ("plateforme", "stockage"):
            assert output(second, host, "cat /proc/1/comm; systemctl is-system-running; hostname") == (
                f"systemd\nrunning\n{host}"
            )
        assert "VERSION_CODENAME=trixie" in output(second, "plateforme", "cat /etc/os-release")
        assert output(second, "plateforme", "cat /etc/machine-id") != output(second, "stockage", "cat /etc/machine-id")

    def test_status_shows_them(self, second: Lab) -> None:
        rows = {row.name: row for row in second.status()}
        assert set(rows) == {"plateforme", "stockage"}
        assert (rows["stockage"].address, rows["stockage"].state) == ("10.59.63.11", "running")
        assert 5 * 1024**2 < rows["stockage"].memory < 500 * 1024**2

    def test_up_again_changes_nothing(self, second: Lab) -> None:
        before = [row.pid for row in second.status()]
        second.up(["plateforme", "stockage"])
        assert [row.pid for row in second.status()] == before

    def test_hosts_reach_each_other_but_have_no_way_out(self, second: Lab) -> None:
        assert "10.59.63.11" in output(second, "plateforme", "ip route get 10.59.63.11")
        assert "default" not in output(second, "plateforme", "ip route")
        assert second.run("plateforme", ["ip", "route", "get", "192.0.2.77"]).returncode != 0

    def test_hosts_reach_no_service_of_the_machine(self, second: Lab) -> None:
        probe = f"timeout 2 bash -c 'exec 3<>/dev/tcp/{SECOND.machine}/$0' %d"
        with socket.create_server((SECOND.machine, 0)) as server:
            port = server.getsockname()[1]
            assert second.run("plateforme", ["sh", "-c", probe % port]).returncode != 0
        assert second.run("plateforme", ["sh", "-c", probe % 3142]).returncode == 0

    def test_the_proxy_refuses_anything_but_the_mirror(self, second: Lab) -> None:
        request = f"exec 3<>/dev/tcp/{SECOND.machine}/3142; printf 'GET http://autre.test/ HTTP/1.0\\r\\n\\r\\n' >&3"
        answer = output(second, "plateforme", f'timeout 5 bash -c "{request}; head -1 <&3"')
        assert answer.startswith("HTTP/1.0 403")

    def test_apt_works_and_downloads_once(self, second: Lab) -> None:
        install = "DEBIAN_FRONTEND=noninteractive apt-get install -y -q tree"
        assert "Get:" in output(second, "stockage", install)
        address, key = second.host("stockage").address, second.paths.known_hosts.read_text()
        second.reset("stockage")
        assert second.host("stockage").address == address
        assert second.paths.known_hosts.read_text() == key
        assert second.run("stockage", ["tree", "--version"]).returncode != 0
        assert "Need to get 0 B/" in output(second, "stockage", install)

    def test_a_converged_host_becomes_a_layer_that_others_start_from(self, second: Lab) -> None:
        output(second, "stockage", "echo convergé > /etc/marque; rm /etc/motd")
        layer = second.snapshot("stockage", "essai", "un")
        assert output(second, "stockage", "cat /etc/marque") == "convergé"
        assert second.layer("essai", "un") == layer
        second.create("plateforme", layer=layer)
        assert output(second, "plateforme", "cat /etc/marque; hostname; test ! -e /etc/motd") == (
            "convergé\nplateforme"
        )
        output(second, "stockage", "echo encore > /etc/marque")
        second.snapshot("stockage", "essai", "deux")
        assert output(second, "stockage", "cat /etc/marque; test ! -e /etc/motd") == "encore"
        second.reset("plateforme")
        assert second.run("plateforme", ["cat", "/etc/marque"]).returncode != 0

    def test_a_host_that_died_is_seen_and_comes_back_with_its_disk(self, second: Lab) -> None:
        output(second, "stockage", "echo avant > /root/marque")
        host = second.host("stockage")
        assert host.process is not None
        os.kill(host.process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while {row.name: row.state for row in second.status()}["stockage"] != "stopped":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        told: list[str] = []
        second.up(["stockage"], progress=told.append)
        assert output(second, "stockage", "cat /root/marque") == "avant"
        assert any("arrêt brutal" in line for line in told)

    def test_a_host_restarts_on_its_disk(self, second: Lab) -> None:
        output(second, "stockage", "echo avant > /root/redémarrage; touch /run/marque")
        second.restart("stockage")
        assert output(second, "stockage", "cat /root/redémarrage; test ! -e /run/marque") == "avant"

    def test_a_proxy_that_died_comes_back(self, second: Lab) -> None:
        record = second.paths.proxy / "process.json"
        pid = int(record.read_text().split('"pid":')[1].split(",")[0])
        os.kill(pid, signal.SIGKILL)
        second.up(["stockage"])
        assert second.run("stockage", ["apt-get", "-q", "update"]).returncode == 0

    def test_two_commands_take_turns(self, second: Lab) -> None:
        told: list[str] = []
        other = Lab.open(second.paths.state, SECOND)
        with second._locked(told.append):
            waiting = threading.Thread(target=lambda: other.up(["stockage"], progress=told.append))
            waiting.start()
            deadline = time.monotonic() + 10
            while not told and time.monotonic() < deadline:
                time.sleep(0.05)
        waiting.join(30)
        assert not waiting.is_alive()
        assert told == ["une autre commande du labo travaille : attente…"]

    def test_down_leaves_nothing(self, second: Lab) -> None:
        """Last of its class: the hosts are gone afterwards."""
        second.down()
        assert not Path("/sys/class/net/pmlab1").exists()
        assert str(second.paths.state) not in Path("/proc/mounts").read_text()
        assert leftovers(SECOND) == []
        assert stray_processes(second.paths, SECOND) == []
        assert not any(folder.exists() for folder in cgroup_folders("pmlab1-stockage"))
        assert (
            subprocess.run(["nft", "list", "table", "inet", "pmlab1"], check=False, capture_output=True).returncode != 0
        )
        assert second.status() == []
        routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
        assert "blackhole 10.59.63.0/24" in routes
        assert any(second.paths.images.glob("base-*"))
        second.down(purge=True)
        routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
        assert "10.59.63.0" not in routes
        assert not second.paths.state.exists()


@pytest.fixture(scope="module")
def world() -> Iterator[Lab]:
    """The usual lab with its outside world; stopped afterwards unless it was in use already."""
    lab = Lab.open()
    in_use = bool(lab.status())
    lab.up(["monde"])
    yield lab
    if not in_use:
        lab.down()


def ask(server: str, name: str, kind: str, *, recursive: bool = True) -> dns.message.Message:
    """Ask a DNS server of the lab and return its whole answer."""
    query = dns.message.make_query(name, kind, want_dnssec=True)
    if not recursive:
        query.flags &= ~dns.flags.RD
    return dns.query.udp(query, server, timeout=5)


def texts(section: list[dns.rrset.RRset], kind: str) -> list[str]:
    """Return the records of a kind in a section, as text."""
    return sorted(
        record.to_text() for rrset in section if dns.rdatatype.to_text(rrset.rdtype) == kind for record in rrset
    )


def receive(lab: Lab, subject: str) -> str:
    """Return the message with that subject from the witness's mailbox, and remove it."""
    context = ssl.create_default_context(cafile=str(lab.root_certificate()))

    class Imap(imaplib.IMAP4_SSL):
        """IMAP to the lab's address, with the certificate of the server's name."""

        def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
            raw = socket.create_connection((lab.network.resolver, 993), timeout=10)
            return context.wrap_socket(raw, server_hostname="mail.ailleurs.example")

    with Imap("mail.ailleurs.example", 993, ssl_context=context) as imap:
        imap.login("temoin@ailleurs.example", lab.witness_password().read_text().strip())
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            imap.select("INBOX")
            numbers = imap.search(None, "SUBJECT", subject)[1][0].split()
            if numbers:
                text = imap.fetch(numbers[0], "(BODY[])")[1][0][1].decode()
                imap.store(numbers[0], "+FLAGS", "\\Deleted")
                imap.expunge()
                return text
            time.sleep(0.2)
    raise AssertionError(f"{subject} was not received")


def message(sender: str) -> EmailMessage:
    """Return a message to the witness with a subject of its own."""
    made = EmailMessage()
    made["From"], made["To"] = sender, "temoin@ailleurs.example"
    made["Subject"] = uuid.uuid4().hex
    made["Message-ID"] = f"<{made['Subject']}@essai.example>"
    made.set_content("Bonjour")
    return made


class TestWorld:
    def test_names_are_validated_up_to_the_labs_root(self, world: Lab) -> None:
        answer = ask(world.network.resolver, "mail.ailleurs.example", "A")
        assert texts(answer.answer, "A") == [world.network.resolver]
        assert answer.flags & dns.flags.AD
        absent = ask(world.network.resolver, "absent.example", "A")
        assert absent.rcode() == dns.rcode.NXDOMAIN
        assert absent.flags & dns.flags.AD

    def test_addresses_have_names(self, world: Lab) -> None:
        name = ipaddress.IPv4Address(world.network.resolver).reverse_pointer
        assert texts(ask(world.network.resolver, name, "PTR").answer, "PTR") == ["mail.ailleurs.example."]
        spare = world.network.at(250)
        world.set_reverse({spare: "hote.essai-labo.example"})
        assert not world.set_reverse({spare: "hote.essai-labo.example"})
        pointer = ipaddress.IPv4Address(spare).reverse_pointer
        assert texts(ask(world.network.resolver, pointer, "PTR").answer, "PTR") == ["hote.essai-labo.example."]

    def test_a_delegation_is_published_replaced_and_idempotent(self, world: Lab) -> None:
        digest, label = uuid.uuid4().hex * 2, f"essai-{uuid.uuid4().hex[:8]}"
        domain = f"{label}.example"
        server = {f"ns1.{domain}": "10.59.62.10"}
        first = {
            domain: Delegation(server, [f"1 13 2 {digest}"]),
            f"{label}.fr": Delegation(server),
        }
        assert world.delegate(first) == [domain, f"{label}.fr"]
        assert world.delegate(first) == []
        answer = ask(world.network.registry, domain, "NS", recursive=False)
        assert texts(answer.authority, "NS") == [f"ns1.{domain}."]
        assert texts(answer.authority, "DS") == [f"1 13 2 {digest}"]
        assert texts(answer.additional, "A") == ["10.59.62.10"]
        other = {domain: Delegation({f"ns2.{domain}": "10.59.62.10"})}
        assert world.delegate(other) == [domain]
        answer = ask(world.network.registry, domain, "NS", recursive=False)
        assert texts(answer.authority, "NS") == [f"ns2.{domain}."]
        assert texts(answer.authority, "DS") == []

    def test_a_domain_whose_ds_is_wrong_is_refused_by_the_resolver(self, world: Lab) -> None:
        """The registry itself serves the reverse zone; here it is asked to vouch for a key it does not have."""
        domain = f"faux-{uuid.uuid4().hex[:8]}.fr"
        world.delegate({domain: Delegation({"ns.monde.example": world.network.registry}, [f"1 13 2 {'0' * 64}"])})
        assert ask(world.network.resolver, domain, "A").rcode() == dns.rcode.SERVFAIL
        world.flush_resolver()
        assert ask(world.network.resolver, "mail.ailleurs.example", "A").rcode() == dns.rcode.NOERROR

    def test_certificates_verify_with_the_root_that_hosts_trust_and_last_a_month(self, world: Lab) -> None:
        context = ssl.create_default_context(cafile=str(world.root_certificate()))
        with (
            socket.create_connection((world.network.resolver, 443), timeout=5) as raw,
            context.wrap_socket(raw, server_hostname="acme.monde.example") as connection,
        ):
            request = "GET /acme/local/directory HTTP/1.0\r\nHost: acme.monde.example\r\n\r\n"
            connection.sendall(request.encode())
            answer = connection.recv(4096).decode()
        assert answer.startswith("HTTP/1.0 200")
        pem = output(world, "monde", "openssl x509 -in /etc/monde/tls/mail.pem")
        certificate = x509.load_pem_x509_certificate(pem.encode())
        assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days >= 30
        verify = "openssl s_client -connect mail.ailleurs.example:993 -verify_return_error < /dev/null"
        assert "Verify return code: 0 (ok)" in output(world, "monde", verify)

    def test_the_foreign_server_carries_mail_and_records_authentication(self, world: Lab) -> None:
        context = ssl.create_default_context(cafile=str(world.root_certificate()))
        sent = message("temoin@ailleurs.example")
        with smtplib.SMTP(world.network.resolver, 587, timeout=10) as smtp:
            smtp._host = "mail.ailleurs.example"
            smtp.starttls(context=context)
            smtp.login("temoin@ailleurs.example", world.witness_password().read_text().strip())
            smtp.send_message(sent)
        received = receive(world, sent["Subject"])
        assert "Authentication-Results: mail.ailleurs.example;" in received
        assert "smtp.auth=temoin@ailleurs.example" in received
        assert "d=ailleurs.example" in received

    def test_a_forged_sender_is_delivered_and_told(self, world: Lab) -> None:
        sent = message("temoin@ailleurs.example")
        with smtplib.SMTP(world.network.resolver, 25, timeout=10) as smtp:
            smtp.send_message(sent)
        received = receive(world, sent["Subject"])
        assert "spf=fail" in received
        assert "dmarc=fail" in received

    def test_the_foreign_server_relays_for_nobody(self, world: Lab) -> None:
        with smtplib.SMTP(world.network.resolver, 25, timeout=10) as smtp:
            smtp.ehlo()
            smtp.mail("x@essai.example")
            code, _ = smtp.rcpt("y@ailleurs-encore.example")
        assert code == 554

    def test_hosts_trust_the_authority(self, world: Lab) -> None:
        name = "/etc/ssl/certs/ca-certificates.crt"
        assert world.root_certificate().read_text() in output(world, "monde", f"cat {name}") + "\n"

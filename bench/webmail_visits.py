# SPDX-License-Identifier: GPL-3.0-or-later
"""What one visit of the webmail costs its host, and what each of six settings saves of it, in one run.

    .venv/bin/python bench/webmail_visits.py --pack FOLDER [--visits 30]

FOLDER is a pack that is deployed on the lab. A visit is that of ``packmairie status``: log in, see the inbox and its
messages, log out. Each setting is put back to what is usual, alone and then with the others (a process for each
log-in; the bundle of authorities read for each connection; mail read by TLS from the very host; a connection to the
base for each page; classes searched for; argon2id as for passwords that people choose); processor time is what systemd
counts for the unit. The host gets its own files back at the end. Needs root.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
import time
from pathlib import Path

from argon2 import PasswordHasher, Type

from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.lab import Lab
from packmairie.model.commune import PROBE_LOCAL_PART
from packmairie.model.probe import Found, WebmailVisit
from packmairie.operations.probing import Prober

HOST = "plateforme"
UNITS = {"Dovecot": "dovecot", "PHP": "packmairie-webmail", "Caddy": "caddy"}
DOVECOT, ROUNDCUBE = "/etc/dovecot/dovecot.conf", "/etc/packmairie/webmail/config.inc.php"
PHP = "/etc/packmairie/webmail/php-fpm.conf"
USUAL = {
    "a process for each log-in": f"sed -i '/restart_request_count = 50/d' {DOVECOT}",
    "the bundle for each connection": (
        f"sed -i \"s#'capath' => '/etc/ssl/certs'#'cafile' => '/etc/ssl/certs/ca-certificates.crt'#\" {ROUNDCUBE}"
    ),
    "TLS within the host": f"sed -i '/packmairie_imap_port/d' {ROUNDCUBE}",
    "a connection to the base a page": f"sed -i '/db_persistent/d' {ROUNDCUBE}",
    "classes searched for": f"sed -i '/auto_prepend_file/d' {PHP}",
}
SLOW_HASH = "argon2id at 19 MiB and 2 passes"
RESTART = "systemctl restart dovecot packmairie-webmail && sleep 2"


class Bench:
    """A deployed pack, and the account of its first commune that has the webmail."""

    def __init__(self, folder: Path, visits: int) -> None:
        self.lab, self.visits = Lab.open(), visits
        self.pack, self.vault = load_pack(folder), Vault(folder)
        commune = next(one for one in self.pack.communes if one.deploys("messagerie"))
        secret = f"messagerie.boites.{PROBE_LOCAL_PART}"
        self.login = f"{PROBE_LOCAL_PART}@{commune.domaine.nom}"
        self.password = str(self.vault.read(commune.insee)[secret]["mot_de_passe"])
        webmail = self.pack.file.plateforme.host_name("webmail")
        self.probe = WebmailVisit(f"https://{webmail}/", commune.insee, self.login, secret)
        self.accounts = f"/etc/dovecot/communes/{commune.domaine.nom}.passwd"

    def shell(self, script: str) -> str:
        """Run a script on the host; end the bench when it fails."""
        done = self.lab.run(HOST, ["sh", "-c", script], timeout=60)
        if done.returncode != 0:
            sys.exit(f"{script}\n{done.stderr}")
        return done.stdout

    def spent(self) -> dict[str, float]:
        """Return the milliseconds of processor of each unit since it started."""
        words = (f"systemctl show -p CPUUsageNSec --value {unit}" for unit in UNITS.values())
        return dict(zip(UNITS, (int(line) / 1e6 for line in self.shell("; ".join(words)).split()), strict=True))

    def hash_with(self, hasher: PasswordHasher) -> str:
        """Return the script that gives the account the same password under another hash."""
        line = f"{self.login}:{{ARGON2ID}}{hasher.hash(self.password)}"
        found = 'index($0, login ":") == 1 { split($0, f, ":"); $0 = line substr($0, length(f[1] ":" f[2]) + 1) } 1'
        words = f"awk -v login={shlex.quote(self.login)} -v line={shlex.quote(line)} {shlex.quote(found)}"
        return f"{words} {self.accounts} >/root/comptes && cat /root/comptes >{self.accounts}; rm /root/comptes"

    def measure(self, name: str) -> None:
        """Visit again and again; print what a visit took, and cost each unit."""
        self.shell(RESTART)
        with Prober(self.pack, self.vault) as prober:
            for _warming in range(3):
                self.visit(prober)
            before, times = self.spent(), []
            for _visit in range(self.visits):
                started = time.monotonic()
                self.visit(prober)
                times.append((time.monotonic() - started) * 1000)
            after = self.spent()
        cost = {unit: (after[unit] - before[unit]) / self.visits for unit in UNITS}
        shown = ", ".join(f"{unit} {milliseconds:.1f}" for unit, milliseconds in cost.items())
        least, median, most = min(times), statistics.median(times), max(times)
        print(f"{name:<34} {least:.0f} – {median:.0f} – {most:.0f} ms; processor {sum(cost.values()):.0f} ms: {shown}")

    def visit(self, prober: Prober) -> None:
        """Make one visit that has to succeed."""
        answer = prober.ask(self.probe)
        if not isinstance(answer, Found) or answer.value.failed:  # type: ignore[union-attr]
            sys.exit(f"the visit failed: {answer}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--visits", type=int, default=30)
    options = parser.parse_args()
    bench = Bench(options.pack, options.visits)
    files = [DOVECOT, ROUNDCUBE, PHP, bench.accounts]
    bench.shell("; ".join(f"cp -p {path} {path}.bench" for path in files))
    back = "; ".join(f"cat {path}.bench >{path}" for path in files)
    usual = USUAL | {SLOW_HASH: bench.hash_with(PasswordHasher(2, 19456, 1, type=Type.ID))}
    try:
        bench.measure("as deployed")
        for name, script in usual.items():
            bench.shell(script)
            # A script that finds nothing to put back would be measured as if it had.
            same = " && ".join(f"cmp -s {path} {path}.bench" for path in files)
            bench.shell(f"! {{ {same}; }}")
            bench.measure(name)
            bench.shell(back)
        bench.shell("; ".join(usual.values()))
        bench.measure("all six")
    finally:
        bench.shell(f"{back}; rm {' '.join(f'{path}.bench' for path in files)}; {RESTART}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

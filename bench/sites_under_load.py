# SPDX-License-Identifier: GPL-3.0-or-later
"""Add communes to a web host that serves 905 sites, while visitors ask for all of them.

    .venv/bin/python bench/sites_under_load.py [--communes 905] [--certificates 40] [--runs 3] [--pack FOLDER]

Boots the lab, makes a pack of real communes, deploys some of them whole and lays every site by the playbook's own
web part, orders certificates for some of them, then has one commune more added by ``packmairie deploy`` in each run,
under paced visitors; last, visitors that never pause. Prints minimum, median and maximum. Ends with 1 when a request
failed, Caddy was reloaded, or a page took a second or more after its data was laid.

A pack made once can be given again with --pack: its secrets take minutes. Needs root, and wrk, which
scripts/install-test-tools installs. The lab stays up: packmairie lab down stops it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from packmairie.inventory.loader import load_pack
from packmairie.lab import Delegation, Lab
from packmairie.lab.load import WEB_HOST, Arrival, Crowd, Figures, caddy_identity, cores, visit
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.problem import PackmairieError

ROOT = Path(__file__).resolve().parents[1]
BINARIES = Path(sys.executable).parent
PATIENCE = 60
UNPAUSED_SECONDS = 20


def command(*arguments: str | Path) -> float:
    """Run a command of the project, quietly, and return how long it took; its output is shown when it fails."""
    environment = os.environ | {"PATH": f"{BINARIES}:{os.environ['PATH']}", "NO_COLOR": "1"}
    started = time.monotonic()
    result = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{arguments[:6]}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}")
    return time.monotonic() - started


def packmairie(*arguments: str) -> float:
    """Run the command line on the bench's pack and return how long it took."""
    return command(BINARIES / "packmairie", *arguments)


def make_pack(folder: Path, lab: Lab, communes: int) -> None:
    """Write a pack of that many real communes, whose platform and outside world are the lab's, with its secrets."""
    if (folder / "pack.yml").exists():
        return
    shutil.copytree(ROOT / "inventories" / "demo", folder, ignore=shutil.ignore_patterns("secrets", ".vault*"))
    text = (folder / "pack.yml").read_text(encoding="utf-8")
    text = text.replace("/var/lib/packmairie-lab/", f"{lab.paths.state}/")
    for number, name in ((10, WEB_HOST), (20, "monde")):
        text = re.sub(rf"10\.59\.62\.{number}\b", str(lab.host(name).address), text)
    settings = yaml.safe_load(text)
    # The web host is measured alone: no backups, and no file spaces, which take a process for each lot of communes.
    platform = settings["plateforme"]["hotes"]
    platform[WEB_HOST]["groupes"].remove("partage")
    del platform["stockage-1"], settings["sauvegarde"], settings["partage"]
    (folder / "pack.yml").write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")
    packmairie("inventory", "add", "--all-eligible")
    for extra in sorted((folder / "communes").glob("*.yml"))[communes:]:
        extra.unlink()
    packmairie("inventory", "secrets")


def delegate(lab: Lab, pack: Pack, communes: Sequence[Commune]) -> None:
    """Point the communes' domains, and the platform's, at the platform's name servers."""
    platform = pack.file.plateforme
    servers = {
        platform.host_name(short): str(address)
        for short, addresses in platform.serveurs_dns.items()
        for address in addresses
    }
    domains = [platform.domaine, *(commune.domaine.nom for commune in communes)]
    lab.delegate({domain: Delegation(servers, ()) for domain in domains})
    lab.flush_resolver()


def site(commune: Commune) -> str:
    """Return the host name of a commune's site."""
    return f"www.{commune.domaine.nom}"


def order(lab: Lab, names: Sequence[str]) -> list[float]:
    """Have a certificate ordered for each name by its first visitor; return the seconds that each waited."""
    address = str(lab.host(WEB_HOST).address)
    context = ssl.create_default_context(cafile=str(lab.root_certificate()))

    def first(name: str) -> float:
        started = time.monotonic()
        while time.monotonic() - started < PATIENCE:
            try:
                if visit(address, name, context, 30) == 200:
                    return time.monotonic() - started
            except OSError:
                time.sleep(0.2)
        sys.exit(f"{name} : pas de certificat en {PATIENCE} s")

    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(first, names))


def spread(label: str, values: Sequence[float], form: str = ".1f") -> None:
    """Print the minimum, median and maximum of a figure."""
    shown = " – ".join(format(value, form) for value in (min(values), statistics.median(values), max(values)))
    print(f"  {label:<58} {shown}", flush=True)


def show(figures: Sequence[Figures]) -> None:
    """Print what visitors met."""
    rows: dict[str, Callable[[Figures], float]] = {
        "pages a second, all sites in turn": lambda f: f.per_second,
        "their latency, p50, ms": lambda f: f.p50,
        "their latency, p99, ms": lambda f: f.p99,
        "new TLS connections under the site's own name: p50, ms": lambda f: f.strangers_p50,
        "the same, p99, ms": lambda f: f.strangers_p99,
    }
    for label, of in rows.items():
        spread(label, [of(one) for one in figures])
    requests, strangers = sum(one.requests for one in figures), sum(one.strangers for one in figures)
    failures = [failure for one in figures for failure in one.failures]
    print(f"  {requests} pages and {strangers} new connections, {len(failures)} failures", *failures[:10], sep="\n    ")


def measure(lab: Lab, folder: Path, options: argparse.Namespace) -> bool:
    """Measure and print; return whether every target is met."""
    pack = load_pack(folder)
    added = [commune for commune in pack.communes if not commune.agents][-options.runs :]
    files = [next((folder / "communes").glob(f"{commune.insee}-*.yml")) for commune in added]
    texts = [path.read_text(encoding="utf-8") for path in files]
    whole = [commune for commune in pack.communes if commune not in added][: options.certificates]
    delegate(lab, pack, [*whole, *added])
    for path in files:
        path.unlink()
    try:
        if not options.keep:
            deployed = packmairie("deploy", *(commune.insee for commune in whole))
            print(f"{len(whole)} communes deployed whole: {deployed:.0f} s", flush=True)
        parts = "presence" if options.keep else "frontal,presence"
        playbook = ("ansible-playbook", "-i", folder, "playbooks/site.yml", "--tags", parts)
        laid = [commune for commune in pack.communes if commune not in added]
        print(f"{len(laid)} sites laid and built: {command(*playbook):.0f} s", flush=True)
        spread(
            "first visit of their names, after the deployment's own orders, s",
            order(lab, [site(commune) for commune in whole]),
        )
        certified = [site(commune) for commune in whole]
        before = caddy_identity(lab)
        seconds: list[float] = []
        results: list[Figures] = []
        print(f"one commune added, {options.connections} visitors, {options.pause} ms between two pages:")
        for commune, path, text in zip(added, files, texts, strict=True):
            path.write_text(text, encoding="utf-8")
            names = [site(commune) for commune in laid]
            crowd = Crowd(str(lab.host(WEB_HOST).address), lab.root_certificate(), names, certified,
                          options.connections, options.pause)  # fmt: skip
            arrival = Arrival(lab, commune.insee, site(commune), certified[0])
            with crowd.visiting():
                if options.add == "deploy":
                    deployed = packmairie("deploy", commune.insee)
                else:
                    deployed = command(*playbook[:-1], "presence", "-e", f"packmairie_communes={commune.insee}")
                seconds.append(arrival.seconds())
            assert crowd.figures is not None
            results.append(crowd.figures)
            laid.append(commune)
            told = f"{deployed:.0f} s of deployment, page {seconds[-1]:.2f} s after its data"
            print(f"  {site(commune)}: {told}", flush=True)
        spread("from its data laid to its page served, s", seconds, ".2f")
        show(results)
        crowd = Crowd(str(lab.host(WEB_HOST).address), lab.root_certificate(), names, certified, options.connections, 0)
        with crowd.visiting():
            time.sleep(UNPAUSED_SECONDS)
        assert crowd.figures is not None
        print(f"{options.connections} visitors that never pause, {UNPAUSED_SECONDS} s:")
        show([crowd.figures])
        unmoved = caddy_identity(lab) == before
        print(f"Caddy {'neither reloaded nor restarted' if unmoved else 'RELOADED'}; {cores()} processors for all")
        return unmoved and max(seconds) < 1 and not any(one.failures for one in [*results, crowd.figures])
    finally:
        for path, text in zip(files, texts, strict=True):
            path.write_text(text, encoding="utf-8")


def main() -> int:
    """Measure and print; return 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--communes", type=int, default=905)
    parser.add_argument("--certificates", type=int, default=40)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--pause", type=int, default=50)
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--keep", action="store_true", help="keep the platform of an earlier run")
    parser.add_argument("--add", choices=("deploy", "role"), default="deploy", help="role: by the role presence alone")
    options = parser.parse_args()
    lab = Lab.open()
    with tempfile.TemporaryDirectory(prefix="packmairie-bench-") as scratch:
        folder = options.pack or Path(scratch) / "pack"
        os.environ["PACKMAIRIE_PACK"] = str(folder)
        lab.up([WEB_HOST, "monde"])
        if not options.keep:
            lab.reset(WEB_HOST)
        make_pack(folder, lab, options.communes)
        return 0 if measure(lab, folder, options) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PackmairieError as error:
        sys.exit(str(error))

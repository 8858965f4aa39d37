#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registries of the lab: assemble zones from fragments, chain their DS records, reload Knot.

Reads on standard input a JSON object: zone file name -> {name: zone fragment}. A
fragment replaces the one that the name had before; an empty one withdraws it. With
an empty object, zones are assembled again from what is already known.

Each zone is the head that Ansible wrote (SOA, NS, fixed records), the fragments of
its names, and the DS records of the signed zones below it. A zone that has changed
is checked, put in place atomically and reloaded; nothing else is touched.

Writes on standard output a JSON object: `changed`, the names whose fragment is new;
`zones`, the zones whose content is new.
"""

import fcntl
import json
import pathlib
import re
import subprocess
import sys
import tempfile

CONFIGURATION = pathlib.Path("/etc/knot/registre/zones.json")
FRAGMENTS = pathlib.Path("/var/lib/monde/registre")
ZONES = pathlib.Path("/var/lib/knot/zones")
NAME = re.compile(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")


def main() -> None:
    """Publish what is on standard input and say what has changed."""
    request = json.load(sys.stdin)
    zones = json.loads(CONFIGURATION.read_text())
    known = {zone["file"] for zone in zones}
    FRAGMENTS.mkdir(parents=True, exist_ok=True)
    with (FRAGMENTS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        changed = []
        for file, fragments in request.items():
            if file not in known:
                sys.exit(f"{file}: not a zone of this registry")
            changed += [name for name, text in fragments.items() if store(file, name, text)]
        reloaded = [zone["zone"] for zone in zones if assemble(zone)]
        reload_zones(reloaded)
    json.dump({"changed": changed, "zones": reloaded}, sys.stdout)


def store(file: str, name: str, text: str) -> bool:
    """Keep the fragment of one name; return whether it is another than before."""
    if not NAME.match(name):
        sys.exit(f"{name}: not a name")
    path = FRAGMENTS / file / name
    before = path.read_text() if path.exists() else ""
    if before == text:
        return False
    if text:
        path.parent.mkdir(exist_ok=True)
        replace(path, text)
    else:
        path.unlink()
    return True


def assemble(zone: dict) -> bool:
    """Write the zone's file if its content is new; return whether it was. End when it is not a valid zone."""
    lines = [zone["head"].rstrip("\n")]
    seen = set()
    folder = FRAGMENTS / zone["file"]
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        for line in path.read_text().splitlines():
            # Several domains name the same server: its glue is written once.
            if line not in seen:
                seen.add(line)
                lines.append(line)
    for child in zone["children"]:
        lines += delegation_signers(child)
    text = "\n".join(lines) + "\n"
    path = ZONES / f"{zone['file']}.zone"
    if path.exists() and path.read_text() == text:
        return False
    check(zone["zone"], text)
    replace(path, text)
    return True


def delegation_signers(child: str) -> list:
    """Return the DS lines (SHA-256) of a zone signed here; none before its first signing."""
    result = subprocess.run(["keymgr", child, "ds"], capture_output=True, text=True, check=False)
    records = [line.split() for line in result.stdout.splitlines() if " DS " in line]
    return [f"{words[0]} 60 IN {' '.join(words[1:])}" for words in records if words[4] == "2"]


def check(zone: str, text: str) -> None:
    """End with the reason when the text is not a valid zone."""
    with tempfile.NamedTemporaryFile("w", suffix=".zone") as file:
        file.write(text)
        file.flush()
        result = subprocess.run(["kzonecheck", "-o", zone, file.name], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{zone}: {result.stdout.strip()} {result.stderr.strip()}")


def reload_zones(zones: list) -> None:
    """Have Knot load and sign zones, and wait for it; a server that does not run yet will load them itself."""
    if zones and subprocess.run(["knotc", "status"], capture_output=True, check=False).returncode == 0:
        subprocess.run(["knotc", "--blocking", "zone-reload", *zones], check=True, stdout=subprocess.DEVNULL)


def replace(path: pathlib.Path, text: str) -> None:
    """Write a file atomically, readable by all."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    temporary.chmod(0o644)
    temporary.replace(path)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a workstation over SSH, in one connection, writing nothing there; what cannot be read is unknown, not fine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import paramiko

from packmairie.engines.hosts import option, run_on_host
from packmairie.model.pack import Hote
from packmairie.model.probe import Answer, Found, Unanswered
from packmairie.model.probes_postes import Disk, PosteFacts, PullFacts

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0

READING = files("packmairie.postes_hote").joinpath("lecture.py").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Way:
    """How a workstation is reached: ``command`` opens the way through the gateway, empty for a direct one.

    ``alias`` is the name under which its host key is known.
    """

    address: str
    port: int
    connection: Mapping[str, Any]
    command: str = ""
    alias: str = ""


def read_poste(name: str, way: Way) -> Answer:
    """Given a workstation and the way to it, return its facts, or why nobody could read them."""
    client = paramiko.SSHClient()
    gateway: Any = None
    try:
        known = option(way.connection, "UserKnownHostsFile")
        if known:
            client.load_host_keys(known)
        else:
            client.load_system_host_keys()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        if way.command:
            command = way.command.replace("%h", way.address).replace("%p", str(way.port))
            gateway = paramiko.ProxyCommand(command)
        key = way.connection.get("ansible_ssh_private_key_file")
        client.connect(
            way.alias or way.address,
            port=22 if way.alias else way.port,
            username=str(way.connection.get("ansible_user", "root")),
            key_filename=str(Path(str(key)).expanduser()) if key else None,
            timeout=CONNECT_SECONDS,
            banner_timeout=CONNECT_SECONDS,
            auth_timeout=CONNECT_SECONDS,
            sock=gateway,
        )
        stdin, stdout, stderr = client.exec_command("python3 -", timeout=READ_SECONDS)
        stdin.write(READING)
        stdin.channel.shutdown_write()
        text = stdout.read().decode("utf-8", "replace")
        if stdout.channel.recv_exit_status() != 0:
            return Unanswered("lecture refusée : " + stderr.read().decode("utf-8", "replace").strip()[-200:])
        return Found(facts_of(json.loads(text)))
    except (paramiko.SSHException, OSError) as error:
        return Unanswered(f"{name} ne répond pas ({error}) : éteint, ou sans réseau")
    except (ValueError, KeyError, TypeError):
        return Unanswered(f"réponse illisible de {name}")
    finally:
        client.close()
        if gateway is not None:
            gateway.close()


PULL_COMMAND = (
    "cd /var/lib/packmairie/tirage && cat paquets/{name}/manifeste.json 2>/dev/null || echo null;"
    " cat /var/lib/packmairie/tirage/rapports/{name}.json 2>/dev/null || echo null"
)
"""What is published for a workstation on one line, what it last reported on the next."""
REPORT_AGE = timedelta(hours=26)


def read_pull(host_name: str, host: Hote, name: str) -> Answer:
    """Given the host that publishes bundles and a workstation, return its :class:`PullFacts`."""
    records = _pull_records(host_name, host, name)
    if isinstance(records, Unanswered):
        return records
    manifest, report = records
    said = report.get("rapport", {}).get("tirage", {})
    try:
        return Found(
            PullFacts(
                sequence=int(manifest["sequence"]) if manifest else None,
                issued=datetime.fromtimestamp(int(manifest["emis"]), UTC) if manifest else None,
                expires=datetime.fromtimestamp(int(manifest["expire"]), UTC) if manifest else None,
                received=datetime.fromtimestamp(float(report["recu"]), UTC) if report else None,
                applied=int(said["sequence"]) if said.get("sequence") is not None else None,
                issue=shown(said.get("issue", "")),
                reason=shown(said.get("motif") or ""),
            )
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return Unanswered(f"rapport illisible de {name}")


def read_reported(host_name: str, host: Hote, name: str, now: datetime | None = None) -> Answer:
    """Given the host that publishes bundles and a workstation that pulls, return the facts that it last reported."""
    records = _pull_records(host_name, host, name)
    if isinstance(records, Unanswered):
        return records
    _manifest, report = records
    if not report:
        return Unanswered(f"{name} n'a encore rien dit : éteint, ou sans réseau")
    try:
        received = datetime.fromtimestamp(float(report["recu"]), UTC)
        if (now or datetime.now(UTC)) - received > REPORT_AGE:
            return Unanswered(f"{name} n'a plus rien dit depuis le {received.astimezone():%d/%m/%Y à %H:%M}")
        return Found(replace(facts_of(report["rapport"]["lecture"]), read=received))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return Unanswered(f"rapport illisible de {name}")


def _pull_records(host_name: str, host: Hote, name: str) -> tuple[dict[str, Any], dict[str, Any]] | Unanswered:
    answer = run_on_host(host_name, host, PULL_COMMAND.format(name=shlex.quote(name)))
    if isinstance(answer, Unanswered):
        return answer
    try:
        manifest, report = (json.loads(line) or {} for line in str(answer.value).strip().split("\n"))
    except ValueError:
        return Unanswered(f"réponse illisible de {host_name}")
    if not isinstance(manifest, dict) or not isinstance(report, dict):
        return Unanswered(f"réponse illisible de {host_name}")
    return manifest, report


def facts_of(data: Mapping[str, Any]) -> PosteFacts:
    """Given what the reading printed, return facts. Raise ValueError, KeyError or TypeError when it is malformed."""
    moment = data["updated"]
    return PosteFacts(
        maker=shown(data["maker"]),
        model=shown(data["model"]),
        serial=shown(data["serial"]),
        memory=int(data["memory"]),
        system=shown(data["system"]),
        support=date.fromisoformat(data["support"]) if data["support"] else None,
        encrypted=data["encrypted"] if isinstance(data["encrypted"], bool) else None,
        disks=tuple(
            Disk(
                shown(disk["name"]),
                shown(disk["model"]),
                int(disk["octets"]),
                disk["healthy"] if isinstance(disk["healthy"], bool) else None,
                disk["wear"],
                disk["hours"],
            )
            for disk in data["disks"]
        ),
        updated=datetime.fromtimestamp(float(moment), UTC) if moment else None,
        security=None if data["security"] is None else int(data["security"]),
        failed_units=tuple(shown(unit) for unit in data["failed"]),
        reboot_required=bool(data["reboot"]),
        protections={shown(name): state is True for name, state in data["protections"].items()},
        container=bool(data["container"]),
    )


def shown(text: Any) -> str:
    """Return a text of a host fit to be shown: one line, no control character, not endless."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))[:120].strip()

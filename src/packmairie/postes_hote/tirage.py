#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring this workstation to the state of the bundle that the platform publishes for it, and tell how that went.

A bundle is three files: a manifest, its signature (SSHSIG, made by a key that never leaves the technicians' vault), and
an archive encrypted for this workstation alone (age). Everything is verified before anything is changed: who signed,
for which workstation, that it is not over, nor older than one that was already taken. What is refused changes nothing.
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import hashlib
import io
import json
import os
import shutil
import ssl
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packmairie.postes_hote import lecture

FORMAT = 1
SETTINGS = Path("/etc/packmairie/postes")
STATE = Path("/var/lib/packmairie/tirage")
NAMESPACE, SIGNER = "packmairie-postes", "packmairie"
MANIFEST, SIGNATURE, ARCHIVE = "manifeste.json", "manifeste.json.sig", "paquet.age"
LARGEST = {MANIFEST: 8192, SIGNATURE: 8192, ARCHIVE: 64 * 1024 * 1024}
NETWORK_SECONDS = 60
APPLY_SECONDS = 3 * 3600
RETRY_SECONDS = 5
AHEAD_SECONDS = 3600
"""How far in the future a bundle may have been issued: clocks differ, but nobody signs tomorrow's."""
AGAIN_SECONDS = 20 * 3600
"""A workstation is brought back to its state once a day even when nothing new was published."""


class RefusedError(Exception):
    """A bundle that must not be applied; the text says why, in French, for the technician."""


class SilentError(Exception):
    """The platform could not be reached, or has nothing for this workstation."""


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself, once its signature has been verified."""

    sequence: int
    issued: int
    expires: int
    content: str
    archive: str
    octets: int


def verify_signature(manifest: bytes, signature: bytes, signers: Path) -> None:
    """Raise RefusedError unless the signature is of a key that this workstation trusts (ssh-keygen(1))."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        words = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", SIGNER, "-n", NAMESPACE, "-s", file.name]
        done = subprocess.run(words, input=manifest, capture_output=True, check=False, timeout=30)
    if done.returncode != 0:
        raise RefusedError("la signature n'est pas celle de la plateforme")


def read_manifest(text: bytes, poste: str, now: float, last: Mapping[str, Any]) -> Manifest:
    """Given a manifest whose signature is good, return it. Raise RefusedError when it is not for here, or not for now.

    ``last`` is what this workstation last took: ``sequence`` and ``paquet``; none may come back once a newer was taken.
    """
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise RefusedError(f"format {data['format']!r} inconnu de ce poste")
        found = Manifest(
            int(data["sequence"]),
            int(data["emis"]),
            int(data["expire"]),
            str(data["contenu"]),
            str(data["paquet"]["sha256"]),
            int(data["paquet"]["octets"]),
        )
        name = str(data["poste"])
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError("manifeste illisible") from error
    if name != poste:
        raise RefusedError(f"ce paquet est celui de {name[:40]}")
    if found.expires <= now:
        raise RefusedError("paquet périmé")
    if found.issued > now + AHEAD_SECONDS:
        raise RefusedError("paquet daté du futur : vérifier l'horloge")
    known = int(last.get("sequence", 0))
    if found.sequence < known:
        raise RefusedError(f"paquet plus ancien ({found.sequence}) que le dernier appliqué ({known})")
    if found.sequence == known and last.get("paquet") not in {None, found.archive}:
        raise RefusedError("un autre paquet porte le même numéro")
    return found


def open_archive(sealed: bytes, manifest: Manifest, key: Path, to: Path) -> None:
    """Check the archive against its manifest, decrypt it, lay it under ``to``; raise RefusedError for another."""
    if len(sealed) != manifest.octets or hashlib.sha256(sealed).hexdigest() != manifest.archive:
        raise RefusedError("l'archive n'est pas celle du manifeste")
    words = ["age", "--decrypt", "--identity", str(key)]
    done = subprocess.run(words, input=sealed, capture_output=True, check=False, timeout=120)
    if done.returncode != 0:
        raise RefusedError("l'archive n'est pas chiffrée pour ce poste")
    if hashlib.sha256(done.stdout).hexdigest() != manifest.content:
        raise RefusedError("le contenu n'est pas celui du manifeste")
    with tarfile.open(fileobj=io.BytesIO(done.stdout), mode="r:gz") as archive:
        archive.extractall(to, filter="data")


class Platform:
    """Where bundles are taken: over HTTPS, at this workstation's own address."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.base = f"{settings['adresse']}/{settings['poste']}"
        login = f"{settings['poste']}:{settings['jeton']}".encode()
        self.headers = {"Authorization": "Basic " + base64.b64encode(login).decode("ascii")}
        self.context = ssl.create_default_context()

    def take(self, name: str) -> bytes:
        """Return a file of the bundle. Raise SilentError when there is no answer, RefusedError when it is too large."""
        return self._ask(urllib.request.Request(f"{self.base}/{name}", headers=self.headers), LARGEST[name])  # noqa: S310 — see below

    def tell(self, report: Mapping[str, Any]) -> None:
        """Send the outcome. Raise SilentError when nobody takes it."""
        body = json.dumps(report, ensure_ascii=False).encode()
        headers = {**self.headers, "Content-Type": "application/json"}
        url = f"{self.base}/rapport"
        self._ask(urllib.request.Request(url, data=body, headers=headers, method="PUT"), 1024)  # noqa: S310 — see below

    def _ask(self, request: urllib.request.Request, most: int) -> bytes:
        try:
            # The address is https, laid by the role postes where root alone writes.
            opened = urllib.request.urlopen(request, timeout=NETWORK_SECONDS, context=self.context)  # noqa: S310
            with opened as answer:
                content: bytes = answer.read(most + 1)
        except urllib.error.HTTPError as error:
            reason = {401: "la plateforme ne reconnaît pas ce poste", 404: "rien n'est publié pour ce poste"}
            raise SilentError(reason.get(error.code, f"la plateforme répond {error.code}")) from error
        except (OSError, ValueError) as error:
            raise SilentError(f"plateforme injoignable ({getattr(error, 'reason', error)})") from error
        if len(content) > most:
            raise RefusedError("fichier trop gros")
        return content


def folder_source(folder: Path) -> Callable[[str], bytes]:
    """Return what reads a bundle brought by hand, on a USB stick."""

    def take(name: str) -> bytes:
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise SilentError(f"{folder / name} : {error.strerror}") from error
        if len(content) > LARGEST[name]:
            raise RefusedError("fichier trop gros")
        return content

    return take


def apply(folder: Path) -> dict[str, Any]:
    """Run the bundle's own playbook on this host; return its outcome."""
    outcome = STATE / "bilan.json"
    outcome.unlink(missing_ok=True)
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "temporaire"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "temporaire"),
        "PACKMAIRIE_BILAN": str(outcome),
    }
    words = ["ansible-playbook", "-i", str(folder / "inventaire.json"), str(folder / "site.yml")]
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=APPLY_SECONDS,
        )
        said = (done.stderr or done.stdout).strip()[-300:]
        failed = done.returncode != 0
    except (OSError, subprocess.TimeoutExpired) as error:
        said, failed = str(error)[:300], True
    found = load(outcome)
    if failed and not found.get("echec"):
        found["echec"] = "démarrage d'Ansible : " + " ".join(said.split())
    return found


def load(path: Path) -> dict[str, Any]:
    """Return a JSON file of ours, empty when it is absent or broken."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def keep(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically, for root alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(content, stream, ensure_ascii=False, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    Path(name).replace(path)


def pull(settings: Mapping[str, Any], take: Callable[[str], bytes], *, force: bool = False) -> dict[str, Any]:
    """Take, verify, apply; return the report's part about it, ``issue`` being one word for the checks.

    ``attente`` (nothing new), ``applique``, ``echec`` (the playbook failed), ``refus``, ``silence``.
    """
    state, now = load(STATE / "etat.json"), time.time()
    told: dict[str, Any] = {"issue": "silence", "motif": None, "sequence": state.get("applique")}
    try:
        text, signature = take(MANIFEST), take(SIGNATURE)
        verify_signature(text, signature, SETTINGS / "tirage.signataires")
        manifest = read_manifest(text, str(settings["poste"]), now, state)
        if not force and state.get("applique") == manifest.sequence and now - float(state.get("le", 0)) < AGAIN_SECONDS:
            return told | {"issue": "attente", "bilan": state.get("bilan"), "le": state.get("le")}
        sealed = take(ARCHIVE)
        shutil.rmtree(STATE / "ouvert", ignore_errors=True)
        (STATE / "ouvert").mkdir(mode=0o700, parents=True)
        try:
            open_archive(sealed, manifest, SETTINGS / "tirage.age", STATE / "ouvert")
            # Before anything is changed: whatever happens next, an older one is refused from here on.
            keep(STATE / "etat.json", state | {"sequence": manifest.sequence, "paquet": manifest.archive})
            outcome = apply(STATE / "ouvert")
        finally:
            shutil.rmtree(STATE / "ouvert", ignore_errors=True)
    except RefusedError as refusal:
        return told | {"issue": "refus", "motif": str(refusal)}
    except SilentError as silence:
        return told | {"motif": str(silence)}
    kept = {"sequence": manifest.sequence, "paquet": manifest.archive}
    if outcome.get("echec"):
        keep(STATE / "etat.json", state | kept)
        return told | {"issue": "echec", "motif": str(outcome["echec"])}
    done = {"applique": manifest.sequence, "le": now, "bilan": outcome}
    keep(STATE / "etat.json", kept | done)
    return {"issue": "applique", "motif": None, "sequence": manifest.sequence, "bilan": outcome, "le": now}


def main(arguments: list[str] | None = None) -> int:
    """Entry point. Returns 0 when the workstation is as wished, 1 when it is not, 75 when nobody could tell."""
    parser = argparse.ArgumentParser(prog="poste-tirage", description="Amener ce poste à l'état publié pour lui.")
    parser.add_argument("--depuis", type=Path, metavar="DOSSIER", help="paquet apporté à la main, au lieu du réseau")
    parser.add_argument("--encore", action="store_true", help="appliquer même si rien n'a changé")
    chosen = parser.parse_args(arguments)
    os.umask(0o077)
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (STATE / "verrou").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("une autre exécution est en cours", file=sys.stderr)
            return 75
        settings = json.loads((SETTINGS / "tirage.json").read_text(encoding="utf-8"))
        platform = Platform(settings)
        take = folder_source(chosen.depuis) if chosen.depuis else platform.take
        told = pull(settings, take, force=chosen.encore)
        if told["issue"] == "refus" and not chosen.depuis:
            # A bundle may have been replaced while it was being taken.
            time.sleep(RETRY_SECONDS)
            told = pull(settings, take, force=chosen.encore)
        report = {"format": FORMAT, "poste": settings["poste"], "tirage": told, "lecture": lecture.facts()}
        keep(STATE / "rapport.json", report)
        try:
            platform.tell(report)
        except (SilentError, RefusedError) as error:
            print(f"rapport non transmis : {error}", file=sys.stderr)
    print(json.dumps(told, ensure_ascii=False))
    return {"attente": 0, "applique": 0, "silence": 75}.get(str(told["issue"]), 1)


if __name__ == "__main__":
    sys.exit(main())

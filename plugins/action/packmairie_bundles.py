# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish the bundles of the workstations that pull: made and signed on the controller, laid by ``packmairie_tree``.

The host is first asked what it publishes. A bundle whose content is the wished one is left as it is until half of its
time is over, so that a second run changes nothing; the host never has what would let it make one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from datetime import UTC, datetime
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from packmairie.briques.postes_tirage import NAMESPACE, SIGNATURE_KEY
from packmairie.engines.sshsig import sign
from packmairie.inventory.vault import Vault
from packmairie.model.change import PLATEFORME
from packmairie.model.problem import PackmairieError
from packmairie.operations.controller import chosen_by, pack_of
from packmairie.operations.desired import SecretSource, remembered_pack, vault_secrets
from packmairie.operations.postes_bundle import ARCHIVE, MANIFEST, SIGNATURE, Bundle, contents, issue, lasting

FOLDER = "/var/lib/packmairie/tirage/paquets"
READING = (
    f"cd {FOLDER} 2>/dev/null && for f in */{MANIFEST}; do"
    f" cat $f $f.sig && printf '\\036' && sha256sum < ${{f%/*}}/{ARCHIVE} && printf '\\035'; done; :"
)
"""What is published, a record a workstation: the manifest, its signature, then the digest of the archive there."""


class ActionModule(ActionBase):  # type: ignore[misc]
    """The controller's half; the host's is ``packmairie_tree`` itself."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Compare what is published with what should be, and publish. Returns changes as ``packmairie_tree`` does."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        published = read_published(str(self._low_level_execute_command(READING).get("stdout", "")))
        try:
            files = self._files(variables, published)
        except PackmairieError as error:
            raise AnsibleActionFail(str(error)) from error
        answer = self._lay("inspect", files, variables)
        if not answer.get("failed") and answer.get("changed"):
            answer = self._lay("apply", files, variables)
        for name in ("invocation", "wanted", *(() if self._task.diff else ("diff",))):
            answer.pop(name, None)
        return result | answer

    def _files(self, variables: dict[str, Any], published: dict[str, tuple[str, str, str]]) -> list[dict[str, Any]]:
        folder = pack_of(variables, "packmairie_bundles")
        pack = remembered_pack(folder)
        source = vault_secrets(pack, Vault(folder), allow_missing=bool(self._task.check_mode))
        days, now, files = pack.file.postes.tirage_jours, datetime.now(UTC), []
        for content in contents(pack, source, chosen_by(variables)):
            manifest, signature, digest = published.get(content.poste, ("", "", ""))
            known = parsed(manifest)
            # The host is not believed: what it shows must be what was signed, and nothing that it shows is ever signed.
            ours = self._task.check_mode or signature == signed(manifest, source)
            if ours and lasting(known, content, now, days) and known["paquet"]["sha256"] == digest:
                files += wishes(content.insee, content.poste, manifest, signature, None, digest)
                continue
            if self._task.check_mode:
                # Making one needs the signing key, which a plan may lack.
                made = Bundle(content.insee, content.poste, 0, 0, "", "", b"")
            else:
                last = int(known.get("sequence", 0)) if isinstance(known.get("sequence"), int) else 0
                made = issue(content, signing_key(source), now, days, last if ours else 0)
            files += wishes(made.insee, made.poste, made.manifest, made.signature, made.archive, "")
        return files

    def _lay(self, phase: str, files: list[dict[str, Any]], variables: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="packmairie_tree",
            module_args={
                "tree": "tirage_paquets",
                "files": files,
                "communes": chosen_by(variables),
                "directories": [],
                "exclusive": [FOLDER],
                "validate": {},
                "check": [],
                "phase": phase,
            },
            task_vars=variables,
        )
        return answer


def signing_key(source: SecretSource) -> str:
    """Return the vault's signing key."""
    return str(source(PLATEFORME)[SIGNATURE_KEY]["privee"])


def signed(manifest: str, source: SecretSource) -> str:
    """Return the signature that a manifest would have, to be compared only (Ed25519 signs a text in one way)."""
    return sign(manifest.encode(), signing_key(source), NAMESPACE)


def read_published(said: str) -> dict[str, tuple[str, str, str]]:
    """Given what the host printed, return (manifest, signature, digest of the archive) by workstation."""
    found = {}
    # The connection may have a terminal, which ends lines in its own way; none of the files does.
    for record in said.replace("\r\n", "\n").split("\035"):
        texts, _separator, digest = record.partition("\036")
        manifest, newline, signature = texts.partition("\n")
        name = parsed(manifest).get("poste")
        if isinstance(name, str):
            found[name] = (manifest + newline, signature, digest.split(" ")[0].strip())
    return found


def parsed(manifest: str) -> dict[str, Any]:
    """Return a manifest as plain data, empty when it is not one."""
    try:
        data = json.loads(manifest)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def wishes(  # noqa: PLR0917 - a bundle is that many things
    insee: str, poste: str, manifest: str, signature: str, archive: bytes | None, digest: str
) -> list[dict[str, Any]]:
    """Return the three files of a bundle as the module reads them; the archive by its digest alone where it stays."""
    found = []
    # The archive first: a workstation that comes in between finds a manifest whose archive is there, or refuses.
    for name, content in ((ARCHIVE, archive), (SIGNATURE, signature.encode()), (MANIFEST, manifest.encode())):
        part: dict[str, Any] = {"commune": insee, "sha256": digest}
        if content is not None:
            part["sha256"] = hashlib.sha256(content).hexdigest()
            part["content"] = base64.b64encode(zlib.compress(content)).decode("ascii")
        found.append(
            {
                "path": f"{FOLDER}/{poste}/{name}",
                "parts": [part],
                "binary": True,
                "shared": False,
                "mode": "0640",
                "owner": "root",
                "group": "tirage",
                "secret": False,
                "once": False,
            }
        )
    return found

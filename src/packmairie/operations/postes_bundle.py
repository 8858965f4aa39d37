# SPDX-License-Identifier: GPL-3.0-or-later
"""``postes bundle``: all that one workstation needs to bring itself to its state, signed, and for it alone.

A bundle carries the same roles, modules and rendered files that Ansible would bring through a tunnel, for one host: its
own commune's and its own agents', nothing else. It is an archive encrypted for the workstation (age), a manifest that
tells its digest, its sequence number and its end, and the manifest's signature (SSHSIG).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyrage

from packmairie.briques.postes_tenant import GROUP
from packmairie.briques.postes_tirage import NAMESPACE, SIGNATURE_KEY, pulls, reading_secret
from packmairie.briques.sauvegarde_repositories import has_store
from packmairie.engines.ansible import project_folder
from packmairie.engines.sshsig import sign
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.change import PLATEFORME
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.poste import Poste
from packmairie.model.problem import fail
from packmairie.operations.desired import SecretSource, chosen_communes, trees, vault_secrets
from packmairie.operations.variables import group_variables, workstation_variables

FORMAT = 1
MANIFEST, SIGNATURE, ARCHIVE = "manifeste.json", "manifeste.json.sig", "paquet.age"
ROLES = ("socle", "postes")
BACKUP_ROLE = "sauvegarde"
"""What ``playbooks/site.yml`` plays on a workstation, in its order; the last where the pack has a store."""
SETTINGS = """\
[defaults]
roles_path = roles
library = plugins/modules
module_utils = plugins/module_utils
action_plugins = plugins/action
callback_plugins = plugins/callback
stdout_callback = packmairie_bilan
inject_facts_as_vars = false
gathering = explicit
interpreter_python = /usr/bin/python3
any_unparsed_is_failed = true
"""
DAY = 86400


@dataclass(frozen=True)
class Content:
    """What a workstation should get: the archive before it is encrypted, which never leaves this machine as it is."""

    insee: str
    poste: str
    archive: bytes
    recipient: str

    @property
    def digest(self) -> str:
        """Return what tells two contents apart."""
        return hashlib.sha256(self.archive).hexdigest()


@dataclass(frozen=True)
class Bundle:
    """A bundle ready to be published: three files, none of which is secret."""

    insee: str
    poste: str
    sequence: int
    expires: int
    manifest: str
    signature: str
    archive: bytes

    def files(self) -> dict[str, bytes]:
        """Return the files by name."""
        return {MANIFEST: self.manifest.encode(), SIGNATURE: self.signature.encode(), ARCHIVE: self.archive}


def contents(pack: Pack, source: SecretSource, communes: Iterable[str] = ()) -> Iterator[Content]:
    """Given a pack and its secrets, yield what each workstation that pulls should get (communes: none means all)."""
    platform = source(PLATEFORME)
    for commune in chosen_communes(pack, tuple(communes)):
        pulling = [poste for poste in commune.postes if pulls(pack, poste)]
        if not pulling:
            continue
        secrets = source(commune.insee)

        # The platform's trees ask for its secrets; of communes, this one's vault alone is open.
        def own(name: str, secrets: Mapping[str, Any] = secrets) -> Mapping[str, Any]:
            return platform if name == PLATEFORME else secrets

        wished = trees(pack, own, (commune.insee,))
        for poste in pulling:
            recipient = str(secrets[reading_secret(poste)]["publique"])
            yield Content(commune.insee, poste.nom, archive_of(commune, poste, pack, wished), recipient)


def archive_of(commune: Commune, poste: Poste, pack: Pack, wished: Mapping[str, Any]) -> bytes:
    """Return the archive of a workstation: the same octets for the same state."""
    return packed(files_of(commune, poste, pack, wished))


def files_of(commune: Commune, poste: Poste, pack: Pack, wished: Mapping[str, Any]) -> dict[str, str]:
    """Return everything that a run brings to a workstation, by path: code, variables, rendered trees."""
    variables = workstation_variables(commune, poste, pack)
    names = ("postes_commun", "sauvegarde_code", variables["postes_tree"], variables["sauvegarde_tree"])
    shared = group_variables(pack, Path(pack.folder)).get(GROUP, {})
    host = {**shared, **variables, "packmairie_paquet": "arbres"}
    roles = (*ROLES, BACKUP_ROLE) if has_store(pack) else ROLES
    files = dict(project_files())
    files["ansible.cfg"] = SETTINGS
    files["site.yml"] = json_text([{"name": "Ce poste", "hosts": "all", "gather_facts": False, "roles": roles}])
    files["inventaire.json"] = json_text({GROUP: {"hosts": {poste.nom: host}}})
    for name in names:
        tree = wished.get(name)
        files[f"arbres/{name}.json"] = json_text([file.payload() for file in tree.files] if tree else [])
    return files


def wish_digest(pack: Pack, wished: Mapping[str, Any], insee: str, name: str) -> str:
    """Given a pack and its commune's trees, return what tells two wishes for a workstation apart, pushed or pulled.

    Raise KeyError for a workstation that the pack has not.
    """
    commune = pack.commune(insee)
    poste = next((one for one in commune.postes if one.nom == name), None)
    if poste is None:
        raise KeyError(name)
    total = hashlib.sha256()
    for path, text in sorted(files_of(commune, poste, pack, wished).items()):
        for part in (path, text):
            octets = part.encode("utf-8")
            total.update(len(octets).to_bytes(8, "big") + octets)
    return total.hexdigest()


def json_text(content: Any) -> str:
    """Return plain data as JSON whose octets depend on nothing else."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True) + "\n"


@lru_cache(maxsize=1)
def project_files() -> tuple[tuple[str, str], ...]:
    """Return (path, text) of the roles and plugins that a workstation runs, as this repository has them."""
    root = project_folder()
    found = []
    for role in (*ROLES, BACKUP_ROLE):
        for path in sorted((root / "roles" / role).rglob("*")):
            if path.is_file():
                found.append((str(path.relative_to(root)), path.read_text(encoding="utf-8")))
    plugins = [
        *sorted((root / "plugins/module_utils").glob("packmairie_*.py")),
        root / "plugins/modules/packmairie_tree.py",
        root / "plugins/modules/packmairie_services.py",
        root / "plugins/action/packmairie_account.py",
        root / "plugins/action/packmairie_packages.py",
        root / "plugins/action/packmairie_services.py",
        root / "plugins/action/packmairie_tree.py",
    ]
    found += [(str(path.relative_to(root)), path.read_text(encoding="utf-8")) for path in plugins]
    callback = Path(__file__).resolve().parents[1] / "postes_hote/bilan.py"
    found.append(("plugins/callback/packmairie_bilan.py", callback.read_text(encoding="utf-8")))
    return tuple(found)


def packed(files: Mapping[str, str]) -> bytes:
    """Return files as a gzipped tar without dates nor owners."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, text in sorted(files.items()):
            content = text.encode("utf-8")
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)


def issue(content: Content, signing_key: str, now: datetime, days: int, last: int = 0) -> Bundle:
    """Given a content, the vault's signing key and how many days it is good for, return a new bundle.

    Its sequence number is the second at which it is made, and is always above ``last``.
    """
    sealed: bytes = pyrage.encrypt(content.archive, [pyrage.x25519.Recipient.from_str(content.recipient)])
    moment = int(now.timestamp())
    sequence, expires = max(moment, last + 1), moment + days * DAY
    manifest = json_text(
        {
            "format": FORMAT,
            "insee": content.insee,
            "poste": content.poste,
            "sequence": sequence,
            "emis": moment,
            "expire": expires,
            "contenu": content.digest,
            "paquet": {"sha256": hashlib.sha256(sealed).hexdigest(), "octets": len(sealed)},
        }
    )
    signature = sign(manifest.encode(), signing_key, NAMESPACE)
    return Bundle(content.insee, content.poste, sequence, expires, manifest, signature, sealed)


def lasting(manifest: Mapping[str, Any], content: Content, now: datetime, days: int) -> bool:
    """Tell whether what is published for a workstation still says what it should, for half of its time at least."""
    try:
        left = int(manifest["expire"]) - now.timestamp()
        return manifest["format"] == FORMAT and manifest["contenu"] == content.digest and left > days * DAY / 2
    except (KeyError, TypeError, ValueError):
        return False


def write_bundles(folder: Path, insee: str, name: str | None, to: Path) -> list[Bundle]:
    """Given a pack, a commune and a workstation (none means all), write their bundles, a folder each, under ``to``.

    For a look at them, or to be brought on a USB stick. Raise PackmairieError when there is none, or when a secret is
    missing.
    """
    pack = load_pack(folder)
    source = vault_secrets(pack, Vault(folder), allow_missing=False)
    made = []
    for content in contents(pack, source, (insee,)):
        if name in {None, content.poste}:
            key = str(source(PLATEFORME)[SIGNATURE_KEY]["privee"])
            made.append(issue(content, key, datetime.now(UTC), pack.file.postes.tirage_jours))
    if not made:
        what = f"n'a pas de poste {name} en tirage" if name else "n'a aucun poste en tirage"
        raise fail(f"commune {insee}", what, "écrire acces: tirage à l'entrée du poste, avec un hôte acces et frontal")
    for bundle in made:
        place = to / bundle.poste
        try:
            place.mkdir(parents=True, exist_ok=True)
            for file, octets in bundle.files().items():
                (place / file).write_bytes(octets)
        except OSError as error:
            reason = f"écriture impossible ({error.strerror})"
            raise fail(str(place), reason, "donner un autre dossier avec --to") from None
    return made

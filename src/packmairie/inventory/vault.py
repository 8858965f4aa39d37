# SPDX-License-Identifier: GPL-3.0-or-later
"""The pack's secrets: one ansible-vault file per commune and one for the platform, generated, never typed.

``ansible-vault view secrets/62708.yml`` and ``edit`` work on them with the same password.
Ansible is imported when a vault is opened: half a second that other commands need not pay.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from packmairie.inventory.atomic import write_file
from packmairie.inventory.generators import new_secret
from packmairie.model.change import PLATEFORME
from packmairie.model.problem import fail
from packmairie.model.secret import Secret, SecretValue, SecretWish, suits

SECRETS_FOLDER = "secrets"
PASSWORD_FILE = ".vault-password"  # noqa: S105 - the name of a file
PASSWORD_VARIABLES = ("PACKMAIRIE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_PASSWORD_FILE")
_HEADER = b"$ANSIBLE_VAULT;"
_NAME = re.compile(rf"([0-9]{{2}}|2[AB])[0-9]{{3}}|{PLATEFORME}")

Secrets = dict[str, SecretValue]
"""The content of one vault file: secrets by name."""


def vault_path(folder: Path, name: str) -> Path:
    """Given a pack's folder and an INSEE code or ``plateforme``, return the path of its vault file.

    Raise ValueError for any other name: a path is never made from unchecked text.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"no vault is named {name!r}")
    return folder / SECRETS_FOLDER / f"{name}.yml"


def password_file(folder: Path) -> Path:
    """Return the file that holds the pack's vault password: named by the environment, else in the pack."""
    for variable in PASSWORD_VARIABLES:
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    return folder / PASSWORD_FILE


def ensure_vault_password(folder: Path) -> Path:
    """Given a pack's folder, return its password file, created with a random password when none is configured.

    Raise PackmairieError when the password is missing but vaults exist: a new one would open none of them.
    """
    path = password_file(folder)
    if path != folder / PASSWORD_FILE or path.exists():
        return path
    if any((folder / SECRETS_FOLDER).glob("*.yml")):
        raise fail(str(path), "le mot de passe du coffre manque, alors que des secrets existent", _restore_remedy())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secrets.token_urlsafe(32) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    return path


def read_secrets(folder: Path, name: str) -> Secrets:
    """Given a pack's folder and an INSEE code or ``plateforme``, return its secrets by name (see ``Vault.read``)."""
    return Vault(folder).read(name)


def write_secrets(folder: Path, name: str, values: Mapping[str, SecretValue]) -> Path:
    """Replace the secrets of a commune, or of ``plateforme``, whole (see ``Vault.write``)."""
    return Vault(folder).write(name, values)


def generate(folder: Path, name: str, wishes: Iterable[SecretWish]) -> Secrets:
    """Create the missing ones of the secrets wished for a commune, or ``plateforme``, and return all that it has."""
    return Vault(folder).generate({name: wishes})[name]


@contextmanager
def vault_lock(folder: Path) -> Iterator[None]:
    """Hold the pack's secrets for one writer at a time, so that two runs never both create the same one."""
    place = folder / SECRETS_FOLDER
    place.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Vault:
    """The vault files of a pack, opened with its password; what has been read once is remembered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, Secrets] = {}

    def read(self, name: str) -> Secrets:
        """Given an INSEE code or ``plateforme``, return its secrets by name; none when it has no file.

        Raise PackmairieError when the file cannot be opened with the pack's password.
        """
        if name not in self._known:
            self._known[name] = self._open(name)
        return dict(self._known[name])

    def read_all(self, names: Iterable[str]) -> dict[str, Secrets]:
        """Do as ``read`` for several names, on every core."""
        return _in_parallel(self.read, names)

    def write(self, name: str, values: Mapping[str, SecretValue]) -> Path:
        """Replace the secrets of a name whole, encrypted, mode 0600; return the path.

        To change what is there, read and write inside ``vault_lock``. Raise PackmairieError without a password.
        """
        path = vault_path(self.folder, name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        text = yaml.dump(_bare(values), Dumper=_Dumper, allow_unicode=True, sort_keys=True, width=4096)
        write_file(path, self._library.encrypt(text).decode("ascii"), mode=0o600)
        self._known[name] = dict(values)
        return path

    def generate(
        self, wishes: Mapping[str, Iterable[SecretWish]], done: Callable[[str], None] = lambda name: None
    ) -> dict[str, Secrets]:
        """Given the secrets wished by name of vault file, create those that are missing; return all that each holds.

        What exists is never changed. ``done`` is called as each name is finished, from any
        thread. Raise PackmairieError when an existing secret has not the form wished.
        """

        def one(name: str) -> Secrets:
            found = self._complete(name, wishes[name])
            done(name)
            return found

        with vault_lock(self.folder):
            return _in_parallel(one, wishes)

    @cached_property
    def _library(self) -> Any:
        """Ansible's vault with the pack's password, read the first time that it is needed."""
        from ansible.parsing.vault import VaultLib, VaultSecret  # noqa: PLC0415

        return VaultLib([("default", VaultSecret(_password(password_file(self.folder))))])

    def _open(self, name: str) -> Secrets:
        """Return the secrets of one file as it is on the disk now."""
        path = vault_path(self.folder, name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise fail(str(path), f"lecture impossible ({error.strerror})", "vérifier ses droits") from error
        if not data.startswith(_HEADER):
            raise fail(str(path), "ce fichier de secrets n'est pas chiffré", f"ansible-vault encrypt {path}")
        from ansible.errors import AnsibleError  # noqa: PLC0415

        try:
            text = self._library.decrypt(data)
        except AnsibleError:
            # The library's own error is dropped with its context: it may quote what it decrypted.
            remedy = (
                f"vérifier le mot de passe ({password_file(self.folder)}), ou reprendre ce fichier d'une sauvegarde"
            )
            raise fail(str(path), "le mot de passe du coffre n'ouvre pas ce fichier, ou il est abîmé", remedy) from None
        return _parsed(path, text)

    def _complete(self, name: str, wishes: Iterable[SecretWish]) -> Secrets:
        """Create the missing secrets of one file, and write it only when there were some."""
        values = self._open(name)
        missing = []
        for wish in wishes:
            if wish.name not in values:
                missing.append(wish)
            elif not suits(wish.kind, values[wish.name]):
                path = vault_path(self.folder, name)
                remedy = f"le supprimer avec « ansible-vault edit {path} » pour qu'un autre soit créé"
                raise fail(str(path), f"le secret « {wish.name} » n'a pas la forme « {wish.kind} »", remedy)
        if missing:
            values |= {wish.name: new_secret(wish.kind) for wish in missing}
            self.write(name, values)
        return values


def _in_parallel(work: Callable[[str], Secrets], names: Iterable[str]) -> dict[str, Secrets]:
    ordered = list(names)
    if len(ordered) < 2:
        return {name: work(name) for name in ordered}
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return dict(zip(ordered, pool.map(work, ordered), strict=True))


def _password(path: Path) -> bytes:
    """Return the password held by a file, or printed by it when it is a program, as ansible-vault does."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise fail(str(path), "le mot de passe du coffre n'est pas dans un fichier ordinaire", _restore_remedy())
        if mode & 0o111:
            return _printed_by(path)
        if mode & 0o077:
            raise fail(str(path), "le mot de passe du coffre est lisible par d'autres", f"chmod 600 {path}")
        password = path.read_bytes().strip()
    except OSError as error:
        reason = f"le mot de passe du coffre ne peut pas être lu ({error.strerror})"
        raise fail(str(path), reason, _restore_remedy()) from error
    if not password:
        raise fail(str(path), "le mot de passe du coffre est vide", _restore_remedy())
    return password


def _printed_by(path: Path) -> bytes:
    from ansible.errors import AnsibleError  # noqa: PLC0415
    from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415
    from ansible.parsing.vault import get_file_vault_secret  # noqa: PLC0415

    try:
        secret = get_file_vault_secret(filename=str(path), loader=DataLoader())
        secret.load()
    except AnsibleError:
        reason = "le programme qui donne le mot de passe du coffre a échoué"
        raise fail(
            str(path), reason, "le lancer à la main, ou retirer son droit d'exécution si c'est un simple fichier"
        ) from None
    return bytes(secret.bytes)


def _restore_remedy() -> str:
    return f"remettre le fichier d'origine, ou le désigner par {PASSWORD_VARIABLES[0]}"


def _parsed(path: Path, text: bytes) -> Secrets:
    """Return the secrets of a decrypted text. The error never quotes it."""
    remedy = f'corriger avec « ansible-vault edit {path} » : des lignes « nom: "valeur" »'
    try:
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - the safe loader
    except (yaml.YAMLError, ValueError, RecursionError):
        raise fail(str(path), "le contenu déchiffré n'est pas du YAML", remedy) from None
    values: Secrets = {}
    if content is None:
        return values
    if not isinstance(content, dict):
        raise fail(str(path), "le contenu déchiffré n'est pas une liste de secrets nommés", remedy)
    for name, value in content.items():
        if isinstance(value, str):
            values[str(name)] = Secret(value)
        elif isinstance(value, dict) and all(isinstance(part, str) for part in value.values()):
            values[str(name)] = {str(key): Secret(part) for key, part in value.items()}
        else:
            raise fail(str(path), f"le secret « {name} » n'est pas un texte", remedy)
    return values


def _bare(values: Mapping[str, SecretValue]) -> dict[str, Any]:
    """Return plain strings, the only ones that YAML knows how to write."""
    return {
        name: {key: str.__str__(part) for key, part in value.items()} if isinstance(value, dict) else str.__str__(value)
        for name, value in values.items()
    }


class _Dumper(yaml.SafeDumper):
    """Writes keys of several lines as they are, for whoever opens the vault."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)

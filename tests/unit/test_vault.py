# SPDX-License-Identifier: GPL-3.0-or-later
"""The pack's secrets: made once, kept encrypted, never shown."""

from __future__ import annotations

import base64
import math
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from argon2 import PasswordHasher, extract_parameters
from cryptography.hazmat.primitives import serialization

from packmairie.inventory import vault as module
from packmairie.inventory.generators import ALPHABET, PASSWORD_LENGTH, dkim_public_key, new_secret
from packmairie.inventory.vault import (
    Vault,
    ensure_vault_password,
    generate,
    password_file,
    read_secrets,
    vault_path,
    write_secrets,
)
from packmairie.model.problem import PackmairieError
from packmairie.model.secret import Secret, SecretKind, SecretWish, placeholder, suits

CANARY = "canari-7b1f"


@pytest.fixture(autouse=True)
def _no_configured_password(monkeypatch):
    for name in module.PASSWORD_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pack(tmp_path) -> Path:
    ensure_vault_password(tmp_path)
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestKinds:
    @pytest.mark.parametrize("kind", list(SecretKind))
    def test_made_and_placeholder_have_the_form(self, kind):
        made = new_secret(kind)
        assert suits(kind, made)
        assert suits(kind, placeholder(kind))
        assert made != new_secret(kind)

    def test_password(self):
        password = new_secret(SecretKind.PASSWORD)
        assert len(password) == PASSWORD_LENGTH
        assert math.log2(len(set(ALPHABET))) * PASSWORD_LENGTH >= 128
        assert not set(password) - set(ALPHABET)
        assert not set(ALPHABET) & set("0Oo1lI-_")

    def test_mailbox(self):
        made = new_secret(SecretKind.MAILBOX)
        scheme, _, digest = made["empreinte"].partition("}")
        assert scheme == "{ARGON2ID"
        assert PasswordHasher().verify(digest, made["mot_de_passe"])
        parameters = extract_parameters(digest)
        assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (256, 1, 1)

    def test_dkim(self):
        made = new_secret(SecretKind.DKIM)
        key = serialization.load_der_public_key(base64.b64decode(made["publique"]))
        assert key.key_size == 2048
        assert dkim_public_key(made["cle"]) == made["publique"]
        assert len(made["cree_le"]) == 10

    def test_dkim_refuses_another_key(self):
        with pytest.raises(ValueError):  # noqa: PT011 - the library's own message
            dkim_public_key("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n")

    def test_tsig(self):
        assert len(base64.b64decode(new_secret(SecretKind.TSIG), validate=True)) == 32

    def test_never_shown(self):
        values = {"a": Secret(CANARY), "b": {"c": Secret(CANARY)}}
        assert CANARY not in repr(values)
        assert CANARY not in f"{values}"
        assert CANARY not in f"{Secret(CANARY)!r}"
        assert f"{Secret(CANARY)}" == CANARY


class TestFiles:
    def test_round_trip(self, pack):
        values = {
            "texte": Secret("é: {}[]\"'#\n"),
            "pair": {"x": Secret("1234"), "y": Secret("no")},
            "zéro": Secret("0123"),
        }
        path = write_secrets(pack, "62708", values)
        assert read_secrets(pack, "62708") == values
        assert all(
            isinstance(value, Secret)
            for value in (read_secrets(pack, "62708")["texte"], read_secrets(pack, "62708")["pair"]["y"])
        )
        assert mode(path) == 0o600
        assert mode(path.parent) == 0o700

    def test_nothing_in_clear_on_the_disk(self, pack):
        write_secrets(pack, "plateforme", {"canari": Secret(CANARY)})
        assert not any(CANARY.encode() in path.read_bytes() for path in pack.rglob("*") if path.is_file())
        assert [path.name for path in (pack / "secrets").iterdir()] == ["plateforme.yml"]

    def test_ansible_vault_opens_it(self, pack):
        path = write_secrets(pack, "62708", {"a": Secret(CANARY), "cle": Secret("-----\nun\n-----\n")})
        command = [
            Path(sys.executable).with_name("ansible-vault"),
            "view",
            "--vault-password-file",
            pack / ".vault-password",
            path,
        ]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        assert shown == f"a: {CANARY}\ncle: |\n  -----\n  un\n  -----\n"

    def test_absent_is_empty_and_needs_no_password(self, tmp_path):
        assert read_secrets(tmp_path, "62708") == {}

    @pytest.mark.parametrize("name", ["../x", "62708/../x", "", "6270", "Plateforme", "62708\n", "٦٢٧٠٨"])
    def test_no_other_name(self, pack, name):
        with pytest.raises(ValueError, match="no vault"):
            vault_path(pack, name)

    def test_several_at_once(self, pack):
        names = [f"627{number:02}" for number in range(10)]
        for name in names:
            write_secrets(pack, name, {"nom": Secret(name)})
        assert Vault(pack).read_all(names) == {name: {"nom": name} for name in names}


class TestGenerate:
    wishes = (SecretWish("a", SecretKind.PASSWORD), SecretWish("t", SecretKind.TSIG))

    def test_only_what_is_missing(self, pack):
        first = generate(pack, "62708", self.wishes)
        before = vault_path(pack, "62708").read_bytes()
        assert generate(pack, "62708", self.wishes) == first
        assert vault_path(pack, "62708").read_bytes() == before
        more = generate(pack, "62708", [SecretWish("m", SecretKind.MAILBOX)])
        assert set(more) == {"a", "t", "m"}
        assert {name: more[name] for name in first} == first

    def test_what_a_technician_added_stays(self, pack):
        write_secrets(pack, "62708", {"autre": Secret("x")})
        assert generate(pack, "62708", self.wishes)["autre"] == "x"

    def test_wrong_form_is_told_and_left(self, pack):
        write_secrets(pack, "62708", {"m": Secret(CANARY)})
        with pytest.raises(PackmairieError, match="n'a pas la forme") as caught:
            generate(pack, "62708", [SecretWish("m", SecretKind.MAILBOX)])
        assert CANARY not in str(caught.value)
        assert read_secrets(pack, "62708") == {"m": CANARY}

    def test_progress(self, pack):
        done: list[str] = []
        names = ["plateforme", "62708", "62633"]
        assert set(Vault(pack).generate(dict.fromkeys(names, self.wishes), done.append)) == set(names)
        assert sorted(done) == sorted(names)

    def test_two_runs_agree(self, pack):
        results: list[dict] = []
        threads = [
            threading.Thread(target=lambda: results.append(generate(pack, "62708", self.wishes))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        assert len(results) == 4
        assert all(result == results[0] for result in results)


class TestPassword:
    def test_created_private_once(self, tmp_path):
        path = ensure_vault_password(tmp_path)
        assert path == tmp_path / ".vault-password"
        assert mode(path) == 0o600
        content = path.read_text()
        assert len(content.strip()) >= 32
        assert ensure_vault_password(tmp_path).read_text() == content

    def test_environment_wins(self, tmp_path, monkeypatch):
        monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(tmp_path / "b"))
        assert password_file(tmp_path) == tmp_path / "b"
        monkeypatch.setenv("PACKMAIRIE_VAULT_PASSWORD_FILE", str(tmp_path / "a"))
        assert ensure_vault_password(tmp_path) == tmp_path / "a"
        assert not (tmp_path / ".vault-password").exists()

    def test_never_a_new_one_over_existing_secrets(self, pack):
        write_secrets(pack, "62708", {"a": Secret("x")})
        (pack / ".vault-password").unlink()
        with pytest.raises(PackmairieError, match="des secrets existent"):
            ensure_vault_password(pack)

    @pytest.mark.parametrize("permissions", [0o640, 0o604, 0o660])
    def test_readable_by_others(self, pack, permissions):
        (pack / ".vault-password").chmod(permissions)
        with pytest.raises(PackmairieError, match=r"lisible par d'autres.*chmod 600"):
            write_secrets(pack, "62708", {"a": Secret("x")})

    def test_empty_missing_or_a_folder(self, pack):
        path = pack / ".vault-password"
        path.write_text("\n")
        with pytest.raises(PackmairieError, match="est vide"):
            write_secrets(pack, "62708", {"a": Secret("x")})
        path.unlink()
        with pytest.raises(PackmairieError, match="ne peut pas être lu"):
            write_secrets(pack, "62708", {"a": Secret("x")})
        path.mkdir()
        with pytest.raises(PackmairieError, match="fichier ordinaire"):
            write_secrets(pack, "62708", {"a": Secret("x")})

    def test_program(self, pack):
        path = pack / ".vault-password"
        path.write_text("#!/bin/sh\necho motdepasse\n")
        path.chmod(0o755)
        write_secrets(pack, "62708", {"a": Secret("x")})
        assert read_secrets(pack, "62708") == {"a": "x"}
        path.write_text("#!/bin/sh\nexit 3\n")
        with pytest.raises(PackmairieError, match="a échoué"):
            read_secrets(pack, "62708")


class TestDamaged:
    def check(self, pack, said):
        with pytest.raises(PackmairieError, match=said) as caught:
            read_secrets(pack, "62708")
        assert CANARY not in str(caught.value)
        assert caught.value.__cause__ is None
        assert str(vault_path(pack, "62708")) in str(caught.value)

    def test_wrong_password(self, pack):
        write_secrets(pack, "62708", {"a": Secret(CANARY)})
        (pack / ".vault-password").write_text("autre\n")
        self.check(pack, "n'ouvre pas ce fichier")

    @pytest.mark.parametrize("keep", [20, 60, 200])
    def test_truncated(self, pack, keep):
        path = write_secrets(pack, "62708", {"a": Secret(CANARY)})
        path.write_bytes(path.read_bytes()[:keep])
        self.check(pack, "n'ouvre pas ce fichier")

    def test_not_encrypted(self, pack):
        vault_path(pack, "62708").parent.mkdir()
        vault_path(pack, "62708").write_text(f"a: {CANARY}\n")
        self.check(pack, "n'est pas chiffré")

    @pytest.mark.parametrize(
        "content", [f"a: [{CANARY}", f"- {CANARY}", CANARY, f"a: [{CANARY}]", "a: 12", f"a: !!python/name:os.{CANARY}"]
    )
    def test_content(self, pack, content):
        path = vault_path(pack, "62708")
        path.parent.mkdir()
        path.write_bytes(Vault(pack)._library.encrypt(content))
        self.check(pack, "déchiffré|n'est pas un texte")

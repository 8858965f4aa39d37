# SPDX-License-Identifier: GPL-3.0-or-later
"""DKIM rotation, call after call: no message is ever signed by a key that the world cannot read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from core_samples import edit, make_pack, set_existing
from inventory_samples import OEUF

from packmairie.engines.names import Names
from packmairie.inventory import generators
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault, ensure_vault_password
from packmairie.model.probe import Absent, DnsAnswer, Found, Unanswered
from packmairie.model.problem import PackmairieError
from packmairie.model.secret import Secret, SecretKind, placeholder
from packmairie.operations import rotation
from packmairie.operations.desired import trees, vault_secrets, wished_secrets
from packmairie.operations.rotation import RETIRED_SELECTOR, RETIREMENT, Stage, rotate_keys

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CODE = "62708"


class World:
    """The name servers as they answer: what was last deployed, or silence."""

    def __init__(self, folder, monkeypatch) -> None:
        self.folder = folder
        self.published: dict[str, str] = {}
        self.silent: set[str] = set()
        self.asked: list[str] = []
        monkeypatch.setattr(Names, "ask", lambda _names, query: self.ask(query))

    def ask(self, query):
        self.asked.append(str(query.server))
        if str(query.server) in self.silent:
            return Unanswered("silence")
        text = self.published.get(query.name)
        return Found(DnsAnswer((text,))) if text else Absent("n'existe pas")

    def deploy(self) -> None:
        for code in ("62633", CODE):
            values = Vault(self.folder).read(code)
            for selector in ("pm1", "pm2"):
                key = values.get(f"messagerie.dkim.{selector}")
                if key:
                    owner = f"{selector}.{code}._domainkey.{load_pack(self.folder).file.plateforme.domaine}"
                    self.published[owner] = f"v=DKIM1; k=rsa; p={key['publique']}"

    def signing(self) -> tuple[str, bool]:
        """Return the selector that signs, and whether the world can read its key."""
        settings = load_pack(self.folder)
        source = vault_secrets(settings, Vault(self.folder), allow_missing=False)
        maps = {file.path.rsplit("/", 1)[1]: file for file in trees(settings, source)["rspamd"].files}
        line = next(part.content for part in maps["selecteurs.map"].parts if part.commune == CODE)
        selector = line.split()[1]
        key = source(CODE)[f"messagerie.dkim.{selector}"]["publique"]
        owner = f"{selector}.{CODE}._domainkey.{settings.file.plateforme.domaine}"
        return selector, f"p={key}" in self.published.get(owner, "")


@pytest.fixture
def world(tmp_path, monkeypatch):
    for name in ("PACKMAIRIE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)
    made = iter(range(1000))

    def quick_key():
        number = next(made)
        return {
            "cle": Secret(f"-----BEGIN PRIVATE KEY-----\nQUJD{number:04}\n-----END PRIVATE KEY-----\n"),
            "publique": Secret(f"QUJD{number:04}"),
            "cree_le": Secret("2026-11-24"),
        }

    monkeypatch.setitem(generators._MAKERS, SecretKind.DKIM, quick_key)
    monkeypatch.setitem(generators._MAKERS, SecretKind.MAILBOX, lambda: placeholder(SecretKind.MAILBOX))
    folder = make_pack(tmp_path / "pack")
    ensure_vault_password(folder)
    Vault(folder).generate(dict(wished_secrets(load_pack(folder))))
    return World(folder, monkeypatch)


def step(world, now=NOW, code=CODE):
    (result,) = rotate_keys(world.folder, [code], now)
    return result


class TestCycle:
    def test_from_the_first_key_to_the_third(self, world):
        world.deploy()
        assert world.signing() == ("pm1", True)
        ttl = timedelta(seconds=load_pack(world.folder).file.dns.ttl)

        assert step(world).stage is Stage.SWITCHED
        assert world.signing() == ("pm2", True)

        early = step(world, NOW + RETIREMENT - timedelta(seconds=1))
        assert early.stage is Stage.WAITING
        assert "en chemin" in early.message

        later = NOW + RETIREMENT
        prepared = step(world, later)
        assert (prepared.stage, prepared.selector) == (Stage.PREPARED, "pm1")
        assert world.signing() == ("pm2", True)

        world.deploy()
        waiting = step(world, later + ttl - timedelta(seconds=1))
        assert waiting.stage is Stage.WAITING
        assert "caches" in waiting.message

        switched = step(world, later + ttl)
        assert (switched.stage, switched.selector) == (Stage.SWITCHED, "pm1")
        assert world.signing() == ("pm1", True)

    def test_the_key_that_signed_stays_published(self, world):
        world.deploy()
        before = Vault(world.folder).read(CODE)["messagerie.dkim.pm1"]
        step(world)
        assert Vault(world.folder).read(CODE)["messagerie.dkim.pm1"] == before

    def test_another_commune_is_not_touched(self, world):
        world.deploy()
        before = Vault(world.folder).read("62633")
        step(world)
        step(world)
        assert Vault(world.folder).read("62633") == before

    def test_passwords_do_not_change(self, world):
        world.deploy()
        before = Vault(world.folder).read(CODE)["messagerie.boites.sonde"]
        for _ in range(3):
            step(world)
        assert Vault(world.folder).read(CODE)["messagerie.boites.sonde"] == before

    def test_all_at_once(self, world):
        world.deploy()
        assert [result.commune for result in rotate_keys(world.folder, (), NOW)] == ["62633", CODE]


class TestWaiting:
    @pytest.mark.parametrize("cause", ["not deployed", "another key", "silent"])
    def test_until_every_server_gives_the_key(self, world, cause):
        if cause != "not deployed":
            world.deploy()
        if cause == "another key":
            world.published = dict.fromkeys(world.published, "v=DKIM1; k=rsa; p=AUTRE")
        if cause == "silent":
            servers = load_pack(world.folder).file.plateforme.serveurs_dns
            world.silent = {str(address) for hosts in servers.values() for address in hosts}
        before = Vault(world.folder).read(CODE)
        assert step(world).stage is Stage.WAITING
        assert Vault(world.folder).read(CODE) == before

    def test_one_silent_server_is_enough(self, world):
        edit(world.folder / "pack.yml", "serveurs_dns:\n", "serveurs_dns:\n    ns9: [192.0.2.99]\n")
        world.deploy()
        world.silent = {"192.0.2.99"}
        assert step(world).stage is Stage.WAITING


class TestRefusal:
    def test_no_keys_yet(self, world):
        values = Vault(world.folder).read(CODE)
        del values["messagerie.dkim.pm2"]
        Vault(world.folder).write(CODE, values)
        with pytest.raises(PackmairieError, match="pas encore de clés"):
            step(world)

    def test_mail_elsewhere_when_named(self, world):
        set_existing(world.folder, OEUF)
        with pytest.raises(PackmairieError, match="messagerie ailleurs"):
            step(world, code="62633")

    def test_and_left_out_when_not(self, world):
        set_existing(world.folder, OEUF)
        world.deploy()
        assert [result.commune for result in rotate_keys(world.folder, (), NOW)] == [CODE]

    def test_unknown(self, world):
        with pytest.raises(PackmairieError, match="59529"):
            step(world, code="59529")


def test_what_is_retired_is_remembered(world):
    world.deploy()
    step(world)
    assert Vault(world.folder).read(CODE)[RETIRED_SELECTOR] == "pm1"
    assert rotation.SELECTORS == ("pm1", "pm2")

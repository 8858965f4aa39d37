# SPDX-License-Identifier: GPL-3.0-or-later
"""Real ansible-inventory, ansible-playbook and ansible-runner on a pack: what they see, and what they never see."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from core_samples import edit

from packmairie.engines.ansible import UNCENSORED, RunResult, Step, run_playbook
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault, ensure_vault_password
from packmairie.model.change import PLATEFORME, Action
from packmairie.model.secret import Secret
from packmairie.operations.desired import wished_secrets

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
DEMO = PROJECT / "inventories" / "demo"
CANARY = "canari-9c1e4b"
RIENCOURT = "62708-riencourt-les-bapaume.yml"


def ansible(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PACKMAIRIE_"))}
    command = [str(BIN / f"ansible-{program}"), *map(str, arguments)]
    return subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """Give a copy of the demonstration pack, whose host is this machine, without a connection."""
    folder = tmp_path / "demo"
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("secrets", ".vault-password", "preuves"))
    text = (folder / "pack.yml").read_text(encoding="utf-8")
    start, end = text.index("      connexion:"), text.index("# L'autorité de certification")
    connection = f"      connexion: {{ansible_connection: local, ansible_python_interpreter: {sys.executable}}}\n\n"
    (folder / "pack.yml").write_text(text[:start] + connection + text[end:], encoding="utf-8")
    return folder


@pytest.fixture
def guarded(demo: Path) -> Path:
    """Give the same with its secrets, a canary in each."""
    ensure_vault_password(demo)
    vault = Vault(demo)
    wishes = dict(wished_secrets(load_pack(demo)))
    vault.generate(wishes)
    for name in wishes:
        values: dict[str, Any] = vault.read(name)
        values["canari"] = Secret(CANARY)
        for key, value in values.items():
            if key.startswith("messagerie.boites."):
                values[key] = value | {"mot_de_passe": Secret(f"{CANARY}-boite")}
        vault.write(name, values)
    return demo


def secret_values(folder: Path) -> set[str]:
    """Return every secret text of a pack, line by line, and the vault's password."""
    vault = Vault(folder)
    texts = [(folder / ".vault-password").read_text().strip(), CANARY]
    for name in dict(wished_secrets(load_pack(folder))):
        for value in vault.read(name).values():
            if isinstance(value, dict):
                texts += [text for part, text in value.items() if part not in {"publique", "cree_le"}]
            else:
                texts.append(value)
    lines = {line for text in texts for line in str(text).splitlines()}
    return {line for line in lines if len(line) > 12 and "PRIVATE KEY" not in line}


def leaks(folder: Path, *texts: str) -> set[str]:
    return {secret[:6] + "…" for secret in secret_values(folder) for text in texts if secret in text}


def plain(value: Any) -> Any:
    """Return a variable without the mark that a listing gives to texts that are no templates."""
    return value["__ansible_unsafe"] if isinstance(value, dict) and "__ansible_unsafe" in value else value


class TestInventory:
    def test_graph(self):
        shown = ansible("inventory", "-i", "inventories/demo", "--graph")
        assert shown.returncode == 0, shown.stderr
        for group in ("dns", "frontal", "messagerie", "plateforme_hotes"):
            assert f"|--@{group}:\n  |  |--plateforme" in shown.stdout
        assert "62708" not in shown.stdout

    def test_list(self):
        shown = ansible("inventory", "-i", "inventories/demo", "--list")
        assert shown.returncode == 0, shown.stderr
        data = json.loads(shown.stdout)
        variables = data["_meta"]["hostvars"]["plateforme"]
        variables = {name: plain(value) for name, value in variables.items()}
        assert variables["ansible_host"] == "10.59.62.10"
        assert variables["packmairie_pack"] == str(DEMO)
        assert variables["messagerie_mx_name"] == "mx.pack.example"
        assert set(variables["socle_open_tcp"]) >= {25, 53, 80, 443, 465, 587, 993}
        assert variables["socle_open_udp"] == [53]

    def test_holds_no_secret_though_the_password_is_there(self, guarded):
        for form in ("--list", "--graph", "--vars"):
            arguments = ["--graph", "--vars"] if form == "--vars" else [form]
            shown = ansible("inventory", "-i", guarded, *arguments)
            assert shown.returncode == 0, shown.stderr
            assert "plateforme" in shown.stdout
            assert not leaks(guarded, shown.stdout, shown.stderr)

    def test_opens_no_vault(self, demo):
        (demo / "secrets").mkdir()
        (demo / "secrets" / "plateforme.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n00\n")
        assert ansible("inventory", "-i", demo, "--list").returncode == 0

    def test_a_broken_pack_is_told_by_file_and_line(self, demo):
        edit(demo / "communes" / RIENCOURT, 'siren: "2', 'siren: "3')
        shown = ansible("inventory", "-i", demo, "--list")
        assert shown.returncode != 0
        line = next(
            number
            for number, text in enumerate((demo / "communes" / RIENCOURT).read_text().splitlines(), start=1)
            if text.startswith("siren:")
        )
        words = " ".join((shown.stdout + shown.stderr).split())
        assert f"{RIENCOURT}:{line}" in words.replace(" ", "").replace("\n", "") or f"{RIENCOURT}:{line}" in words
        assert "clé de contrôle" in words

    def test_connection_variables_are_the_operator_s(self, demo):
        data = json.loads(ansible("inventory", "-i", demo, "--host", "plateforme").stdout)
        assert data["ansible_connection"] == "local"


class TestPlaybook:
    def test_syntax(self):
        shown = ansible("playbook", "-i", "inventories/demo", "--syntax-check", "playbooks/site.yml")
        assert shown.returncode == 0, shown.stdout + shown.stderr

    def test_every_part_can_be_named(self):
        shown = ansible("playbook", "-i", "inventories/demo", "--list-tags", "playbooks/site.yml")
        assert shown.returncode == 0, shown.stderr
        assert all(tag in shown.stdout for tag in ("socle", "dns", "records", "frontal", "messagerie"))


TREE_PLAY = """\
- hosts: messagerie
  gather_facts: false
  tasks:
    - name: Poser les cartes
      packmairie_tree: {tree: postfix}
    - name: Poser les comptes
      packmairie_tree: {tree: dovecot}
    - name: Poser les clés
      packmairie_tree: {tree: rspamd}
"""


class TestRunner:
    """Check mode only: these trees are meant for hosts, and this machine is none."""

    def run(self, tmp_path: Path, folder: Path, play: str, **options: Any) -> tuple[RunResult, str]:
        playbook = tmp_path / "play.yml"
        playbook.write_text(play, encoding="utf-8")
        artifacts = tmp_path / "artifacts"
        result = run_playbook(str(playbook), folder, artifacts, **{"check": True, **options})
        texts = [path.read_text(errors="replace") for path in artifacts.rglob("*") if path.is_file()]
        return result, "\n".join(texts)

    def test_changes_are_told_by_commune_and_hold_no_secret(self, tmp_path, guarded):
        steps: list[Step] = []
        result, kept = self.run(tmp_path, guarded, TREE_PLAY, on_step=steps.append)
        assert result.succeeded, result.failures
        assert result.hosts == {"plateforme"}
        assert [step.task for step in steps] == ["Poser les cartes", "Poser les comptes", "Poser les clés"]
        by_path = {(change.what, change.commune) for change in result.changes}
        assert {change.action for change in result.changes} == {Action.CREATE}
        for code in (PLATEFORME, "59529", "62633", "62708"):
            assert ("/etc/postfix/communes/boites", code) in by_path
        assert ("/var/lib/rspamd/dkim/riencourt-les-bapaume.fr.pm1.key", "62708") in by_path
        boxes = next(c for c in result.changes if (c.what, c.commune) == ("/etc/postfix/communes/boites", "62708"))
        assert "+contact@riencourt-les-bapaume.fr 62708" in boxes.detail
        shown = "\n".join(repr(change) for change in result.changes)
        assert not leaks(guarded, shown, kept)
        assert kept, "there was something to search"

    def test_a_selection(self, tmp_path, guarded):
        result, _ = self.run(tmp_path, guarded, TREE_PLAY, variables={"packmairie_communes": "62633"})
        assert result.succeeded, result.failures
        assert {change.commune for change in result.changes} == {PLATEFORME, "62633"}

    def test_a_plan_needs_no_secret_and_a_deployment_does(self, tmp_path, demo):
        result, _ = self.run(tmp_path, demo, TREE_PLAY)
        assert result.succeeded, result.failures
        result, _ = self.run(tmp_path, demo, TREE_PLAY.replace("  tasks:", "  check_mode: false\n  tasks:"))
        (failure,) = result.failures
        assert failure.task == "Poser les cartes"
        assert "secrets absents" in failure.reason

    def test_what_changes_is_told_however_long_it_is(self, tmp_path, demo):
        """As for the boxes of nine hundred communes: ansible-runner empties results of over 700,000 characters."""
        play = f"""\
- hosts: messagerie
  gather_facts: false
  tasks:
    - name: Parler longtemps
      ansible.builtin.command: {sys.executable} -c "print('x' * 800_000)"
      check_mode: false
"""
        result, _ = self.run(tmp_path, demo, play)
        assert result.succeeded, result.failures
        assert [change.what for change in result.changes] == ["Parler longtemps"]

    def test_failures_ignored_censored_and_told(self, tmp_path, demo):
        (tmp_path / "secret").write_text(CANARY)
        play = f"""\
- hosts: messagerie
  gather_facts: false
  tasks:
    - name: Sans importance
      ansible.builtin.fail: {{msg: ignorée}}
      ignore_errors: true
    - name: Change
      ansible.builtin.debug: {{msg: rien}}
      changed_when: true
    - name: Discrète
      ansible.builtin.shell: cat {tmp_path / "secret"} >&2; cat {tmp_path / "secret"}; exit 1
      no_log: true
      check_mode: false
"""
        result, kept = self.run(tmp_path, demo, play)
        assert not result.succeeded
        assert [(change.commune, change.what) for change in result.changes] == [(PLATEFORME, "Change")]
        assert [(failure.task, failure.reason) for failure in result.failures] == [("Discrète", UNCENSORED)]
        assert CANARY not in kept

    def test_another_module_s_difference_is_shown(self, tmp_path, demo):
        target = tmp_path / "cible"
        target.write_text("avant\n")
        play = f"""\
- hosts: messagerie
  gather_facts: false
  tasks:
    - name: Écrire
      ansible.builtin.copy: {{content: "apres\\n", dest: "{target}", mode: "0600"}}
"""
        result, _ = self.run(tmp_path, demo, play)
        (change,) = result.changes
        assert "-avant" in change.detail
        assert "+apres" in change.detail
        assert target.read_text() == "avant\n"

    def test_a_play_for_nobody_is_no_success(self, tmp_path, demo):
        result, _ = self.run(tmp_path, demo, TREE_PLAY.replace("hosts: messagerie", "hosts: personne"))
        assert not result.hosts
        assert not result.succeeded

    def test_an_unreachable_host(self, tmp_path, demo, closed_port):
        if shutil.which("ssh") is None:
            pytest.skip("ssh n'est pas installé")
        edit(demo / "pack.yml", "adresse: 10.59.62.10", "adresse: 127.0.0.1")
        edit(demo / "pack.yml", "ansible_connection: local", f"ansible_connection: ssh, ansible_port: {closed_port}")
        result, _ = self.run(tmp_path, demo, TREE_PLAY)
        (failure,) = result.failures
        assert failure.unreachable
        assert failure.host == "plateforme"
        assert not result.succeeded

    def test_a_broken_pack_fails_with_its_reason(self, tmp_path, demo):
        edit(demo / "communes" / RIENCOURT, 'siren: "2', 'siren: "3')
        result, _ = self.run(tmp_path, demo, TREE_PLAY)
        assert not result.succeeded
        (failure,) = result.failures
        assert "clé de contrôle" in failure.reason

    def test_the_environment_is_not_kept(self, tmp_path, demo, monkeypatch):
        monkeypatch.setenv("UN_SECRET_DU_SHELL", CANARY)
        _, kept = self.run(tmp_path, demo, TREE_PLAY)
        assert CANARY not in kept

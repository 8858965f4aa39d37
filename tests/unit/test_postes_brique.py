# SPDX-License-Identifier: GPL-3.0-or-later
"""What workstations and the gateway receive: their own, nobody else's; what applications are told; refusals."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from core_samples import commune, pack
from pydantic import ValidationError

from packmairie.briques.postes import Postes
from packmairie.briques.postes_applications import firefox_policies, thunderbird_settings
from packmairie.briques.postes_services import services_of
from packmairie.briques.postes_tenant import unit_name
from packmairie.inventory.generators import PHRASE_WORDS, new_secret, session_hash
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.poste import Poste
from packmairie.model.secret import SecretKind
from packmairie.operations.desired import offline_secrets, trees
from packmairie.operations.variables import workstation_variables

GROUPS = ["dns", "frontal", "messagerie", "partage", "acces"]
GATEWAY = {"plateforme": {"hotes": {"plateforme": {"adresse": "192.0.2.10", "groupes": GROUPS}}}}
AGENTS = [{"identifiant": "secretariat", "nom": "Secrétariat"}, {"identifiant": "prenom.nom", "nom": 'Agent "A"'}]


def sample(*postes: dict[str, object], **changes: object) -> tuple[Commune, Pack]:
    one = commune(agents=AGENTS, postes=list(postes), **changes)
    return one, pack(one, **GATEWAY)


def test_each_workstation_has_a_tree_of_its_own_with_its_own_agents() -> None:
    _one, wished = sample(
        {"nom": "poste-62708-1", "acces": "tunnel", "agents": ["secretariat"]},
        {"nom": "poste-62708-2", "acces": "tunnel", "agents": ["prenom.nom"]},
    )
    made = trees(wished, offline_secrets(wished))
    files = {file.path: file for file in made["postes-poste-62708-1"].files}
    sessions = json.loads(files["/etc/packmairie/postes/sessions.json"].text())
    assert [session["identifiant"] for session in sessions] == ["secretariat"]
    assert sessions[0]["empreinte"].startswith("$y$")
    assert "mot_de_passe" not in sessions[0]
    secret = [path for path, file in files.items() if file.secret]
    assert sorted(secret) == [
        "/etc/davfs2/secrets",
        "/etc/packmairie/postes/sessions.json",
        "/etc/packmairie/postes/tunnel.cle",
    ]
    assert {files[path].mode for path in secret} == {"0600"}
    assert "prenom.nom" not in "".join(file.text() for file in files.values())


def test_the_gateway_admits_each_key_at_one_address() -> None:
    _one, wished = sample(
        {"nom": "poste-62708-1", "acces": "tunnel"}, {"nom": "poste-62708-2", "adresse": "192.0.2.102"}
    )
    text = {file.path: file.text() for file in trees(wished, offline_secrets(wished))["acces"].files}
    lines = [line for line in text["/etc/packmairie/acces/cles"].splitlines() if not line.startswith("#")]
    assert len(lines) == 1
    assert lines[0].startswith('restrict,port-forwarding,permitlisten="127.125.98.1:2222" ssh-ed25519 ')


def test_a_pack_without_a_gateway_opens_none() -> None:
    one = commune(postes=[{"nom": "poste-62708-1", "acces": "tunnel"}])
    bare = pack(one)
    assert "acces" not in trees(bare, offline_secrets(bare))
    assert Postes().platform_records(bare, {}) == Postes().platform_secrets(bare) == ()


def test_a_tunnelled_workstation_answers_its_loopback_alone() -> None:
    one, wished = sample({"nom": "poste-62708-1", "acces": "tunnel"})
    variables = workstation_variables(one, one.postes[0], wished)
    assert (variables["ansible_host"], variables["ansible_port"]) == ("127.125.98.1", 2222)
    assert variables["socle_ssh_from"] == ["127.0.0.1/32"]
    assert "HostKeyAlias=poste-62708-1" in variables["ansible_ssh_common_args"]
    one, wished = sample({"nom": "poste-62708-1", "adresse": "192.0.2.101", "connexion": {"ansible_user": "admin"}})
    variables = workstation_variables(one, one.postes[0], wished)
    assert (variables["ansible_host"], variables["ansible_user"]) == ("192.0.2.101", "admin")
    assert "socle_ssh_from" not in variables


def test_thunderbird_s_file_is_javascript_whatever_names_hold() -> None:
    one, wished = sample({"nom": "poste-62708-1", "acces": "tunnel"})
    hostile = one.agents[0].model_copy(update={"nom": 'x");\u2028alert("é'})
    text = thunderbird_settings(one, wished, [hostile, *one.agents[1:]])
    assert text.startswith("//")
    assert 'alert("' not in text
    assert "\u2028" not in text


def test_mail_that_is_elsewhere_is_not_set_up() -> None:
    one, wished = sample(
        {"nom": "poste-62708-1", "acces": "tunnel"},
        existant={"messagerie": "un autre"},
        domaine={"nom": "riencourt-les-bapaume.fr", "dns": "externe"},
    )
    assert "defaultPref" not in thunderbird_settings(one, wished, list(one.agents))
    assert "Homepage" not in firefox_policies(one, wished)["policies"]
    assert "webmail" not in {service.name for service in services_of(one, wished)}
    files = {file.path: file.text() for file in trees(wished, offline_secrets(wished))["postes-poste-62708-1"].files}
    assert not [path for path in files if path.endswith(".mount")]


def test_units_are_named_as_systemd_names_them() -> None:
    if shutil.which("systemd-escape") is None:
        pytest.skip("systemd-escape absent")
    for path in ("/fichiers/secretariat", "/fichiers/prenom.nom", "/fichiers/jean-paul_b", "/fichiers/2b"):
        said = subprocess.run(["systemd-escape", "--path", path], capture_output=True, text=True, check=True).stdout
        assert unit_name(path) == said.strip()


def test_phrases_are_the_same_on_every_keyboard() -> None:
    phrase = str(new_secret(SecretKind.PHRASE))
    assert len(phrase.split(" ")) == PHRASE_WORDS
    assert not set(phrase) & set("aqwzm-;,.")
    assert session_hash("essai") != session_hash("essai")


@pytest.mark.parametrize(
    "wrong",
    [
        {"nom": "poste-62708-1", "acces": "direct"},
        {"nom": "poste-62708-1", "acces": "pigeon"},
        {"nom": "poste-62708-0", "acces": "tunnel"},
        {"nom": "poste-62708-1", "acces": "tunnel", "disque": "/dev/sda; rm"},
        {"nom": "poste-62708-1", "acces": "tunnel", "numero_serie": "=cmd()"},
        {"nom": "poste-62708-1", "acces": "tunnel", "couleur": "bleu"},
    ],
)
def test_wrong_entries_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Poste.model_validate(wrong)


def test_a_session_of_nobody_is_refused() -> None:
    with pytest.raises(ValidationError, match="n'est pas un agent"):
        sample({"nom": "poste-62708-1", "acces": "tunnel", "agents": ["inconnu"]})

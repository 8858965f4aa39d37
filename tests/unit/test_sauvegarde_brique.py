# SPDX-License-Identifier: GPL-3.0-or-later
"""What the brique sauvegarde wishes: repositories, keys that open only them, files that leak nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from core_samples import commune, pack
from pydantic import ValidationError

from packmairie.briques.sauvegarde import Sauvegarde
from packmairie.briques.sauvegarde_files import PLANNED_CODE, planned_code, planned_hosts
from packmairie.briques.sauvegarde_repositories import bucket_name, endpoint, has_store, repositories
from packmairie.engines.s3_buckets import bucket_policy
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.secret import placeholder
from packmairie.operations.desired import offline_secrets, trees
from packmairie.operations.sauvegarde_buckets import wishes

STORE = {"plateforme": {"hotes": {"stockage-1": {"adresse": "192.0.2.30", "groupes": ["stockage"]}}}}
POSTE = {"nom": "poste-62708-1", "adresse": "192.0.2.101"}


def sample(*communes: Commune, **changes: object) -> Pack:
    """Return a pack with a store."""
    file = {**pack(*communes).file.model_dump(mode="json"), **changes}
    hosts = file["plateforme"]["hotes"]
    hosts["stockage-1"] = {"adresse": "192.0.2.30", "groupes": ["stockage"]}
    return pack(*communes, **{"plateforme": file["plateforme"], **changes})


def test_a_pack_without_a_store_wishes_nothing() -> None:
    one = commune()
    bare, brique = pack(one), Sauvegarde()
    assert not has_store(bare)
    assert brique.buckets(one, bare) == brique.secrets(one, bare) == brique.platform_secrets(bare) == ()
    assert brique.tenant(one, bare, {}) == brique.checks(one, bare) == brique.platform_checks(bare) == ()


def test_each_repository_has_its_own_key_and_password() -> None:
    one = commune(postes=[POSTE])
    found = repositories(one, sample(one))
    assert [repository.prefix for repository in found] == ["plateforme", "postes/poste-62708-1"]
    assert len({repository.key for repository in found} | {repository.password for repository in found}) == 4


def test_a_key_opens_its_prefix_and_nothing_else() -> None:
    one, other = commune(postes=[POSTE]), commune("62633")
    wished = sample(one, other)
    tree = trees(wished, offline_secrets(wished))["stockage"]
    identities = {
        identity["name"]: identity["actions"] for file in tree.files for identity in json.loads(file.parts[0].content)
    }
    bucket = bucket_name("62708", wished)
    assert identities["62708-poste-62708-1"] == [
        f"{action}:{bucket}/postes/poste-62708-1/*" for action in ("Read", "Write", "List")
    ]
    assert identities["entretien"] == ["Admin"]
    assert [name for name, actions in identities.items() if "Admin" in actions] == ["entretien"]
    assert identities["entretien-plateforme"] == ["Read", "Write", "List", "GetObjectRetention", "PutObjectRetention"]
    assert all(file.secret and file.mode == "0600" for file in tree.files)


def test_a_workstation_receives_its_own_repository_only() -> None:
    one = commune(postes=[POSTE], sauvegarde={"dossiers": ["/opt/metier/donnees"]})
    wished = sample(one)
    made = trees(wished, offline_secrets(wished))
    files = made["sauvegarde-poste-62708-1"].files
    assert [file.path for file in files] == ["/etc/packmairie/sauvegarde/depots/62708-poste-62708-1.json"]
    content = json.loads(files[0].parts[0].content)
    assert content["depot"] == "poste-62708-1"
    assert [source["chemins"] for source in content["sources"]] == [["/home"], ["/opt/metier/donnees"]]
    assert files[0].secret
    assert files[0].mode == "0600"


def test_a_revoked_workstation_keeps_its_backups_and_loses_its_key() -> None:
    one = commune(postes=[POSTE | {"revoque_le": "2026-11-20"}])
    wished = sample(one)
    assert [repository.name for repository in repositories(one, wished)] == ["plateforme", "poste-62708-1"]
    made = trees(wished, offline_secrets(wished))
    text = "".join(file.text() for file in made["stockage"].files)
    assert "62708-plateforme" in text
    assert "poste-62708-1" not in text
    assert "sauvegarde-poste-62708-1" not in made
    assert not [check for check in Sauvegarde().checks(one, wished) if "poste-62708-1" in check.name]


def test_the_platform_backs_up_what_each_brique_keeps() -> None:
    one, elsewhere = commune(), commune("62633", existant={"presence": "un autre prestataire"})
    wished = sample(one, elsewhere)
    made = {file.path: file for file in trees(wished, offline_secrets(wished))["sauvegarde"].files}
    content = json.loads(made["/etc/packmairie/sauvegarde/depots/62708-plateforme.json"].parts[0].content)
    assert {source["nom"]: source["groupe"] for source in content["sources"]} == {
        "boites": "messagerie",
        "site": "frontal",
        "reglages-webmail": "frontal",
    }
    rows = next(source["extraits"] for source in content["sources"] if source["nom"] == "reglages-webmail")
    assert [extract["valeur"] for extract in rows] == [one.domaine.nom]
    content = json.loads(made["/etc/packmairie/sauvegarde/depots/62633-plateforme.json"].parts[0].content)
    assert [source["nom"] for source in content["sources"]] == ["boites", "reglages-webmail"]


def test_the_maintenance_key_is_on_no_host_but_the_store() -> None:
    one = commune(postes=[POSTE])
    wished = sample(one)
    source = offline_secrets(wished)

    def marked(name: str) -> dict[str, object]:
        known = dict(source(name))
        if name == "plateforme":
            known["sauvegarde.cle_entretien"] = {"identifiant": "CLE-ENTRETIEN", "secret": "SECRET-ENTRETIEN"}
        return known

    for name, tree in trees(wished, marked).items():
        holds = any("ENTRETIEN" in part.content for file in tree.files for part in file.parts)
        assert holds == (name == "stockage"), name


def test_the_platform_maintains_by_itself_with_a_key_that_destroys_nothing() -> None:
    one = commune(postes=[POSTE, POSTE | {"nom": "poste-62708-2", "revoque_le": "2026-11-20"}])
    wished = sample(one)
    made = trees(wished, offline_secrets(wished))
    files = {file.path: file for file in made["entretien"].files}
    assert all(file.secret and file.mode == "0640" and file.group == "entretien" for file in files.values())
    told = json.loads(files["/etc/packmairie/entretien/communes/62708.json"].text())
    assert {depot["nom"]: set(depot["sources"]) for depot in told["depots"]} == {
        "plateforme": {"boites", "reglages-webmail", "site"},
        "poste-62708-1": {"personnels"},
    }
    for wish in (wish for _commune, wish in wishes(wished, frozenset())):
        users, keepers = bucket_policy(wish)["Statement"]
        assert "s3:PutObjectRetention" in users["Action"]
        assert {"s3:DeleteObjectVersion", "s3:PutBucketPolicy", "s3:DeleteBucket"} <= set(keepers["Action"])
        assert "s3:PutObjectRetention" not in keepers["Action"]
        assert [arn.rpartition("/")[2] for arn in keepers["Principal"]["AWS"]] == ["entretien-plateforme"]
    assert planned_hosts(wished) == ("plateforme",)
    assert planned_hosts(pack(one)) == ()
    assert "minuterie-entretien-plateforme" in {check.name for check in Sauvegarde().platform_checks(wished)}


def test_what_the_platform_runs_is_laid_whole(tmp_path: Path) -> None:
    """What is laid imports nothing that is not laid, but the libraries that the role installs."""
    for file in planned_code():
        place = tmp_path / file.path.removeprefix(f"{PLANNED_CODE}/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file.text(), encoding="utf-8")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import packmairie.operations.sauvegarde_planned;"
        "print('\\n'.join(sorted({name.partition('.')[0] for name in sys.modules})));"
        "print('\\n'.join(m.__file__ for n, m in sys.modules.items() if n.startswith('packmairie.')))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = set(done.stdout.split())
    assert {"boto3", "pydantic", "dns"} <= said
    assert not {"yaml", "ansible", "typer", "octodns", "paramiko", "httpx"} & said
    assert all(line.startswith(str(tmp_path)) for line in said if line.startswith("/"))


def test_a_store_of_another_is_named_by_its_endpoint() -> None:
    one = commune()
    wished = pack(one, sauvegarde={"endpoint": "https://s3.autre.example"})
    brique = Sauvegarde()
    assert has_store(wished)
    assert endpoint(wished) == "https://s3.autre.example"
    assert brique.platform_records(wished, {}) == ()
    names = {tree.name for tree in brique.tenant(one, wished, offline_secrets(wished)("62708"))}
    assert names == {"sauvegarde", "entretien"}


def test_the_store_is_alone_on_its_host() -> None:
    with pytest.raises(ValidationError, match="stockage doit être seul"):
        pack(commune(), plateforme={"hotes": {"tout": {"adresse": "192.0.2.9", "groupes": ["frontal", "stockage"]}}})


@pytest.mark.parametrize("name", ["poste-62633-1", "serveur", "poste-62708-"])
def test_a_workstation_bears_the_name_of_its_commune(name: str) -> None:
    with pytest.raises(ValidationError):
        commune(postes=[{"nom": name, "adresse": "192.0.2.101"}])


@pytest.mark.parametrize("path", ["relatif", "/", "/a/../b", "/a/*", "/a//b", "/a\nb", "-r"])
def test_a_folder_that_restic_would_read_otherwise_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        commune(sauvegarde={"dossiers": [path]})


def test_a_long_domain_still_makes_a_name_of_bucket() -> None:
    one = commune()
    wished = sample(one, sauvegarde={"prefixe": "a" * 41})
    assert len(bucket_name("2A004", wished)) <= 63
    assert bucket_name("2A004", wished).endswith("-2a004")


def test_keys_are_of_the_kind_that_stores_read() -> None:
    from packmairie.inventory.generators import new_secret
    from packmairie.model.secret import SecretKind, suits

    made = new_secret(SecretKind.CLE_S3)
    assert suits(SecretKind.CLE_S3, made)
    assert isinstance(made, dict)
    assert (len(made["identifiant"]), len(made["secret"])) == (20, 40)
    assert made != new_secret(SecretKind.CLE_S3)
    assert suits(SecretKind.CLE_S3, placeholder(SecretKind.CLE_S3))

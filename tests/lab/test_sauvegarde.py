# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups on booted hosts: an attack with every key of a workstation, cuts, sabotage; and everything comes back."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from stages import ROOT, Deployment

from packmairie.briques.sauvegarde_repositories import bucket_name
from packmairie.engines.ansible import run_playbook
from packmairie.engines.s3 import Store
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.lab import Lab
from packmairie.model.pack import Pack
from packmairie.model.preuve import Preuve, State
from packmairie.operations.plan import SITE
from packmairie.operations.sauvegarde_drill import drill_pack
from packmairie.operations.sauvegarde_maintain import maintain_pack
from packmairie.operations.sauvegarde_proof import Evidence
from packmairie.operations.sauvegarde_restore import restore
from packmairie.operations.sauvegarde_store import maintenance_key, open_store
from packmairie.operations.secrets import generate_secrets
from packmairie.operations.status import status_pack

pytestmark = pytest.mark.lab
nightly = pytest.mark.nightly

INSEE, OTHER = "62708", "62633"
STATION = "poste-62708-1"
DEPOT = f"/etc/packmairie/sauvegarde/depots/{INSEE}-{STATION}.json"
UNIT = "packmairie-sauvegarde"
FILES = r"""
set -e
mkdir -p /home/agent/Documents/sous /opt/metier/donnees
for i in $(seq 1 40); do head -c 15000 /dev/urandom > "/home/agent/Documents/acte $i.odt"; done
echo 'nom difficile' > '/home/agent/Documents/sous/é*[x]? «1».txt'
head -c 4000000 /dev/urandom > /opt/metier/donnees/base.dat
"""


@dataclass(frozen=True)
class Mairie:
    """A commune with a workstation, and the pack that says so."""

    lab: Lab
    folder: Path
    pack: Pack
    bucket: str

    def on(self, host: str, script: str, timeout: float = 180) -> str:
        """Run a script on a host and return what it said; it must succeed."""
        done = self.lab.run(host, ["sh", "-c", script], timeout=timeout)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def back_up(self, host: str = STATION) -> dict[str, Any]:
        """Start the unit and return the states that it left, by source."""
        self.lab.run(host, ["systemctl", "start", UNIT], timeout=300)
        return self.states(host)

    def states(self, host: str = STATION) -> dict[str, Any]:
        """Return the states of the commune's sources on a host."""
        depot = STATION if host == STATION else "plateforme"
        text = self.on(host, f"cd /var/lib/packmairie/sauvegarde/{INSEE}/{depot} && cat *.json | tr '\\n' ' '")
        decoder, found, rest = json.JSONDecoder(), {}, text.strip()
        while rest:
            state, end = decoder.raw_decode(rest)
            found[state["source"]] = state
            rest = rest[end:].strip()
        return found

    def digests(self, host: str, folders: str = "/home /opt/metier") -> dict[str, str]:
        """Return the SHA-256 of every file of folders on a host, by path."""
        lines = self.on(host, f"find {folders} -type f -exec sha256sum -z {{}} + | tr '\\0' '\\n'").splitlines()
        return {line[66:]: line[:64] for line in lines}

    @contextmanager
    def store(self, key: Any = None) -> Iterator[Store]:
        """Give the store, opened with a key; the maintenance key by default."""
        with open_store(self.pack, key or maintenance_key(Vault(self.folder))) as opened:
            yield opened

    def drill(self, *, everything: bool = False) -> dict[tuple[str, str], Evidence]:
        """Drill the commune and return the evidences by (repository, source)."""
        _pack, found = drill_pack(self.folder, [INSEE], everything=everything)
        return {(evidence.depot, evidence.source): evidence for evidence in found}

    def preuves(self) -> dict[str, Preuve]:
        """Return the commune's preuves by check."""
        result = status_pack(self.folder, [INSEE], briques=["sauvegarde"])
        return {preuve.check: preuve for preuve in result.preuves}


@pytest.fixture(scope="module")
def mairie(lab: Lab, pack_folder: Path, deployed: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Mairie:
    """The commune's workstation on a fresh disk, and its backups deployed and made once."""
    lab.reset(STATION, progress=print)
    folder = tmp_path_factory.mktemp("sauvegarde") / "pack"
    shutil.copytree(pack_folder, folder)
    connection = lab.connection_vars(STATION)
    settings = {key: value for key, value in connection.items() if key != "ansible_host"}
    path = next(folder.glob(f"communes/{INSEE}-*.yml"))
    path.write_text(
        path.read_text(encoding="utf-8")
        + f"\npostes:\n  - nom: {STATION}\n    adresse: {connection['ansible_host']}\n"
        + f"    connexion: {json.dumps(settings)}\n"
        + "\nsauvegarde:\n  dossiers: [/opt/metier/donnees]\n",
        encoding="utf-8",
    )
    pack = load_pack(folder)
    generate_secrets(pack, folder)
    artifacts = tmp_path_factory.mktemp("artifacts")
    result = run_playbook(SITE, folder, artifacts / "1", tags=["sauvegarde"])
    assert result.succeeded, result.failures
    again = run_playbook(SITE, folder, artifacts / "2", tags=["sauvegarde"])
    assert again.succeeded, again.failures
    assert again.changes == []
    made = Mairie(lab, folder, pack, bucket_name(INSEE, pack))
    made.on(STATION, FILES)
    # A commune that has received no mail yet has no mailbox to back up.
    domain = pack.commune(INSEE).domaine.nom
    made.on("plateforme", f"doveadm save -u contact@{domain} </etc/hostname")
    assert {name: state["etat"] for name, state in made.back_up("plateforme").items()} == {
        "boites": "reussie",
        "fichiers": "reussie",
        "site": "reussie",
        "reglages-webmail": "reussie",
    }
    assert {name: state["etat"] for name, state in made.back_up().items()} == {
        "personnels": "reussie",
        "metiers": "reussie",
    }
    return made


def test_nothing_is_green_before_a_restore_then_everything_is(mairie: Mairie) -> None:
    before = mairie.preuves()
    # What the platform keeps was restored when it was deployed; the workstation's has never been.
    assert {before[f"{STATION}-{name}"].state for name in ("personnels", "metiers")} == {State.NON_VERIFIE}
    assert before["restauration-prouvee"].state is State.NON_VERIFIE
    # The platform's own timer maintains and drills every commune; everything is restored here, to be sure.
    said = mairie.on(
        "plateforme",
        "systemctl start packmairie-entretien; journalctl -u packmairie-entretien -o cat --no-pager -n 30;"
        " systemctl is-failed packmairie-entretien || true",
        timeout=300,
    )
    assert re.search(r"^(\d+) dépôts contrôlés et restaurés sur \1$", said, re.M), said
    found = mairie.drill(everything=True)
    assert all(evidence.prouve and evidence.complet for evidence in found.values()), found
    after = mairie.preuves()
    unsure = {name for name, preuve in after.items() if preuve.state is not State.CONFORME}
    # One backup cannot be compared with the one before it.
    assert unsure <= {"croissance", "espace-stockage-stockage-1"}, {name: after[name].measured for name in unsure}


ROWS = """
import sqlite3, sys
base = sqlite3.connect("/var/lib/packmairie/webmail/webmail.sqlite", timeout=30)
for number, domain in enumerate(sys.argv[1:], 900001):
    base.execute("INSERT OR REPLACE INTO users (user_id, username, mail_host) VALUES (?, ?, 'essai')",
                 (number, f"essai@{domain}"))
    base.execute("INSERT OR REPLACE INTO contacts (contact_id, user_id, name) VALUES (?, ?, ?)",
                 (number, number, f"contact de {domain}"))
base.commit()
"""


def test_what_people_set_in_the_webmail_comes_back_without_anybody_elses(mairie: Mairie, tmp_path: Path) -> None:
    domains = [mairie.pack.commune(insee).domaine.nom for insee in (INSEE, OTHER)]
    command = ["runuser", "-u", "webmail", "--", "python3", "-", *domains]
    done = mairie.lab.run("plateforme", command, text_input=ROWS)
    assert done.returncode == 0, done.stderr
    assert mairie.back_up("plateforme")["reglages-webmail"]["etat"] == "reussie"
    place = f"/var/lib/packmairie/sauvegarde/{INSEE}/plateforme/reglages-webmail.bases"
    restored = restore(mairie.folder, INSEE, place, tmp_path / "retour")
    assert (restored.files, restored.compared, restored.faults) == (1, 1, ())
    copy = next(path for path in (tmp_path / "retour").rglob("*") if path.is_file())
    base = sqlite3.connect(copy)
    assert base.execute("SELECT name FROM contacts WHERE user_id > 900000").fetchall() == [
        (f"contact de {domains[0]}",)
    ]
    owners = {row[0].partition("@")[2] for row in base.execute("SELECT username FROM users")}
    assert owners == {domains[0]}
    assert domains[1].encode() not in copy.read_bytes()


def test_the_store_offers_nothing_but_its_front(mairie: Mairie) -> None:
    listening = mairie.on("stockage", "ss -Hlntu | awk '{print $5}'").split()
    assert {place.rsplit(":", 1)[1] for place in listening} <= {"22", "80", "443"}
    refused = mairie.lab.run(
        "stockage",
        [
            "runuser",
            "-u",
            "nobody",
            "--",
            "curl",
            "-s",
            "--unix-socket",
            "/run/packmairie-stockage/s3.sock",
            "http://x/",
        ],
    )
    assert refused.returncode != 0


def test_the_key_of_a_commune_opens_nothing_of_another(mairie: Mairie) -> None:
    vault = Vault(mairie.folder)
    key = vault.read(INSEE)["sauvegarde.plateforme.cle"]
    other = bucket_name(OTHER, mairie.pack)
    with mairie.store(key) as store:
        attempts: list[Callable[[], Any]] = [
            lambda: store.client.list_objects_v2(Bucket=other, Prefix="plateforme/"),
            lambda: store.client.get_object(Bucket=other, Key="plateforme/config"),
            lambda: store.client.put_object(Bucket=other, Key="plateforme/x", Body=b"x"),
            lambda: store.client.delete_object(Bucket=other, Key="plateforme/config"),
            lambda: store.client.get_object(Bucket=mairie.bucket, Key=f"postes/{STATION}/config"),
            lambda: store.client.put_object(Bucket=mairie.bucket, Key="preuves/restauration/x.json", Body=b"{}"),
            lambda: store.client.put_bucket_policy(Bucket=mairie.bucket, Policy="{}"),
            lambda: store.client.create_bucket(Bucket="a-moi"),
        ]
        for number, attempt in enumerate(attempts):
            with pytest.raises(ClientError) as refused:
                attempt()
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403), number
        store.client.list_objects_v2(Bucket=mairie.bucket, Prefix="plateforme/")


def test_ransomware_with_every_key_of_the_workstation_destroys_nothing(mairie: Mairie, tmp_path: Path) -> None:
    original = mairie.digests(STATION)
    assert len(original) == 42
    mairie.back_up()
    moment = datetime.now(UTC)
    time.sleep(1.5)
    attack(mairie)
    assert not set(mairie.digests(STATION).values()) & set(original.values())
    # The present bucket is of no use, and says so.
    wrecked = {source: state["etat"] for source, state in mairie.back_up().items()}
    assert set(wrecked.values()) == {"echec"}, wrecked
    assert not mairie.drill()[STATION, "personnels"].prouve
    assert mairie.preuves()[f"{STATION}-personnels"].state is State.NON_CONFORME
    to = tmp_path / "retour"
    done = restore(mairie.folder, INSEE, STATION, to, moment.isoformat())
    assert done.faults == ()
    assert done.as_of is not None
    restored = {
        "/" + str(path.relative_to(to)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in to.rglob("*")
        if path.is_file()
    }
    assert restored == original
    heal(mairie, moment)
    mairie.on(STATION, "rm -rf /home/agent /opt/metier/donnees; " + FILES)


def attack(mairie: Mairie) -> None:
    """Do as root of the workstation would: spoil every file, then all that its keys reach in the bucket."""
    mairie.on(
        STATION,
        "python3 - <<'FIN'\nimport os\n"
        "for top in ('/home', '/opt/metier'):\n"
        "    for folder, _, names in os.walk(top):\n"
        "        for name in names:\n"
        "            path = os.path.join(folder, name)\n"
        "            open(path, 'wb').write(os.urandom(20000)); os.rename(path, path + '.locked')\nFIN",
    )
    stolen = json.loads(mairie.on(STATION, f"cat {DEPOT}"))
    prefix = f"{stolen['prefixe']}/"
    with mairie.store(stolen["cle"]) as store:
        client, bucket = store.client, stolen["seau"]
        keys = list(store.keys(bucket, prefix))
        assert len(keys) > 8
        versions: list[dict[str, Any]] = []
        try:
            versions = list(store.versions(bucket, prefix))
        except ClientError:
            # The attacker may still have noted the numbers of the versions that it wrote itself.
            with mairie.store() as seen:
                versions = list(seen.versions(bucket, prefix))
        survived = 0
        for version in versions:
            where = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
            for action in (
                lambda where=where: client.put_object_retention(
                    **where,
                    Retention={"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(seconds=1)},
                ),
                lambda where=where: client.delete_object(**where, BypassGovernanceRetention=True),
            ):
                try:
                    action()
                except ClientError:
                    survived += 1
        assert survived == 2 * len(versions)
        for key in keys:
            client.put_object(Bucket=bucket, Key=key, Body=b"payez")
            client.delete_object(Bucket=bucket, Key=key)
        assert list(store.keys(bucket, prefix)) == []
        whole: list[Callable[[], Any]] = [
            lambda: client.put_bucket_lifecycle_configuration(
                Bucket=bucket,
                LifecycleConfiguration={
                    "Rules": [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
                },
            ),
            lambda: client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}),
            lambda: client.put_object_lock_configuration(
                Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
            ),
            lambda: client.delete_bucket(Bucket=bucket),
        ]
        for action in whole:
            with pytest.raises(ClientError):
                action()


def heal(mairie: Mairie, moment: datetime) -> None:
    """Show again what was there at a moment, as a technician does after an attack: the good versions are put back."""
    from packmairie.engines.restic_bridge import view_as_of

    with mairie.store() as store:
        for key, seen in view_as_of(store, mairie.bucket, f"postes/{STATION}/", moment).items():
            body = store.client.get_object(Bucket=mairie.bucket, Key=key, VersionId=seen.version)["Body"].read()
            store.client.put_object(Bucket=mairie.bucket, Key=key, Body=body)


@contextmanager
def network_cut(mairie: Mairie) -> Iterator[None]:
    """Lose every packet that goes to the store, as a box that was unplugged does."""
    drop = "chain c { type filter hook input priority -300; tcp dport 443 drop; }"
    mairie.on("stockage", f"nft 'table inet coupure {{ {drop}; }}'")
    try:
        yield
    finally:
        mairie.on("stockage", "nft delete table inet coupure")


@nightly
def test_a_backup_killed_or_cut_off_leaves_a_repository_that_serves(mairie: Mairie) -> None:
    mairie.on(STATION, "head -c 60000000 /dev/urandom > /opt/metier/donnees/gros.dat")
    mairie.on(STATION, f"systemctl start --no-block {UNIT}; sleep 3; systemctl kill -s KILL {UNIT}; sleep 1")
    mairie.on(STATION, "head -c 30000000 /dev/urandom > /opt/metier/donnees/gros2.dat")
    mairie.on(STATION, f"systemctl start --no-block {UNIT}; sleep 1.5")
    with network_cut(mairie):
        time.sleep(8)
    # The unit under way goes on once the network is back, and a second one starts after it.
    states = mairie.back_up()
    assert {state["etat"] for state in states.values()} == {"reussie"}, states
    found = mairie.drill(everything=True)
    assert found[STATION, "metiers"].prouve, found[STATION, "metiers"]
    assert found[STATION, "metiers"].fichiers == 3


@contextmanager
def running(mairie: Mairie, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command about backups, and kill it at the end if it still runs.

    In a group of its own, so that the restic that it started dies with it, as in a power cut.
    """
    process = subprocess.Popen(
        [Path(sys.executable).parent / "packmairie", "sauvegarde", *arguments],
        env=os.environ | {"PACKMAIRIE_PACK": str(mairie.folder), "NO_COLOR": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


@nightly
def test_maintenance_and_restore_may_be_killed(mairie: Mairie, tmp_path: Path) -> None:
    mairie.on(STATION, "rm /opt/metier/donnees/gros.dat")
    mairie.back_up()
    for arguments, seconds in (
        (["maintain", INSEE], 5.0),
        (["maintain", INSEE], 7.0),
        (["restore", INSEE, STATION, "--to", str(tmp_path / "coupe")], 3.0),
    ):
        with running(mairie, *arguments) as process, suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    done = restore(mairie.folder, INSEE, STATION, tmp_path / "entier")
    assert done.faults == ()
    assert done.compared == 43
    upkeep = maintain_pack(mairie.folder, [INSEE])
    assert all(account.reussi for account in upkeep), upkeep
    assert mairie.drill()[STATION, "metiers"].prouve


@nightly
def test_a_cut_network_delays_maintenance_and_restore(mairie: Mairie, tmp_path: Path) -> None:
    for number, arguments in enumerate(
        (["maintain", INSEE], ["restore", INSEE, STATION, "--to", str(tmp_path / "coupe")])
    ):
        with running(mairie, *arguments) as process:
            time.sleep(2 + number)
            with network_cut(mairie):
                time.sleep(8)
            said, _nothing = process.communicate(timeout=240)
            assert process.returncode == 0, said
    assert maintain_pack(mairie.folder, [INSEE])[0].reussi
    assert restore(mairie.folder, INSEE, STATION, tmp_path / "entier").faults == ()


def packs(store: Store, bucket: str) -> list[str]:
    return sorted(store.keys(bucket, f"postes/{STATION}/data/"))


@nightly
def test_a_damaged_repository_is_red_with_its_cause(mairie: Mairie) -> None:
    with mairie.store() as store:
        found = packs(store, mairie.bucket)
        bodies = {key: store.client.get_object(Bucket=mairie.bucket, Key=key)["Body"].read() for key in found}
        for key in found:
            store.client.delete_object(Bucket=mairie.bucket, Key=key)
        lost = mairie.drill()[STATION, "personnels"]
        assert not lost.prouve
        assert re.search("absent|manifeste|données", lost.cause), lost
        account = next(entry for entry in maintain_pack(mairie.folder, [INSEE]) if entry.depot == STATION)
        assert not account.reussi
        assert account.cause
        for key, body in bodies.items():
            flipped = bytearray(body)
            flipped[len(flipped) // 3] ^= 0x10
            store.client.put_object(Bucket=mairie.bucket, Key=key, Body=bytes(flipped))
        spoilt = mairie.drill()[STATION, "personnels"]
        assert not spoilt.prouve
        assert spoilt.cause
        red = mairie.preuves()
        assert red["restauration-prouvee"].state is State.NON_CONFORME
        assert red["depots-controles"].state is State.NON_CONFORME
        assert spoilt.cause in red["restauration-prouvee"].measured
        for key, body in bodies.items():
            store.client.put_object(Bucket=mairie.bucket, Key=key, Body=body)
    assert mairie.drill()[STATION, "personnels"].prouve


@nightly
@pytest.mark.parametrize(
    ("field", "value", "cause"),
    [
        ("mot_de_passe", "faux", "mot de passe"),
        ("cle", {"identifiant": "INCONNUE", "secret": "x" * 40}, "refuse l'accès"),
    ],
)
def test_a_host_tells_why_it_cannot_back_up(mairie: Mairie, field: str, value: Any, cause: str) -> None:
    good = mairie.on(STATION, f"cat {DEPOT}")
    bad = json.dumps({**json.loads(good), field: value})
    mairie.lab.run(STATION, ["sh", "-c", f"cat > {DEPOT}"], text_input=bad)
    try:
        states = mairie.back_up()
    finally:
        mairie.lab.run(STATION, ["sh", "-c", f"cat > {DEPOT}"], text_input=good)
    assert {state["etat"] for state in states.values()} == {"echec"}
    assert all(cause in state["cause"] for state in states.values()), states


@nightly
def test_a_key_that_the_store_no_longer_knows_is_red(mairie: Mairie) -> None:
    folder, apply = "/etc/packmairie/stockage", "/usr/local/lib/packmairie/stockage-appliquer"
    mairie.on("stockage", f"mv {folder}/identites/{INSEE}.json /root/ && {apply}")
    answers_again(mairie)
    try:
        preuve = mairie.preuves()["cles"]
        assert preuve.state is State.NON_CONFORME
        assert "clé inconnue" in preuve.measured
    finally:
        mairie.on("stockage", f"mv /root/{INSEE}.json {folder}/identites/ && {apply} && sleep 1")
        answers_again(mairie)
    assert mairie.preuves()["cles"].state is State.CONFORME


# Restic tries again for a quarter of an hour before it gives up; the test ends each of its runs, by its number.
IMPATIENT = f"""
systemctl start --no-block {UNIT}
for turn in 1 2 3 4 5 6; do
    sleep 7
    [ "$(systemctl is-active {UNIT})" = activating ] || break
    for pid in $(cat "/sys/fs/cgroup$(systemctl show -p ControlGroup --value {UNIT})/cgroup.procs"); do
        [ "$(cat /proc/$pid/comm)" != restic ] || kill -INT "$pid"
    done
done
"""


def answers_again(mairie: Mairie) -> None:
    """Wait until a store that was restarted reads again; whether it writes is another matter."""
    for _attempt in range(60):
        with mairie.store() as store, suppress(ClientError, BotoCoreError):
            store.client.list_objects_v2(Bucket=mairie.bucket, Prefix="preuves/", MaxKeys=1)
            store.client.get_object(Bucket=mairie.bucket, Key="preuves/verrou")
            return
        time.sleep(1)
    raise AssertionError("the store does not answer")


@nightly
def test_a_full_store_is_red_with_its_cause(mairie: Mairie) -> None:
    unit = "/etc/systemd/system/packmairie-stockage.service"
    restart = "systemctl daemon-reload && systemctl restart packmairie-stockage"
    mairie.on(
        "stockage", f"cp -a {unit} /root/unite && sed -i 's/minFreeSpace=2GiB/minFreeSpace=100/' {unit} && {restart}"
    )
    answers_again(mairie)
    mairie.on(STATION, "head -c 1000000 /dev/urandom > /opt/metier/donnees/de-trop.dat")
    try:
        mairie.on(STATION, IMPATIENT)
        states = mairie.states()
    finally:
        mairie.on("stockage", f"cp -a /root/unite {unit} && {restart}")
        answers_again(mairie)
        mairie.lab.run(STATION, ["systemctl", "stop", UNIT])
    assert states["metiers"]["etat"] == "echec", states
    assert "écrire" in states["metiers"]["cause"] or "place" in states["metiers"]["cause"], states
    assert {state["etat"] for state in mairie.back_up().values()} == {"reussie"}


SKEW = """
import json, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
sys.path.insert(0, "/usr/local/lib/packmairie")
from sauvegarde_hote.settings import depot_of
from sauvegarde_hote.store import put
depot = depot_of(json.loads(Path(sys.argv[1]).read_text()), ("postes",))
state = json.loads(Path(sys.argv[2]).read_text())
now = datetime.now(UTC)
try:
    put(depot, "etat/personnels.json", b"{}", now + timedelta(minutes=20))
    print("acceptée")
except OSError as error:
    print("TooSkewed" in str(error))
state["fin"] = (now - timedelta(minutes=11)).isoformat()
put(depot, "etat/personnels.json", json.dumps(state).encode(), now)
"""


@nightly
def test_a_host_whose_clock_is_wrong_is_red(mairie: Mairie) -> None:
    state = f"/var/lib/packmairie/sauvegarde/{INSEE}/{STATION}/personnels.json"
    said = mairie.lab.run(STATION, ["python3", "-", DEPOT, state], text_input=SKEW)
    assert said.stdout.strip() == "True", f"{said.stdout} {said.stderr}"
    preuve = mairie.preuves()[f"{STATION}-personnels"]
    assert preuve.state is State.NON_CONFORME
    assert "horloge" in preuve.measured
    mairie.back_up()
    assert "horloge" not in mairie.preuves()[f"{STATION}-personnels"].measured


@nightly
def test_failed_hooks_and_secrets_that_stay_silent(mairie: Mairie) -> None:
    hook = "/etc/packmairie/sauvegarde/avant.d/10-essai"
    mairie.on(STATION, f"printf '#!/bin/sh\\nexit 7\\n' > {hook} && chmod 755 {hook}")
    try:
        states = mairie.back_up()
    finally:
        mairie.on(STATION, f"rm {hook}")
    assert {state["etat"] for state in states.values()} == {"partielle"}
    assert all("10-essai" in state["cause"] for state in states.values())
    vault = Vault(mairie.folder).read(INSEE)
    words = [str(vault[f"sauvegarde.{STATION}.mot_de_passe"]), str(vault[f"sauvegarde.{STATION}.cle"]["secret"])]
    journal = mairie.on(
        STATION, f"journalctl -u {UNIT} --no-pager; cat /var/lib/packmairie/sauvegarde/{INSEE}/*/*.json"
    )
    assert not any(word in journal for word in words)
    refused = mairie.lab.run(STATION, ["runuser", "-u", "nobody", "--", "cat", DEPOT])
    assert refused.returncode != 0

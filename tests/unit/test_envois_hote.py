# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host of the file spaces is given, and what its hourly round does with folders like its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from core_samples import commune, pack
from envois_samples import PDF, SCHEMAS, FolderDeposit, envois_pack
from hypothesis import given
from hypothesis import strategies as st
from inventory_samples import edit
from test_teletransmission import FakeS2low, arack

import packmairie.operations.archivage_depot as archives
import packmairie.operations.teletransmission_depot as acts
from packmairie.briques.archivage import Archivage
from packmairie.briques.envois import judge_rounds
from packmairie.briques.envois_tenant import destinations
from packmairie.briques.marches import Marches
from packmairie.briques.postes_services import services_of
from packmairie.briques.teletransmission import Teletransmission
from packmairie.cli.main import run
from packmairie.formats.actes.names import MODEL, act_file, read_name
from packmairie.formats.actes.s2low import Status
from packmairie.inventory.loader import load_pack
from packmairie.marches_hote.watch import after, watch
from packmairie.model.preuve import State
from packmairie.model.probe import Found
from packmairie.model.probes_envois import Rounds, WatchReading
from packmairie.model.problem import ExitCode, PackmairieError
from packmairie.operations import envois
from packmairie.operations.desired import offline_secrets, trees
from packmairie.operations.envois_places import secret, source_folder, spool_host, spool_of
from packmairie.operations.envois_rounds import adopt, follow_all
from packmairie.partage_hote.places import SPACES

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
DROPPED = "2026-10-15 délibération 2026_017 7.1 Budget supplémentaire.pdf"
SAE = f'sae: {{depot: sftp, hote: sae.example, compte: cdg, empreinte: "SHA256:{"A" * 43}"}}\n'
TDT = 'tdt: {url: "https://tdt.example:8443", certificat: m.crt, cle: m.key}\n'
official = pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"schémas officiels absents de {SCHEMAS}")


def sharing_pack(folder: Path, pack_lines: str = SAE + TDT) -> Path:
    made = envois_pack(folder, pack_lines)
    edit(made / "pack.yml", "groupes: [dns, frontal, messagerie]", "groupes: [dns, frontal, messagerie, partage]")
    for name in ("m.crt", "m.key"):
        (made / name).write_text(f"{name}\n", encoding="utf-8")
    return made


def laid(folder: Path, pack_folder: Path, brique: str) -> Path:
    """Write what the role would lay on the host below /etc/packmairie, as a pack; return its folder."""
    loaded = load_pack(pack_folder)
    for file in trees(loaded, offline_secrets(loaded))[brique].files:
        start = f"/etc/packmairie/{brique}/"
        if file.path.startswith(start):
            path = folder / file.path.removeprefix(start)
            path.parent.mkdir(parents=True, exist_ok=True)
            source = file.parts[0].source
            path.write_bytes(Path(source).read_bytes() if source else file.text().encode())
    return folder


ROOT = Path(__file__).parents[2]
IMPORTED_AS = {"ansible-core": "ansible", "markdown-it-py": "markdown_it", "argon2-cffi": "argon2", "octodns-bind": ""}
ALONE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import packmairie.cli.archivage, packmairie.cli.teletransmission
from packmairie.inventory.loader import load_pack
"""


class TestEnvironment:
    def test_the_host_s_wheels_are_enough(self):
        """What packmairie needs elsewhere is not on the host: its commands there must not ask for it."""

        def names(lines):
            return {re.split(r"[<>=\[; ]", line)[0].lower() for line in lines if line and not line.startswith("#")}

        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
        locked = names((ROOT / "roles/envois/files/requirements.txt").read_text().replace("    ", "#").splitlines())
        absent = {IMPORTED_AS.get(name, name).replace("-", "_") for name in names(project) - locked} - {""}
        assert {"ansible", "argon2", "boto3", "django", "jinja2"} <= absent
        done = subprocess.run(
            [sys.executable, "-c", ALONE.format(blocked=sorted(absent))], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]


class TestHostPack:
    def test_off_by_default(self, tmp_path):
        bare = pack(commune())
        for brique in (Archivage(), Teletransmission(), Marches()):
            assert brique.platform_tenant(bare, {}) == ()
            assert not any(value for told in brique.variables(bare).values() for value in told.values())

    def test_each_brique_has_its_own_and_nothing_else(self, tmp_path):
        made = sharing_pack(tmp_path / "pack")
        archiving = load_pack(laid(tmp_path / "a", made, "archivage"))
        transmitting = load_pack(laid(tmp_path / "t", made, "teletransmission"))
        assert (archiving.file.tdt, transmitting.file.sae) == (None, None)
        assert transmitting.file.tdt.cle == "cles/tdt-cle.pem"
        assert [town.insee for town in archiving.communes] == ["62708"]
        assert archiving.communes[0].agents == []

    def test_secrets_are_their_account_s_and_in_no_diff(self, tmp_path):
        made = sharing_pack(tmp_path / "pack")
        loaded = load_pack(made)
        kept = {"archivage.cle_sftp": "PRIVÉE", "messagerie.boites.x": {"mot_de_passe": "y"}}
        files = [f for t in Archivage().tenant(loaded.commune("62708"), loaded, kept) for f in t.files]
        files += [f for t in Teletransmission().platform_tenant(loaded, {}) for f in t.files]
        secrets = {f.path: f for f in files if f.secret}
        assert set(secrets) == {
            "/etc/packmairie/archivage/secrets/62708.json",
            "/etc/packmairie/teletransmission/cles/tdt-certificat.pem",
            "/etc/packmairie/teletransmission/cles/tdt-cle.pem",
        }
        assert {(f.mode, f.owner.split("/")[0]) for f in secrets.values()} == {
            ("0600", "archivage"),
            ("0600", "teletransmission"),
        }
        assert json.loads(secrets["/etc/packmairie/archivage/secrets/62708.json"].text()) == {
            "archivage.cle_sftp": "PRIVÉE"
        }
        assert not any("PRIVÉE" in f.text() for f in files if not f.secret)

    def test_destinations(self, tmp_path):
        loaded = load_pack(sharing_pack(tmp_path / "pack"))
        assert destinations("archivage", loaded) == [["sae.example", 22]]
        assert destinations("teletransmission", loaded) == [["tdt.example", 8443]]
        # Nothing declared, nowhere to go.
        assert destinations("archivage", pack(commune())) == []

    def test_the_unit_sees_the_folders_of_communes_that_send_alone(self, tmp_path):
        loaded = load_pack(sharing_pack(tmp_path / "pack"))
        wished = trees(loaded, offline_secrets(loaded))
        text = next(f for f in wished["teletransmission"].files if f.path.endswith("communes.conf")).text()
        assert text.splitlines()[1:3] == ["[Service]", "TemporaryFileSystem=/srv/partage:ro"]
        assert [line for line in text.splitlines() if line.startswith("BindPaths")] == [
            "BindPaths=-/srv/partage/62708/a-transmettre",
            "BindPaths=-/var/lib/packmairie/contenus/62708",
        ]
        assert "a-transmettre" in SPACES

    def test_workstations_lead_there_and_say_which_account(self):
        where = pack(tdt={"url": "https://tdt.example/", "certificat": "m.crt", "cle": "m.key"})
        town = commune(
            site={"profil_acheteur": "https://marches.example/oeuf"},
            marches={"compte": "mairie-riencourt"},
            teletransmission={"depuis": "2026-01-15", "arrondissement": "1", "compte": "mairie"},
        )
        found = {service.name: (service.title, service.url) for service in services_of(town, where)}
        assert found["marches"] == ("Marchés publics (compte mairie-riencourt)", "https://marches.example/oeuf")
        assert found["teletransmission"] == ("Télétransmission des actes (compte mairie)", "https://tdt.example/")
        assert "teletransmission" not in {service.name for service in services_of(commune(), where)}


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host's folders, and two packs on it: what each unit's environment says."""
    made = sharing_pack(tmp_path / "pack")
    path = made / "communes" / "62708-riencourt-les-bapaume.yml"
    path.write_text(path.read_text(encoding="utf-8") + "  publier: true\n", encoding="utf-8")
    for variable, name in (
        ("PACKMAIRIE_ENVOIS", "envois"),
        ("PACKMAIRIE_ESPACES", "partage"),
        ("PACKMAIRIE_CONTENUS", "contenus"),
        ("PACKMAIRIE_REMISE", "remise"),
        ("PACKMAIRIE_SECRETS_HOTE", "secrets"),
    ):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    for brique in ("archivage", "teletransmission"):
        (tmp_path / "envois" / brique).mkdir()
        laid(tmp_path / brique, made, brique)
    (tmp_path / "partage" / "62708" / "a-transmettre").mkdir(parents=True)
    return tmp_path


def deposits_by_itself(folder: Path) -> None:
    path = folder / "communes" / "62708.yml"
    path.write_text(path.read_text().replace('"deposer": false', '"deposer": true'))


@pytest.fixture
def s2low(monkeypatch):
    fake = FakeS2low()
    monkeypatch.setattr(acts, "s2low_of", lambda *_arguments: fake)
    return fake


@pytest.fixture
def sae(tmp_path, monkeypatch):
    way = FolderDeposit(tmp_path / "sae")
    way.answers = []
    way.replies = lambda: iter(way.answers)
    monkeypatch.setattr(archives, "way_of", lambda *_arguments: way)
    monkeypatch.setattr(archives, "_messages", lambda *_arguments: iter(way.answers))
    return way


@official
class TestRounds:
    def test_an_act_goes_from_its_name_to_the_archives(self, host, s2low, sae):
        dropped = host / "partage" / "62708" / "a-transmettre"
        (dropped / DROPPED).write_bytes(PDF)
        transmit = lambda: follow_all(host / "teletransmission", "teletransmission", NOW)  # noqa: E731
        assert transmit() == {}
        folder = dropped / DROPPED.removesuffix(".pdf")
        assert (folder / DROPPED).read_bytes() == PDF
        assert (folder / "vérification.txt").read_text().startswith("Conforme : acte 20261015-2026_017")
        assert not s2low.created
        deposits_by_itself(host / "teletransmission")
        assert transmit() == {}
        assert len(s2low.created) == 1
        assert "à confirmer" in (folder / "vérification.txt").read_text()
        s2low.state = Status(4, arack())
        assert transmit() == {}
        assert transmit() == {}
        assert len(s2low.created) == 1
        assert (folder / "vérification.txt").read_text().startswith("Acquitté le")
        assert (folder / "ARActe.xml").read_bytes() == arack()
        assert len(list((host / "contenus" / "62708" / "documents").iterdir())) == 1
        assert len(list((host / "remise" / "62708").iterdir())) == 1
        archive = lambda: follow_all(host / "archivage", "archivage", NOW)  # noqa: E731
        assert archive() == {}
        assert archive() == {}
        spool = spool_of(host / "archivage", "archivage", "62708")
        [transfer] = spool.transfers()
        assert spool.step(transfer, "verifie").data["etat"] == "conforme"
        assert sae.count() == 0
        deposits_by_itself(host / "archivage")
        assert archive() == {}
        assert archive() == {}
        assert sae.count() == 1
        told = json.loads((host / "envois" / "archivage" / "dernier.json").read_text())
        assert told["echecs"] == {}

    def test_what_is_wrong_is_told_beside_the_act(self, host, s2low):
        dropped = host / "partage" / "62708" / "a-transmettre"
        (dropped / DROPPED.replace("2026_017", "2026-017")).write_bytes(PDF)
        (dropped / "scan0001.pdf").write_bytes(PDF)
        assert follow_all(host / "teletransmission", "teletransmission", NOW) == {}
        assert "scan0001.pdf : ce nom ne dit pas l'acte" in (dropped / "vérification.txt").read_text()
        assert MODEL in (dropped / "LISEZ-MOI.txt").read_text()
        folder = dropped / DROPPED.replace("2026_017", "2026-017").removesuffix(".pdf")
        assert "écrire numero: 2026_017" in (folder / "vérification.txt").read_text()
        assert spool_of(host, "teletransmission", "62708").transfers() == ("classification",)

    def test_one_platform_s_silence_is_told_and_stops_nothing(self, host, s2low, monkeypatch):
        dropped = host / "partage" / "62708" / "a-transmettre"
        (dropped / DROPPED).write_bytes(PDF)
        assert follow_all(host / "teletransmission", "teletransmission", NOW) == {}

        def silent(*_arguments):
            raise OSError("pas de réponse")

        deposits_by_itself(host / "teletransmission")
        monkeypatch.setattr(s2low, "create", silent)
        told = follow_all(host / "teletransmission", "teletransmission", NOW)
        assert "dépôt interrompu" in told["62708"]
        assert json.loads((host / "envois" / "teletransmission" / "dernier.json").read_text())["echecs"] == told

    def test_a_folder_in_the_way_stops_no_other_act(self, host, s2low):
        dropped = host / "partage" / "62708" / "a-transmettre"
        for name in (DROPPED, DROPPED.replace("2026_017", "2026_018")):
            (dropped / name).write_bytes(PDF + name.encode())
        (dropped / DROPPED.removesuffix(".pdf") / "vérification.txt").mkdir(parents=True)
        told = follow_all(host / "teletransmission", "teletransmission", NOW)
        assert "vérification.txt" in told["62708"]
        other = dropped / DROPPED.replace("2026_017", "2026_018").removesuffix(".pdf")
        assert (other / "vérification.txt").read_text().startswith("Conforme")

    def test_links_lead_nowhere(self, host, s2low, tmp_path):
        dropped, outside = host / "partage" / "62708" / "a-transmettre", tmp_path / "dehors"
        outside.mkdir()
        (outside / "acte.yml").write_text("nature: autre\n")
        (dropped / "lien").symlink_to(outside)
        (dropped / "vérification.txt").symlink_to(outside / "écrasé")
        (dropped / DROPPED).symlink_to("/etc/passwd")
        assert list(adopt(dropped)) == []
        (dropped / "x.pdf").write_bytes(PDF)
        list(adopt(dropped))
        assert not (outside / "écrasé").exists()
        assert (dropped / DROPPED).is_symlink()

    def test_refused_away_from_a_host(self, tmp_path, capsys):
        made = envois_pack(tmp_path / "pack", "")
        assert run(["archivage", "follow", "--all", "--pack", str(made)]) == ExitCode.FAILURE
        assert run(["archivage", "follow", "--pack", str(made)]) == ExitCode.FAILURE
        assert "l'un des deux" in capsys.readouterr().err


class TestPlaces:
    @pytest.mark.parametrize("asked", ["../62633/a-archiver", "/etc", "a-archiver/../../62633"])
    def test_no_way_out_of_the_file_space(self, host, asked):
        with pytest.raises(PackmairieError, match="espace de fichiers"):
            source_folder("62708", Path(asked))
        assert source_folder("62708", Path("a-archiver")) == host / "partage" / "62708" / "a-archiver"

    def test_a_link_of_the_space_leads_nowhere(self, host):
        (host / "partage" / "62708" / "a-archiver").symlink_to("/etc")
        with pytest.raises(PackmairieError, match="espace de fichiers"):
            source_folder("62708", Path("a-archiver"))

    def test_secrets_of_the_host(self, host):
        (host / "secrets" / "plateforme.json").write_text('{"archivage.mot_de_passe": "commun"}')
        assert secret(host, "62708", "archivage.mot_de_passe") == "commun"
        (host / "secrets" / "62708.json").write_text('{"archivage.mot_de_passe": "propre"}')
        assert secret(host, "62708", "archivage.mot_de_passe") == "propre"
        assert secret(host, "62708", "archivage.cle_sftp") is None

    def test_who_holds_the_spools(self, tmp_path, monkeypatch):
        loaded = load_pack(sharing_pack(tmp_path / "pack"))
        assert spool_host(loaded)[0] == "plateforme"
        monkeypatch.setenv("PACKMAIRIE_ENVOIS", str(tmp_path))
        assert spool_host(loaded) is None


class TestRelay:
    def test_the_command_goes_to_the_host_with_the_file_and_comes_back(self, tmp_path, monkeypatch, capfdbinary):
        made = sharing_pack(tmp_path / "pack")
        asked = []

        def relay(host, command, given, sinks, seconds):
            asked.append((str(host.adresse), command, given))
            sinks[0].write("Versement accepté\n".encode())
            sinks[0].flush()
            return int(ExitCode.NOT_CONFORM)

        monkeypatch.setattr("packmairie.cli.envois.relay_on", relay)
        answer = tmp_path / "réponse.xml"
        answer.write_bytes(b"<x/>")
        code = run(["archivage", "follow", "62708", "--file", str(answer), "--json", "--pack", str(made)])
        assert code == ExitCode.NOT_CONFORM
        assert "Versement accepté" in capfdbinary.readouterr().out.decode()
        run(["archivage", "purge", "62708", "V; reboot", "--pack", str(made)])
        run(["teletransmission", "deposit", "62708", "A", "--transaction", "12", "--pack", str(made)])
        command = "/usr/local/lib/packmairie/envois-commande"
        assert asked == [
            ("192.0.2.10", f"{command} archivage follow 62708 --file - --json", b"<x/>"),
            ("192.0.2.10", f"{command} archivage purge 62708 'V; reboot'", b""),
            ("192.0.2.10", f"{command} teletransmission deposit 62708 A --transaction 12", b""),
        ]

    def test_spools_left_on_this_machine_are_not_forgotten(self, tmp_path, monkeypatch, capsys):
        made = sharing_pack(tmp_path / "pack")
        monkeypatch.setattr("packmairie.cli.envois.relay_on", lambda *_arguments: pytest.fail("relayed"))
        spool = spool_of(made, "archivage", "62708")
        with spool.hold():
            spool.record("v", "depose")
        assert run(["archivage", "list", "62708", "--pack", str(made)]) == ExitCode.FAILURE
        assert "l'hôte les referait" in capsys.readouterr().err

    @pytest.mark.parametrize("code", [126, 127])
    def test_a_host_without_the_role_says_what_to_do(self, tmp_path, monkeypatch, capsys, code):
        made = sharing_pack(tmp_path / "pack")
        monkeypatch.setattr("packmairie.cli.envois.relay_on", lambda *_arguments: code)
        assert run(["archivage", "list", "62708", "--pack", str(made)]) == ExitCode.FAILURE
        assert "packmairie deploy" in capsys.readouterr().err


class TestNames:
    def test_the_model_reads_itself(self):
        act = read_name(MODEL)
        assert (act.nature, act.number, act.matter) == ("délibération", "2026_031", "7.1")

    @pytest.mark.parametrize(
        "name",
        [
            "délibération.pdf",
            "2026-13-45 délibération 2026_1 7.1 X.pdf",
            "2026-10-15 facture 2026_1 7.1 X.pdf",
            "2026-10-15 délibération 2026_1 7.1 .pdf",
            "2026-10-15 délibération 2026_1 7.1 X.exe",
        ],
    )
    def test_refusals(self, name):
        assert read_name(name) is None

    @given(st.text(max_size=60))
    def test_no_subject_breaks_the_file(self, subject):
        import yaml

        act = read_name(f"2026-10-15 délibération 2026_1 7.1 x{subject}.pdf".replace("/", "_"))
        if act is not None:
            text = act_file(act, "x.pdf")
            if text.isprintable() or all(c == "\n" or c.isprintable() for c in text):
                assert yaml.safe_load(text)["objet"] == act.subject


class TestJudging:
    @pytest.mark.parametrize(
        ("rounds", "state"),
        [
            (Rounds(True, NOW - timedelta(hours=1), {}), State.CONFORME),
            (Rounds(True, NOW - timedelta(hours=4), {}), State.NON_CONFORME),
            (Rounds(False, NOW, {}), State.NON_CONFORME),
            (Rounds(True, None, {}), State.NON_VERIFIE),
            (Rounds(True, NOW, {"62708": "panne"}), State.NON_CONFORME),
            (Rounds(True, NOW, {}, {"https://x/": "pas de réponse"}), State.NON_VERIFIE),
        ],
    )
    def test_rounds(self, rounds, state):
        assert judge_rounds(rounds, "r", NOW).state is state


class TestWatch:
    def test_since_when(self):
        first = after({}, "réponse HTTP 404", "lundi")
        assert after(first, "réponse HTTP 404", "mardi")["depuis"] == "lundi"
        assert after(first, "", "mardi") == {"vu": "mardi", "depuis": None, "defaut": ""}

    def test_states_are_kept_and_those_of_communes_gone_are_not(self, tmp_path):
        settings, state = tmp_path / "reglages", tmp_path / "etat"
        settings.mkdir()
        state.mkdir()
        (state / "59529.json").write_text("{}")
        (settings / "62708.json").write_text('{"adresses": {"http://clair.example/": null}}')
        assert list(watch(settings, state, NOW)) == ["62708 http://clair.example/ : adresse sans https"]
        assert [path.name for path in state.iterdir()] == ["62708.json"]

    @pytest.mark.parametrize(
        ("seen", "failures", "doubts"),
        [
            ({"vu": "2026-11-24T04:00:00+00:00", "depuis": None, "defaut": ""}, 0, 0),
            ({"vu": None, "depuis": "2026-11-24T04:00:00+00:00", "defaut": "pas de réponse"}, 0, 1),
            ({"vu": None, "depuis": "2026-11-20T04:00:00+00:00", "defaut": "pas de réponse"}, 1, 0),
        ],
    )
    def test_reading(self, monkeypatch, tmp_path, seen, failures, doubts):
        loaded = load_pack(sharing_pack(tmp_path / "pack"))
        line = json.dumps({"fin": "2026-11-24T04:30:00+00:00", "adresses": {"https://x/": seen}})
        monkeypatch.setattr(envois, "run_on_host", lambda *_arguments: Found(f"active\n{line}\n"))
        found = envois.read_watch(loaded, WatchReading("plateforme")).value
        assert (found.timer, len(found.failures), len(found.doubts)) == (True, failures, doubts)

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host of the file spaces is given, where it may look, and what it tells those who ask from elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from core_samples import commune, pack
from envois_host_samples import NOW, host_folders, laid, sharing_pack

from packmairie.briques.archivage import Archivage
from packmairie.briques.envois_tenant import destinations
from packmairie.briques.marches import Marches
from packmairie.briques.postes_services import services_of
from packmairie.briques.teletransmission import Teletransmission
from packmairie.cli.main import run
from packmairie.inventory.loader import load_pack
from packmairie.marches_hote.watch import after, watch
from packmairie.model.probe import Found
from packmairie.model.probes_envois import WatchReading
from packmairie.model.problem import ExitCode, PackmairieError
from packmairie.operations import envois
from packmairie.operations.desired import offline_secrets, trees
from packmairie.operations.envois_places import secret, source_folder, spool_host, spool_of
from packmairie.partage_hote.places import SPACES

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


@pytest.fixture
def host(tmp_path, monkeypatch):
    return host_folders(tmp_path, monkeypatch)


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

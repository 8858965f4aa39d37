# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a host: exit codes, manifests that neither cry wolf nor lie, states, signatures."""

from __future__ import annotations

import os
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packmairie.briques.presence import WEBMAIL_TABLES
from packmairie.operations.sauvegarde_compare import compare_files, compare_listing, sample
from packmairie.sauvegarde_hote import backup, restic
from packmairie.sauvegarde_hote.__main__ import hooks_failure
from packmairie.sauvegarde_hote.codes import MEANINGS, Outcome, outcome_of
from packmairie.sauvegarde_hote.manifest import Entry, Manifest, from_text, settle, take, to_text
from packmairie.sauvegarde_hote.settings import Depot, HostExtract, HostSettings, HostSource
from packmairie.sauvegarde_hote.store import signed_headers


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (0, "reussie"),
        (1, "echec"),
        (2, "echec"),
        (3, "partielle"),
        (10, "echec"),
        (11, "echec"),
        (12, "echec"),
        (130, "echec"),
    ],
)
def test_known_codes(code: int, state: str) -> None:
    assert outcome_of(code).state == state
    assert bool(outcome_of(code).cause) == (code != 0)


@given(st.integers(min_value=-64, max_value=255))
def test_an_unknown_code_is_a_failure(code: int) -> None:
    if code not in MEANINGS:
        assert outcome_of(code).state == "echec"
        assert outcome_of(code).cause


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("Fatal: wrong password or no key found", "mot de passe"),
        ("The difference between the request time and the server's time is too large.", "horloge"),
        ("The Access Key Id you provided does not exist", "clé S3"),
        ("write /tmp/x: no space left on device", "place"),
        ("ciphertext verification failed", "abîmées"),
        ("The specified key does not exist.", "absentes"),
        ("unable to create lock in backend: repository is already locked exclusively by PID 1", "verrouillé"),
        ("quelque chose d'autre", "quelque chose d'autre"),
    ],
)
def test_a_failure_tells_its_cause(said: str, cause: str) -> None:
    assert cause in outcome_of(1, said).cause


def written(folder: Path, **files: str) -> list[str]:
    for name, text in files.items():
        (folder / name).write_text(text)
    return [str(folder)]


def taken(roots: list[str], known: Any = None) -> Manifest:
    return take(roots, (), known or {}, time.time_ns())


def test_a_manifest_holds_every_regular_file_and_nothing_through_a_link(tmp_path: Path) -> None:
    secret = tmp_path / "ailleurs"
    secret.write_text("secret")
    folder = tmp_path / "source"
    (folder / "sous dossier").mkdir(parents=True)
    (folder / "sous dossier" / "é*?[.txt").write_text("un")
    (folder / "lien").symlink_to(secret)
    os.mkfifo(folder / "tube")
    made = taken([str(folder)])
    assert list(made.entries) == [str(folder / "sous dossier" / "é*?[.txt")]
    assert made.stable == 1


def test_what_changed_meanwhile_is_neither_proof_nor_fault(tmp_path: Path) -> None:
    roots = written(tmp_path, stable="1", change="2", part="3")
    made = taken(roots)
    (tmp_path / "change").write_text("4")
    (tmp_path / "part").unlink()
    (tmp_path / "neuf").write_text("5")
    settled = settle(made, roots, ())
    assert {Path(path).name: entry.stable for path, entry in settled.entries.items()} == {
        "stable": True,
        "change": False,
        "part": False,
    }
    assert [Path(path).name for path in settled.appeared] == ["neuf"]
    assert [Path(path).name for path in settled.vanished] == ["part"]


def test_a_change_that_keeps_size_and_mtime_is_seen_by_its_ctime(tmp_path: Path) -> None:
    roots = written(tmp_path, fichier="abcd")
    made = taken(roots)
    path = tmp_path / "fichier"
    status = path.stat()
    path.write_text("efgh")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert settle(made, roots, ()).stable == 0
    again = taken(roots, made.entries)
    assert again.entries[str(path)].sha256 != made.entries[str(path)].sha256


def test_a_file_replaced_by_a_rename_is_seen(tmp_path: Path) -> None:
    roots = written(tmp_path, fichier="abcd")
    made = taken(roots)
    other = tmp_path / "autre"
    other.write_text("abcd")
    other.replace(tmp_path / "fichier")
    assert settle(made, roots, ()).stable == 0


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = written(tmp_path, fichier="abcd")
    made = taken(roots)
    monkeypatch.setattr("packmairie.sauvegarde_hote.manifest.digest", lambda path: pytest.fail(f"{path} read again"))
    assert taken(roots, made.entries).entries == made.entries


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = written(tmp_path, fichier="abcd")

    def refuse(path: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("packmairie.sauvegarde_hote.manifest.digest", refuse)
    made = taken(roots)
    assert made.unreadable == {str(tmp_path / "fichier"): "Permission denied"}
    assert not made.entries


def test_exclusions_are_names_or_whole_paths(tmp_path: Path) -> None:
    roots = written(tmp_path, garde="1", jette="2")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "x").write_text("3")
    made = take(roots, (".cache", str(tmp_path / "jette")), {}, time.time_ns())
    assert [Path(path).name for path in made.entries] == ["garde"]


@given(st.dictionaries(st.text(st.characters(blacklist_categories=("Cs",)), min_size=1), st.booleans(), max_size=8))
def test_a_manifest_reads_back_as_written(names: dict[str, bool]) -> None:
    entries = {f"/{n}": Entry(f"/{n}", 1, 2, 3, 4, "ab", stable) for n, stable in names.items()}
    made = Manifest(entries, ("/a",), ("/b",), {"/c": "refusé"})
    heading, read = from_text(to_text(made, {"instantane": "x"}))
    assert read == made
    assert heading["instantane"] == "x"


def test_a_name_that_is_not_utf8_survives() -> None:
    path = os.fsdecode(b"/d/\xff\xfe")
    made = Manifest({path: Entry(path, 1, 2, 3, 4, "ab")}, (), (), {})
    text = to_text(made, {})
    text.encode()
    assert list(from_text(text)[1].entries) == [path]


@pytest.mark.parametrize("cut", [0, 1, 10, 200])
def test_a_truncated_manifest_is_refused(cut: int) -> None:
    entries = {f"/{n}": Entry(f"/{n}", 1, 2, 3, 4, "ab") for n in range(3)}
    text = to_text(Manifest(entries, (), (), {}), {})
    with pytest.raises((ValueError, KeyError)):
        from_text(text[:cut] if cut < 200 else text.rsplit("\n", 2)[0])


def entry(path: str, size: int = 1, *, stable: bool = True) -> Entry:
    return Entry(path, size, 0, 0, 0, "x", stable)


def test_a_listing_is_held_against_stable_files_only() -> None:
    made = Manifest({e.path: e for e in (entry("/a"), entry("/b"), entry("/c", stable=False), entry("/d"))})
    seen = compare_listing(made, {"/a": 1, "/b": 2, "/e": 5})
    assert (seen.missing, seen.resized) == (("/d",), ("/b",))
    assert seen.moving == ("/c", "/e")
    assert seen.faults == 2


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 20))
def test_turning_samples_cover_everything(number: int, files: int, octets: int) -> None:
    entries = {f"/{n}": entry(f"/{n}", n % 7) for n in range(number)}
    made = Manifest(entries)
    seen: set[str] = set()
    for turn in range(number + 1):
        part = sample(made, turn, files, octets)
        assert 1 <= len(part) <= files
        assert len(part) == 1 or sum(e.size for e in part) <= octets
        seen |= {e.path for e in part}
    assert seen == set(entries)


def test_unstable_files_are_never_sampled() -> None:
    assert sample(Manifest({"/a": entry("/a", stable=False)}), 0, 10, 10) == []


def test_a_restored_file_is_compared_byte_for_byte(tmp_path: Path) -> None:
    source = tmp_path / "d"
    source.mkdir()
    (source / "a").write_text("abcd")
    wanted = list(taken([str(source)]).entries.values())
    back = tmp_path / "retour"
    place = back / str(source).lstrip("/")
    place.mkdir(parents=True)
    assert "absent" in compare_files(wanted, back)[0]
    (place / "a").write_text("abc")
    assert "3 octets" in compare_files(wanted, back)[0]
    (place / "a").write_text("abce")
    assert "contenu différent" in compare_files(wanted, back)[0]
    (place / "a").write_text("abcd")
    assert compare_files(wanted, back) == []
    (place / "a").unlink()
    (place / "a").symlink_to(source / "a")
    assert "absent" in compare_files(wanted, back)[0]


def test_a_database_is_copied_while_it_is_written(tmp_path: Path) -> None:
    place = tmp_path / "base.sqlite"
    base = sqlite3.connect(place)
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("CREATE TABLE t (v)")
    base.execute("INSERT INTO t VALUES (42)")
    base.commit()
    base.execute("INSERT INTO t VALUES (43)")
    source = HostSource("bases", (), (), (str(place), str(tmp_path / "absente")))
    folder = backup.dump_databases(source, tmp_path / "copies")[0]
    copies = list(Path(folder).iterdir())
    assert len(copies) == 1
    assert sqlite3.connect(copies[0]).execute("SELECT v FROM t").fetchall() == [(42,)]
    base.close()


def test_a_broken_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(b"pas une base" * 100)
    with pytest.raises(sqlite3.Error):
        backup.dump_databases(HostSource("b", (), (), (str(tmp_path / "base"),)), tmp_path / "copies")


SHARED = """
CREATE TABLE system (name TEXT PRIMARY KEY, value TEXT);
INSERT INTO system VALUES ('roundcube-version', '1');
CREATE TABLE users (user_id INTEGER PRIMARY KEY, username TEXT);
CREATE TABLE session (sess_id TEXT, vars TEXT);
INSERT INTO session VALUES ('s', 'JETON');
"""


@pytest.fixture
def webmail(tmp_path: Path) -> HostExtract:
    """A base with the tables of Roundcube and people of three domains, one of which ends as another does."""
    place = tmp_path / "webmail.sqlite"
    base = sqlite3.connect(place)
    base.executescript(SHARED)
    owned = [table for table, _condition in WEBMAIL_TABLES if table not in {"system", "users", "contactgroupmembers"}]
    for table in owned:
        extra = "contactgroup_id INTEGER, " if table == "contactgroups" else ""
        base.execute(f"CREATE TABLE {table} ({extra}user_id INTEGER, data TEXT)")
    base.execute("CREATE TABLE contactgroupmembers (contactgroup_id INTEGER, contact_id INTEGER)")
    for number, name in enumerate(("Mairie@un.fr", "mairie@deux.fr", "mairie@un.fr.deux.fr", "mairie@pasun.fr")):
        base.execute("INSERT INTO users VALUES (?, ?)", (number, name))
        for table in owned:
            values: tuple[Any, ...] = (number, f"{table} de {name}")
            if table == "contactgroups":
                values = (number + 10, *values)
            base.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
        base.execute("INSERT INTO contactgroupmembers VALUES (?, ?)", (number + 10, number))
    base.commit()
    base.close()
    return HostExtract(str(place), "un.fr", WEBMAIL_TABLES)


def test_only_the_rows_of_the_commune_are_taken_of_a_shared_base(webmail: HostExtract, tmp_path: Path) -> None:
    source = HostSource("webmail", (), (), (), (webmail,))
    copies = list(Path(backup.dump_databases(source, tmp_path / "copies")[0]).iterdir())
    assert len(copies) == 1
    copy = sqlite3.connect(copies[0])
    assert copy.execute("SELECT username FROM users").fetchall() == [("Mairie@un.fr",)]
    for table, _condition in WEBMAIL_TABLES:
        assert copy.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,), table
    assert copy.execute("SELECT * FROM contactgroupmembers").fetchall() == [(10, 0)]
    raw = copies[0].read_bytes()
    assert b"JETON" not in raw
    assert b"deux.fr" not in raw
    assert b"pasun.fr" not in raw


def test_what_is_being_written_is_in_the_copy_whole_or_not_at_all(webmail: HostExtract, tmp_path: Path) -> None:
    writer = sqlite3.connect(webmail.database)
    writer.execute("INSERT INTO contacts VALUES (0, 'à moitié écrit')")
    backup.dump_extract(webmail, tmp_path / "avant")
    writer.commit()
    backup.dump_extract(webmail, tmp_path / "apres")
    counts = [
        sqlite3.connect(tmp_path / name).execute("SELECT count(*) FROM contacts").fetchone()[0]
        for name in ("avant", "apres")
    ]
    assert counts == [1, 2]


def test_a_shared_base_that_is_not_there_or_lacks_a_table_is_told(webmail: HostExtract, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        backup.dump_extract(HostExtract(str(tmp_path / "rien"), "un.fr", WEBMAIL_TABLES), tmp_path / "a")
    with pytest.raises(sqlite3.Error, match="table absente"):
        backup.dump_extract(HostExtract(webmail.database, "un.fr", (("absente", "1"),)), tmp_path / "b")


def test_a_failure_keeps_the_date_of_the_last_success() -> None:
    first, second = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
    names = {"machine": "plateforme", "source": "boites"}
    good = backup.next_state({}, Outcome("reussie"), {"fichiers": 3}, began=first, ended=first, **names)
    bad = backup.next_state(good, Outcome("echec", "panne"), {}, began=second, ended=second, **names)
    assert bad["derniere_reussite"] == first.isoformat(timespec="seconds")
    assert (bad["etat"], bad["cause"]) == ("echec", "panne")
    assert [line["etat"] for line in bad["historique"]] == ["reussie", "echec"]


def test_a_history_does_not_grow_for_ever() -> None:
    state: dict[str, Any] = {}
    now = datetime(2026, 11, 24, tzinfo=UTC)
    for _ in range(100):
        state = backup.next_state(state, Outcome("reussie"), {}, began=now, ended=now, machine="m", source="s")
    assert len(state["historique"]) == backup.HISTORY


def test_failed_hooks_are_told(tmp_path: Path) -> None:
    record = tmp_path / "crochets.json"
    assert hooks_failure(record) == ""
    record.write_text('{"echecs": []}')
    assert hooks_failure(record) == ""
    record.write_text('{"echecs": ["10-base"]}')
    assert "10-base" in hooks_failure(record)
    record.write_text("{")
    assert "illisible" in hooks_failure(record)


DEPOT = Depot(
    "62708", "plateforme", "https://s3.example", "us-east-1", True, "b", "plateforme", "CLE", "SECRET", "MOTDEPASSE", ()
)


def test_no_secret_is_an_argument_nor_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "restic"
    program.write_text('#!/bin/sh\necho "$@"\ncat "$RESTIC_PASSWORD_FILE"\ncat "$RESTIC_PASSWORD_FILE" >&2\n')
    program.chmod(0o755)
    settings = HostSettings("m", (), 500, 1, tmp_path, tmp_path)
    real = restic.subprocess.run

    def run(command: list[str], **options: Any) -> Any:
        options["env"] = {**options["env"], "PATH": f"{tmp_path}:/usr/bin:/bin"}
        assert not any(word in " ".join(command) for word in ("CLE", "SECRET", "MOTDEPASSE"))
        return real([str(program), *command[1:]], **options)

    monkeypatch.setattr(restic.subprocess, "run", run)
    done = restic.run(settings, DEPOT, ["backup", "/home"])
    assert "MOTDEPASSE" in done.out
    assert "--limit-upload 500" in done.out
    assert "SECRET" not in repr(DEPOT)
    assert "MOTDEPASSE" not in repr(DEPOT)


def test_restic_that_is_absent_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_arguments: Any, **_options: Any) -> Any:
        raise FileNotFoundError

    monkeypatch.setattr(restic.subprocess, "run", absent)
    assert "pas installé" in restic.run(HostSettings("m", (), 0, 1, tmp_path, tmp_path), DEPOT, []).outcome.cause


def test_the_signature_is_the_one_that_boto_makes() -> None:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    now = datetime.now(UTC)
    path, body = "/b/plateforme/etat/boites.json", b'{"a": 1}'
    ours = signed_headers(DEPOT, "PUT", "s3.example", path, body=body, now=now)
    request = AWSRequest("PUT", f"https://s3.example{path}", data=body)
    request.headers["X-Amz-Date"] = ours["x-amz-date"]
    request.context["timestamp"] = ours["x-amz-date"]
    request.headers["X-Amz-Content-SHA256"] = ours["x-amz-content-sha256"]
    signer = S3SigV4Auth(Credentials("CLE", "SECRET"), "s3", "us-east-1")
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert ours["authorization"].endswith(f"Signature={signature}")

# SPDX-License-Identifier: GPL-3.0-or-later
"""A commune's archive: what it holds, what it refuses, and where it can be taken; hosts are folders of the test."""

from __future__ import annotations

import io
import json
import mailbox
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import pytest
from inventory_samples import make_pack

from packmairie.engines.ansible import Failure, RunResult
from packmairie.engines.cargo import delete
from packmairie.inventory.loader import load_pack
from packmairie.model.deployment import Outcome
from packmairie.model.export import Export
from packmairie.model.problem import PackmairieError
from packmairie.operations import export as exporting
from packmairie.operations import leaving
from packmairie.operations.deploy import deploy_pack
from packmairie.operations.export import export_commune, exports_of
from packmairie.operations.export_archive import ArchiveWriter, verify_archive
from packmairie.operations.journal import read_runs
from packmairie.operations.leaving import import_data, import_settings, remove_commune

CODE, DOMAIN = "62708", "riencourt-les-bapaume.fr"
MESSAGE = b"From: a@b.fr\nTo: contact@x.fr\nSubject: Bonjour\n\nFrom ici, tout va bien.\n"


class Host:
    """A host that is a folder: its tars are made and unpacked by the same rules as over SSH."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.deleted: list[str] = []
        self.ran: list[dict[str, Any]] = []
        self.failures: list[Failure] = []

    def write(self, path: str, content: bytes) -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def take(self, name: str, host: Any, paths: Sequence[str], excludes: Sequence[str], to: Path) -> None:
        with tarfile.open(to, "w", format=tarfile.PAX_FORMAT) as archive:
            for path in paths:
                if (self.root / path.lstrip("/")).exists():
                    archive.add(self.root / path.lstrip("/"), arcname=f".{path}")

    def put(self, name: str, host: Any, members: Iterable[tuple[tarfile.TarInfo, IO[bytes] | None]]) -> int:
        count = 0
        for member, content in members:
            if member.isfile() and content is not None:
                self.write(member.name, content.read())
            count += 1
        return count

    def run(self, playbook: str, pack: Path, artifacts: Path, **options: Any) -> RunResult:
        self.ran.append(options["variables"])
        return RunResult(hosts={"plateforme"}, status="successful", failures=list(self.failures))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path / "hote")
    made.write(f"/var/vmail/{DOMAIN}/contact/Maildir/cur/1.x:2,S", MESSAGE)
    (made.root / f"var/vmail/{DOMAIN}/contact/Maildir/new").mkdir()
    made.write(f"/var/vmail/{DOMAIN}/contact/Maildir/.Envoyés/new/2.y", MESSAGE)
    (made.root / f"var/vmail/{DOMAIN}/contact/Maildir/.Envoyés/cur").mkdir()
    monkeypatch.setattr(exporting, "take", made.take)
    monkeypatch.setattr(leaving, "put", made.put)
    monkeypatch.setattr(leaving, "delete", lambda name, host, paths: made.deleted.extend(paths))
    monkeypatch.setattr(leaving, "run_playbook", made.run)
    monkeypatch.setattr(exporting, "_evidence", lambda writer, *_given: writer.add("preuves/status.json", b"[]\n"))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make_pack(tmp_path / "pack")
    (made / "contenu" / CODE / "pages").mkdir(parents=True)
    (made / "contenu" / CODE / "pages" / "école.md").write_text("# École\n\nElle est ouverte.\n", encoding="utf-8")
    (made / "secrets").mkdir()
    (made / "secrets" / f"{CODE}.yml").write_text("$ANSIBLE_VAULT;canari", encoding="utf-8")
    (made / "envois" / "archivage" / CODE / "t1").mkdir(parents=True)
    (made / "envois" / "archivage" / CODE / "t1" / "recu.xml").write_text("<recu/>", encoding="utf-8")
    return made


@pytest.fixture
def archive(host: Host, folder: Path, tmp_path: Path) -> Path:
    export_commune(folder, CODE, tmp_path / "commune.tar")
    return tmp_path / "commune.tar"


def remove(folder: Path, archive: Path, **given: bool) -> Any:
    flags = {"allow_removal": True, "delete_data": False} | given
    return remove_commune(folder, CODE, archive, runs=folder.parent / "runs", **flags)


def rewritten(archive: Path, change: Any) -> None:
    """Write an archive again with some members changed (None: left out)."""
    with tarfile.open(archive) as old:
        members = [(member, old.extractfile(member).read() if member.isfile() else None) for member in old]  # type: ignore[union-attr]
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as new:
        for member, content in members:
            kept = change(member.name, content)
            if kept is not None:
                member.size = len(kept)
                new.addfile(member, io.BytesIO(kept))


class TestArchive:
    def test_it_holds_everything_but_secrets(self, archive: Path) -> None:
        assert archive.stat().st_mode & 0o077 == 0
        manifest = verify_archive(archive)
        assert (manifest.insee, manifest.domaine, manifest.missing) == (CODE, DOMAIN, ())
        with tarfile.open(archive) as opened:
            names = set(opened.getnames())
        assert {
            f"messagerie/var/vmail/{DOMAIN}/contact/Maildir/cur/1.x:2,S",
            "messagerie-mbox/contact.mbox",
            "messagerie-mbox/contact.Envoyés.mbox",
            f"reglages/contenu/{CODE}/pages/école.md",
            f"zone/{DOMAIN}.zone",
            "archivage/t1/recu.xml",
            "preuves/status.json",
            "manifeste.json",
            "LISEZMOI.txt",
            "SHA256SUMS",
        } <= names
        assert not any("secret" in name for name in names)
        assert b"canari" not in archive.read_bytes()

    def test_anybody_checks_it_with_common_tools(self, archive: Path, tmp_path: Path) -> None:
        place = tmp_path / "ailleurs"
        place.mkdir()
        subprocess.run(["tar", "-xf", archive, "-C", place], check=True)
        done = subprocess.run(
            ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=place, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        box = mailbox.mbox(place / "messagerie-mbox" / "contact.mbox")
        assert [message["Subject"] for message in box] == ["Bonjour"]
        # A line of text that begins as a separator does not cut the message in two.
        assert "ici, tout va bien" in box[0].get_payload()

    def test_a_missing_part_is_named_and_forbids_removal(
        self, host: Host, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(name: str, *_given: Any) -> None:
            raise PackmairieError([leaving.fail(name, "SSH impossible", "voir").problems[0]])

        monkeypatch.setattr(exporting, "take", refused)
        manifest = export_commune(folder, CODE, tmp_path / "c.tar")
        assert any("SSH impossible" in reason for reason in manifest.missing)
        with pytest.raises(PackmairieError, match="il y manque"):
            remove(folder, tmp_path / "c.tar")
        assert host.ran == []

    def test_a_file_in_the_way_is_left(self, host: Host, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "c.tar").write_text("important")
        with pytest.raises(PackmairieError, match="existe déjà"):
            export_commune(folder, CODE, tmp_path / "c.tar")
        assert (tmp_path / "c.tar").read_text() == "important"

    def test_an_export_that_breaks_leaves_nothing(
        self, host: Host, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_given: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(exporting, "take", broken)
        with pytest.raises(KeyboardInterrupt):
            export_commune(folder, CODE, tmp_path / "c.tar")
        assert not list(tmp_path.glob("*c.tar*"))
        assert not list(tmp_path.glob(".export-*"))

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda name, content: content + b"x" if name.endswith(".mbox") else content, "a été altéré"),
            (lambda name, content: None if name.endswith(".mbox") else content, "manque"),
            (lambda name, content: None if name == "SHA256SUMS" else content, "incomplète"),
            (lambda name, content: None if name == "manifeste.json" else content, "incomplète"),
            (
                lambda name, content: content.replace(b"62708", b"62633") if name == "manifeste.json" else content,
                "altéré",
            ),
        ],
    )
    def test_what_was_touched_is_refused(self, archive: Path, folder: Path, change: Any, reason: str) -> None:
        rewritten(archive, change)
        for work in (lambda: import_settings(folder, archive), lambda: remove(folder, archive)):
            with pytest.raises(PackmairieError, match=reason):
                work()

    def test_one_cut_short_is_refused(self, archive: Path) -> None:
        archive.write_bytes(archive.read_bytes()[:20_000])
        with pytest.raises(PackmairieError):
            verify_archive(archive)

    @pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "reglages/../../x"])
    def test_a_member_that_leaves_its_folder_is_refused(self, archive: Path, name: str) -> None:
        with tarfile.open(archive, "a") as opened:
            opened.addfile(tarfile.TarInfo(name))
        with pytest.raises(PackmairieError, match="membre refusé"):
            verify_archive(archive)

    def test_strange_names_keep_their_sums(self, tmp_path: Path) -> None:
        place = tmp_path / "n"
        place.mkdir()
        for name in ("a\nb", "a\\b", "é à", "c\u2028d", "e\x0cf"):
            (place / name).write_bytes(name.encode())
        writer = ArchiveWriter(tmp_path / "x.tar")
        for path in sorted(place.iterdir()):
            writer.add_path(f"p/{path.name}", path)
        writer.finish(exporting.Manifest(CODE, "n", DOMAIN, "p", "2026-11-24T00:00:00+00:00", ()))
        assert verify_archive(tmp_path / "x.tar").insee == CODE


class TestImport:
    def test_settings_then_data_in_another_pack(self, archive: Path, host: Host, tmp_path: Path) -> None:
        other = make_pack(tmp_path / "autre", "62633")
        manifest, paths = import_settings(other, archive)
        assert manifest.insee == CODE
        assert other / "contenu" / CODE / "pages" / "école.md" in paths
        assert load_pack(other).commune(CODE).domaine.nom == DOMAIN
        host.root = tmp_path / "nouvel-hote"
        assert import_data(other, archive)["messagerie"] > 0
        kept = host.root / "var" / "vmail" / DOMAIN / "contact" / "Maildir"
        assert (kept / "cur" / "1.x:2,S").read_bytes() == MESSAGE
        assert (kept / ".Envoyés" / "new" / "2.y").read_bytes() == MESSAGE
        assert not (host.root / "reglages").exists()

    def test_a_commune_that_is_there_is_left(self, archive: Path, folder: Path) -> None:
        with pytest.raises(PackmairieError, match="est déjà dans le pack"):
            import_settings(folder, archive)

    def test_a_pack_that_would_be_wrong_gets_nothing(self, archive: Path, tmp_path: Path) -> None:
        other = make_pack(tmp_path / "autre", "62633")
        file = next((other / "communes").glob("62633-*.yml"))
        file.write_text(file.read_text().replace("oeuf-en-ternois.fr", DOMAIN), encoding="utf-8")
        before = sorted(other.rglob("*"))
        with pytest.raises(PackmairieError, match="déjà le domaine"):
            import_settings(other, archive)
        assert [path for path in sorted(other.rglob("*")) if path.is_file()] == [
            path for path in before if path.is_file()
        ]


class TestRemoval:
    def test_the_flag_is_named(self, archive: Path, folder: Path, host: Host) -> None:
        with pytest.raises(PackmairieError, match="--allow-removal"):
            remove(folder, archive, allow_removal=False)
        assert host.ran == []
        assert load_pack(folder).commune(CODE)

    def test_hosts_first_data_kept_unless_asked(self, archive: Path, folder: Path, host: Host) -> None:
        done = remove(folder, archive)
        assert host.ran == [{"packmairie_communes": CODE, "packmairie_allow_removal": True}]
        assert host.deleted == []
        assert f"/var/vmail/{DOMAIN}" in done.kept
        assert [commune.insee for commune in load_pack(folder).communes] == ["62633"]
        assert not (folder / "contenu" / CODE).exists()
        assert (folder / "secrets" / f"{CODE}.yml").exists()
        (run,) = read_runs(folder.parent / "runs", folder)
        assert run.outcomes == {CODE: Outcome.REMOVED}

    def test_data_goes_when_asked(self, archive: Path, folder: Path, host: Host) -> None:
        assert f"/var/vmail/{DOMAIN}" in remove(folder, archive, delete_data=True).deleted
        assert f"/var/vmail/{DOMAIN}" in host.deleted

    def test_a_failure_keeps_the_data_and_can_be_run_again(self, archive: Path, folder: Path, host: Host) -> None:
        host.failures = [Failure("plateforme", "t", "r")]
        assert remove(folder, archive, delete_data=True).failures
        assert host.deleted == []
        with pytest.raises(PackmairieError, match="packmairie remove"):
            deploy_pack(folder, runs=folder.parent / "runs", resume=True)
        host.failures = []
        assert not remove(folder, archive, delete_data=True).failures
        assert f"/var/vmail/{DOMAIN}" in host.deleted

    def test_an_old_archive_is_refused(self, archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(leaving, "FRESH", -leaving.FRESH)
        with pytest.raises(PackmairieError, match="refaire l'export"):
            remove(folder, archive)

    def test_the_archive_of_another_is_refused(self, archive: Path, folder: Path) -> None:
        with pytest.raises(PackmairieError, match=f"est l'archive de {CODE}"):
            remove_commune(folder, "62633", archive, runs=folder.parent / "runs", allow_removal=True, delete_data=True)

    @pytest.mark.parametrize("path", ["/", "/var", "/var/vmail", "var/vmail/x", "/var/vmail/../../etc"])
    def test_nothing_near_the_root_is_deleted(self, path: str) -> None:
        with pytest.raises(ValueError, match="deep"):
            delete("h", None, [path])  # type: ignore[arg-type]


def test_a_brique_says_what_it_exports(folder: Path) -> None:
    pack = load_pack(folder)
    wishes = {wish.name: wish for wish in exports_of(pack.commune(CODE), pack)}
    assert wishes["messagerie"].mailboxes
    assert wishes["site"].group == "frontal"
    assert wishes["archivage"].spool
    assert wishes["teletransmission"].spool


def test_every_part_of_the_demonstration_is_taken_from_somewhere() -> None:
    """A part with nothing behind it would be empty in every archive, and told as whole."""
    pack = load_pack(Path(__file__).resolve().parents[2] / "inventories" / "demo")
    wishes = [wish for commune in pack.communes for wish in exports_of(commune, pack)]
    assert wishes
    assert [wish.name for wish in wishes if not (wish.paths or wish.command or wish.spool)] == []
    # Every commune of it has its reports at the portal: what it takes of them is written there.
    lines = [wish.command for wish in wishes if wish.name == "signalement"]
    assert lines == [("/usr/local/sbin/portail-gerer", "commune_exporter", one.insee) for one in pack.communes]


def test_a_program_writes_its_own_export(
    host: Host, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place of the reports' anonymous lines: a command of the portal's host."""
    wish = Export("signalement", "Lignes anonymes", "frontal", command=("portail", "export", CODE), file="lignes.csv")
    monkeypatch.setattr(exporting, "exports_of", lambda commune, pack: (wish,))
    monkeypatch.setattr(exporting, "output", lambda name, host, command, target: target.write(command.encode()))
    export_commune(folder, CODE, tmp_path / "c.tar")
    with tarfile.open(tmp_path / "c.tar") as opened:
        content = opened.extractfile("signalement/lignes.csv")
        assert content is not None
        assert content.read() == f"portail export {CODE}".encode()
        manifest = opened.extractfile("manifeste.json")
        assert manifest is not None
        assert json.loads(manifest.read())["parts"][2]["name"] == "signalement"

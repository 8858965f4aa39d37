# SPDX-License-Identifier: GPL-3.0-or-later
"""The spool: its journal shows what was changed, survives a kill at any moment, and nothing is deposited twice."""

from __future__ import annotations

import json

import pytest
from envois_samples import FolderDeposit, run_and_kill
from hypothesis import given, settings
from hypothesis import strategies as st

from packmairie.engines.deposit import COMMITTING, STAGED, STAGING, NotSentError, Package, Unknown, deposit_once
from packmairie.engines.spool import JOURNAL, Spool
from packmairie.model.problem import PackmairieError


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool")


def package_in(folder):
    file = folder / "t-1.zip"
    file.write_bytes(b"contenu")
    return Package("t-1", file, "x")


class TestJournal:
    def test_steps(self, spool):
        with spool.hold():
            spool.record("a", "prepare", x=1)
            spool.record("b", "prepare", é="à")
            spool.record("a", "depose")
        assert spool.transfers() == ("a", "b")
        assert spool.step("b", "prepare").data == {"é": "à"}
        assert spool.step("b", "depose") is None
        assert (spool.folder / JOURNAL).stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("line", [0, 1, 2])
    def test_a_changed_line_shows(self, spool, line):
        with spool.hold():
            for number in range(3):
                spool.record("a", "pas", n=number)
        path = spool.folder / JOURNAL
        lines = path.read_text().splitlines()
        lines[line] = lines[line].replace(f'"n": {line}', '"n": 9')
        path.write_text("\n".join(lines) + "\n")
        with pytest.raises(PackmairieError, match=f":{line + 1}"):
            spool.entries()

    def test_a_removed_line_shows(self, spool):
        with spool.hold():
            for number in range(3):
                spool.record("a", "pas", n=number)
        path = spool.folder / JOURNAL
        lines = path.read_text().splitlines()
        path.write_text(lines[0] + "\n" + lines[2] + "\n")
        with pytest.raises(PackmairieError, match="modifié"):
            spool.entries()

    @given(cut=st.integers(1, 60))
    @settings(max_examples=20, deadline=None)
    def test_an_unfinished_line_is_dropped(self, tmp_path_factory, cut):
        spool = Spool(tmp_path_factory.mktemp("s"))
        with spool.hold():
            spool.record("a", "prepare")
            spool.record("a", "depose")
        path = spool.folder / JOURNAL
        path.write_bytes(path.read_bytes()[:-cut])
        with spool.hold():
            assert [entry.step for entry in spool.entries()] == ["prepare"]
            spool.record("a", "depose")
        assert len(spool.entries()) == 2

    def test_one_process_at_a_time(self, spool):
        with spool.hold(), pytest.raises(PackmairieError, match="une autre commande"), Spool(spool.folder).hold():
            pass

    def test_who_does_not_hold_does_not_write(self, spool):
        with pytest.raises(RuntimeError):
            spool.record("a", "x")

    @pytest.mark.parametrize("name", ["", "..", "a/b", "../x", ".x", "a" * 101, JOURNAL, "é"])
    def test_names(self, spool, name):
        with pytest.raises(ValueError, match="nommer"):
            spool.place(name)


class TestOnce:
    @pytest.mark.slow
    @pytest.mark.parametrize("takes", [False, True])
    def test_killed_at_every_moment_and_resumed(self, tmp_path, takes):
        """Whatever the moment of the kill, resuming ends deposited, and the platform got it once."""
        for at in range(1, 200):
            folder = tmp_path / str(at)
            folder.mkdir()
            package, way, spool = package_in(folder), FolderDeposit(folder / "sae", takes), Spool(folder / "spool")

            def work(spool=spool, package=package, way=way):
                with spool.hold():
                    deposit_once(spool, package, way)

            finished = run_and_kill(work, at)
            with spool.hold():
                deposit_once(spool, package, way)
                _receipt, now = deposit_once(spool, package, way)
            assert not now
            assert way.count() == 1
            json.dumps([entry.data for entry in spool.entries()])
            if finished:
                break
        assert at > 15

    def test_unknown_is_not_sent_again_by_itself(self, tmp_path, spool):
        package = package_in(tmp_path)
        sent = []

        class Silent:
            def stage(self, package):
                """Nothing."""

            def commit(self, package):
                sent.append(package)
                raise OSError("coupure")

            def find(self, package):
                return Unknown("muet")

        with spool.hold():
            with pytest.raises(PackmairieError, match="interrompu"):
                deposit_once(spool, package, Silent())
            with pytest.raises(PackmairieError, match="--resend"):
                deposit_once(spool, package, Silent())
            assert len(sent) == 1
            with pytest.raises(PackmairieError, match="interrompu"):
                deposit_once(spool, package, Silent(), resend=True)
            assert len(sent) == 2

    def test_a_refusal_may_be_tried_again(self, tmp_path, spool):
        package = package_in(tmp_path)
        answers = iter([NotSentError("compte refusé"), None])

        class Refusing(FolderDeposit):
            def commit(self, package):
                answer = next(answers)
                if answer:
                    raise answer
                return super().commit(package)

        way = Refusing(tmp_path / "sae")
        with spool.hold():
            with pytest.raises(PackmairieError, match="rien n'a été pris"):
                deposit_once(spool, package, way)
            _receipt, now = deposit_once(spool, package, way)
        assert now
        assert [entry.step for entry in spool.entries()].count(COMMITTING) == 2
        assert [entry.step for entry in spool.entries()][:2] == [STAGING, STAGED]

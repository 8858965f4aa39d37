# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels for another Python than this one, and packmairie's own."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from packmairie.engines import wheelhouse
from packmairie.engines.wheelhouse import Target
from packmairie.model.problem import PackmairieError

ROOT = Path(__file__).parents[2]
TRIXIE = Target((3, 13), "x86_64", (2, 41))


class TestTarget:
    def test_pip_is_told_every_wheel_that_the_host_can_use(self) -> None:
        words = TRIXIE.options()
        assert words[:2] == ["--python-version", "3.13"]
        assert [words[place + 1] for place, word in enumerate(words) if word == "--abi"] == ["cp313", "abi3", "none"]
        platforms = [words[place + 1] for place, word in enumerate(words) if word == "--platform"]
        assert platforms[0] == "manylinux_2_41_x86_64"
        assert "manylinux_2_17_x86_64" in platforms
        assert "manylinux_2_42_x86_64" not in platforms
        assert platforms[-1] == "any"

    def test_its_wheels_have_a_folder_of_their_own(self, tmp_path: Path) -> None:
        requirements = tmp_path / "requirements.txt"
        requirements.write_text("outil==1 --hash=sha256:0\n")
        names = {
            wheelhouse.requirements_digest(requirements, target)
            for target in (None, TRIXIE, Target((3, 12), "x86_64", (2, 41)))
        }
        assert len(names) == 3


@pytest.mark.slow
def test_a_file_without_hashes_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("wheel\n")
    with pytest.raises(PackmairieError, match="pip refuse"):
        wheelhouse.download(requirements, tmp_path / "wheels")
    assert not list((tmp_path / "wheels").rglob("*.whl"))
    assert not list((tmp_path / "wheels").rglob(".complete"))


@pytest.mark.slow
def test_packmairie_s_own_wheel_holds_its_code_and_leaves_the_checkout_alone(tmp_path: Path) -> None:
    before = sorted(path.name for path in ROOT.iterdir())
    with zipfile.ZipFile(wheelhouse.build(ROOT, tmp_path / "wheel")) as archive:
        names = archive.namelist()
    assert "packmairie/model/commune.py" in names
    assert "packmairie/registry/data/communes_hauts_de_france.csv" in names
    assert not [name for name in names if "cache" in name.lower()]
    assert sorted(path.name for path in ROOT.iterdir()) == before

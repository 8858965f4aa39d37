# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of one platform stay on one worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from shares import BESIDE, SECOND, USUAL, share_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("nodeid", "share"),
    [
        ("tests/lab/test_deploiement.py::TestDrift::test_x", USUAL),
        ("tests/lab/test_lab_itself.py::test_the_world", USUAL),
        ("tests/lab/test_lab_itself.py::TestSecondLab::test_x", "tests/lab/test_lab_itself.py"),
        ("tests/lab/test_postes.py::test_x", "tests/lab/test_postes.py"),
        ("tests/lab/test_postes_plateforme.py::test_x", USUAL),
        ("tests/lab/test_partage.py::TestFiles::test_x[a/b::c]", SECOND),
        ("tests/integration/test_envois_archivage.py::TestSftp::test_x", "tests/integration/test_envois_archivage.py"),
    ],
)
def test_share(nodeid: str, share: str) -> None:
    assert share_of(nodeid) == share


def test_every_file_named_is_there() -> None:
    assert [path for path in BESIDE if not (ROOT / path).is_file()] == []

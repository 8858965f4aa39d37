# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tests two workers may run at the same time, and on which hosts."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

OWN_LABS = ("tests/lab/test_postes.py", "tests/lab/test_lab_itself.py::TestSecondLab")
"""Tests whose hosts are nobody else's."""
BESIDE = frozenset(
    f"tests/lab/test_{name}.py"
    for name in ("envois_hotes", "marches", "partage", "partage_browser", "portail", "presence", "sauvegarde")
)
"""Files that a second worker runs on a platform of its own; a worker alone runs them on the usual lab."""
USUAL, SECOND = "usual lab", "second platform"


def share_of(nodeid: str) -> str:
    """Return what must stay on one worker with this test: a platform from its first test to its last, else its file."""
    path = nodeid.split("::", maxsplit=1)[0]
    if not path.startswith("tests/lab/") or nodeid.startswith(OWN_LABS):
        return path
    return SECOND if path in BESIDE else USUAL


class BesideTheLab(LoadScopeScheduling):  # type: ignore[misc]
    """Shares the tests between workers by :func:`share_of`."""

    def _split_scope(self, nodeid: str) -> str:
        """Return the share of a test."""
        return share_of(nodeid)

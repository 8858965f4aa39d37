# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugins share: a pack, a selection, and changes in one form."""

from __future__ import annotations

from pathlib import Path

import pytest

from packmairie.model.change import Action, Change
from packmairie.model.problem import PackmairieError
from packmairie.operations.controller import chosen_by, pack_of, told


def test_an_inventory_that_is_no_pack_is_refused_by_name() -> None:
    assert pack_of({"packmairie_pack": "/p"}, "packmairie_tree") == Path("/p")
    with pytest.raises(PackmairieError, match=r"packmairie_tree.*n'est pas celui d'un pack"):
        pack_of({}, "packmairie_tree")


@pytest.mark.parametrize(
    ("said", "chosen"), [(None, []), ("", []), ("62708", ["62708"]), ("62708,62633,", ["62708", "62633"])]
)
def test_nothing_said_is_every_commune(said: str | None, chosen: list[str]) -> None:
    assert chosen_by({"packmairie_communes": said}) == chosen


def test_changes_are_told_with_their_difference_when_asked() -> None:
    change = Change("62708", "dns", "essai.fr", Action.CREATE, "@ MX", "+ligne")
    plain = told([change], with_diff=False)
    assert plain["changed"] is True
    assert "diff" not in plain
    assert plain["changes"][0]["commune"] == "62708"
    assert told([change], with_diff=True)["diff"] == [{"prepared": "essai.fr + @ MX\n+ligne\n"}]
    assert told([], with_diff=True) == {"changed": False, "changes": [], "diff": []}

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a saved plan sees move."""

from __future__ import annotations

from pathlib import Path

from packmairie.inventory.loader import load_pack
from packmairie.operations.digests import desired_digests, moved

DEMO = Path(__file__).resolve().parents[2] / "inventories" / "demo"


def test_a_file_that_is_laid_on_hosts_counts(tmp_path: Path) -> None:
    pack = load_pack(DEMO)
    schema = tmp_path / "schema.xsd"
    schema.write_text("<a/>", encoding="utf-8")
    bare, laid = pack, pack.model_copy(update={"attachments": {"schemas-officiels/seda/a.xsd": str(schema)}})
    before = desired_digests(laid)
    assert moved(desired_digests(bare), before) == ("pack",)
    schema.write_text("<b/>", encoding="utf-8")
    assert moved(before, desired_digests(laid)) == ("pack",)
    assert moved(before, before) == ()

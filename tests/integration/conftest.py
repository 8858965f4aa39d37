# SPDX-License-Identifier: GPL-3.0-or-later
"""Real programs started for a test on loopback, on ports of the moment, and ended by their process id."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from knot_server import KnotServer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in the repository, with none of the caller's own settings."""
    monkeypatch.chdir(PROJECT)
    for name in ("PACKMAIRIE_PACK", "PACKMAIRIE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def knot(tmp_path: Path) -> Iterator[KnotServer]:
    """Give a Knot server with the role's own configuration; skip, saying why, where there is no knotd."""
    if shutil.which("knotd") is None:
        pytest.skip("knotd n'est pas installé : scripts/install-test-tools (root) ou apt-get install knot")
    server = KnotServer(tmp_path / "knot")
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Give a loopback port that accepts a connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """Give a loopback port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port

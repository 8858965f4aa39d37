# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in of a platform behind a real nginx that asks for certificates, and a pack identified before it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from envois_peers import Nginx, StandIn, issue
from envois_samples import SCHEMAS
from tls_peers import Authority

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
official = pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"schémas officiels absents de {SCHEMAS}")
needs_nginx = pytest.mark.skipif(
    not Path("/usr/sbin/nginx").exists(), reason="nginx n'est pas installé : scripts/install-test-tools (root)"
)


@contextmanager
def served(folder: Path) -> Iterator[tuple[StandIn, Nginx, Authority]]:
    """Give the stand-in, nginx in front of it, and the authority."""
    behind = StandIn()
    authority = Authority(folder / "ac")
    nginx = Nginx(folder / "nginx", authority, behind.server_address[1])
    try:
        yield behind, nginx, authority
    finally:
        nginx.stop()
        behind.shutdown()
        behind.server_close()


def identified(tmp_path, authority, pack, section):
    """Let a pack reach a platform with a certificate that its authority signed."""
    certificate, key = issue(authority, pack, "machine")
    shutil.copy(authority.root, pack / "ac.pem")
    text = section + f"  autorite: ac.pem\n  certificat: {certificate.name}\n  cle: {key.name}\n"
    (pack / "pack.yml").write_text((pack / "pack.yml").read_text(encoding="utf-8") + text, encoding="utf-8")

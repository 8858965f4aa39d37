# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test shares."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

from shares import BesideTheLab

# A busy machine is slow at any moment: a test that is about time measures the processor's, by itself.
settings.register_profile("packmairie", deadline=None)
settings.load_profile("packmairie")


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> BesideTheLab | None:
    """Return how ``pytest -n 2 --dist loadscope`` shares the tests; any other way stays as it is."""
    return BesideTheLab(config, log) if config.getvalue("dist") == "loadscope" else None

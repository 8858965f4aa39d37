# SPDX-License-Identifier: GPL-3.0-or-later
"""What a key derivation costs here: strong, except where the tests say that they are tests."""

from __future__ import annotations

from django.conf import settings

from packmairie.portail.signalement.scellement.derivation import OF_A_CODE, STRONG, TRIAL, Cost


def cost() -> Cost:
    """Return the cost of new derivations from a password."""
    return TRIAL if _on_trial() else STRONG


def code_cost() -> Cost:
    """Return the cost of new derivations from an author's code; also that of the work done for an unknown number."""
    return TRIAL if _on_trial() else OF_A_CODE


def _on_trial() -> bool:
    return getattr(settings, "PORTAIL_COUT", "") == "essai"

# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling, weights, estimates and tests: pure functions, no Django, no I/O."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing: pure functions over bytes, without Django and without I/O."""

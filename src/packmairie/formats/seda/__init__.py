# SPDX-License-Identifier: GPL-3.0-or-later
"""SEDA 2.1, 2.2 and 2.3: the packages that a commune transfers to an archival system, and the replies that it gets."""

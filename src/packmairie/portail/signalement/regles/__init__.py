# SPDX-License-Identifier: GPL-3.0-or-later
"""What the law and the house decide, as data and pure functions: no database, no web."""

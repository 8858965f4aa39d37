# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts as accessible SVG, each with its table."""

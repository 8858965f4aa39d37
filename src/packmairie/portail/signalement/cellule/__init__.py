# SPDX-License-Identifier: GPL-3.0-or-later
"""What the members of a cell do: accounts, queue, reports, transmission, yearly bilan."""

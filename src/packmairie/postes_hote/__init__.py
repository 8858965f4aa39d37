# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on workstations that pull their state, and on the host that serves it; the standard library alone."""

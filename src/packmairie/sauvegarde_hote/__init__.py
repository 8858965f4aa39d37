# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a host to back it up. Standard library only: this folder is laid on the hosts as it is."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Debian hosts on this machine, to rehearse on. See `Lab`."""

from packmairie.lab.images import Layer
from packmairie.lab.laboratory import DEFAULT_HOSTS, Lab
from packmairie.lab.network import Network
from packmairie.lab.observation import HostStatus
from packmairie.lab.registrar import Delegation

__all__ = ["DEFAULT_HOSTS", "Delegation", "HostStatus", "Lab", "Layer", "Network"]

# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on the web host for public contracts: what is published is asked for each night, as a harvester would."""

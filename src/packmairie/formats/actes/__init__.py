# SPDX-License-Identifier: GPL-3.0-or-later
"""@CTES 1.1: acts sent to the control of legality, their envelopes, names, classification and acknowledgements."""

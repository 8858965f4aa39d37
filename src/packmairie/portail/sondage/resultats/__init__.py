# SPDX-License-Identifier: GPL-3.0-or-later
"""From answers to results: figures, sentences, files."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Essential data of public contracts: DECP 2.0.3 (139bercy/format-commande-publique, arrêtés du 22 décembre 2022)."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute with svy, independently, what tests/unit/data/sondage_oracle.json holds.

In an environment that has it (644 MB, so not in ours):
python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install svy==0.35.0
/tmp/oracle/bin/python scripts/sondage_oracle.py
"""

from __future__ import annotations

import json
import random
import sys
from importlib.metadata import version

import polars as pl
import svy

SEED = 20261124


def main() -> None:
    """Print the oracle's input and results as JSON."""
    chance = random.Random(SEED)
    groups = [
        {"label": [d, c], "population": n, "invited": i, "answers": r}
        for (d, c), n, i, r in (
            (("59", "petite"), 320, 60, 34), (("59", "moyenne"), 210, 40, 22), (("59", "grande"), 90, 30, 18),
            (("62", "petite"), 610, 110, 57), (("62", "moyenne"), 190, 36, 17), (("62", "grande"), 60, 24, 12),
        )
    ]  # fmt: skip
    rows = []
    for number, group in enumerate(groups):
        for _answer in range(group["answers"]):
            bad = 0.1 + 0.05 * number
            first = chance.choices(["oui", "non", "hors"], [bad, 0.9 - bad, 0.1])[0]
            second = first if chance.random() < 0.5 else chance.choices(["oui", "non"], [0.2, 0.8])[0]
            rows.append([number, first, second])
    frame = pl.DataFrame(
        {
            "group": [str(row[0]) for row in rows],
            "dep": [groups[row[0]]["label"][0] for row in rows],
            "size": [groups[row[0]]["label"][1] for row in rows],
            "n": [groups[row[0]]["population"] for row in rows],
            "w": [groups[row[0]]["population"] / groups[row[0]]["answers"] for row in rows],
            "base": [groups[row[0]]["population"] / groups[row[0]]["invited"] for row in rows],
            "inside": [float(row[1] != "hors") for row in rows],
            "bad": [float(row[1] == "oui") for row in rows],
            "difference": [
                float(row[1] == "oui") - float(row[2] == "oui") if "hors" not in row[1:] else 0.0 for row in rows
            ],
            "both": [float("hors" not in row[1:]) for row in rows],
        }
    )
    design = svy.Design(stratum="group", wgt="w", pop_size="n")
    sample = svy.Sample(frame, design)

    def mean(variable: str, domain: str) -> list[float]:
        found = sample.estimation.mean(variable, where=svy.col(domain) == 1.0)
        one = found.estimates[0]
        return [one.est, one.se]

    raked = svy.Sample(frame, svy.Design(stratum="group", wgt="base")).weighting.rake(
        controls={
            "dep": {d: sum(g["population"] for g in groups if g["label"][0] == d) for d in ("59", "62")},
            "size": {
                s: sum(g["population"] for g in groups if g["label"][1] == s) for s in ("petite", "moyenne", "grande")
            },
        },
        tol=1e-13, max_iter=1000, wgt_name="rk",
    )  # fmt: skip
    weights = dict(zip(raked.data["group"].to_list(), raked.data["rk"].to_list(), strict=True))
    json.dump(
        {
            "source": f"svy {version('svy')}",
            "groups": groups,
            "rows": [" ".join(map(str, row)) for row in rows],
            "share": mean("bad", "inside"),
            "difference": mean("difference", "both"),
            "raked": [weights[str(number)] for number in range(len(groups))],
        },
        sys.stdout,
        indent=1,
    )


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as JSON, for machines: everything, in stable order."""

from __future__ import annotations

import json

from packmairie.model.change import Plan


def render_plan_json(plan: Plan) -> str:
    """Given a plan, return its JSON object (UTF-8, one final line break)."""
    return json.dumps(plan.as_dict(), ensure_ascii=False, indent=2) + "\n"

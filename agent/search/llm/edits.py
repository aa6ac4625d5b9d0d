"""Wider bounds that a planner LLM asks for: their form in a reply, and what of it can be handed to the rule.

Only the form is checked here; whether a bound moves is decided by `agent/search/space_edits.py`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from agent.llm.reply_json import object_schema
from agent.search.llm.text import safe_line
from agent.search.space_edits import SpaceEdit
from trainers.space import CategoricalParameter, Space
from trainers.spec import Scalar

MAX_ASKED = 2
"""Edits that are read of one reply."""


def bounded(space: Space) -> tuple[str, ...]:
    """The free hyperparameters that have bounds, in order."""
    return tuple(name for name in space.free if not isinstance(space.parameters[name], CategoricalParameter))


def edits_schema(names: Sequence[str], max_why: int) -> dict[str, Any]:
    """JSON schema of the edits of `names`: an array, mostly empty."""
    properties = {
        "why": {"type": "string", "maxLength": max_why},
        "parameter": {"type": "string", "enum": list(names)},
        "low": {"type": ["number", "null"]},
        "high": {"type": ["number", "null"]},
    }
    return {"type": "array", "items": object_schema(properties), "maxItems": MAX_ASKED}


def edits_of(space: Space, items: Sequence[Mapping[str, Scalar | None]], problems: list[str]) -> tuple[SpaceEdit, ...]:
    """The edits of a reply that the rule can judge, each once; why the others cannot be used goes to `problems`."""
    edits: list[SpaceEdit] = []
    for fields in items[:MAX_ASKED]:
        try:
            edit = _edit(space, fields)
        except ValueError as error:
            problems.append(safe_line(f"edit: {error}"))
            continue
        if all((edit.parameter, edit.low, edit.high) != (e.parameter, e.low, e.high) for e in edits):
            edits.append(edit)
    problems += [f"edit: at most {MAX_ASKED} are read of a reply"] * len(items[MAX_ASKED:])
    return tuple(edits)


def _edit(space: Space, fields: Mapping[str, Scalar | None]) -> SpaceEdit:
    name = fields.get("parameter")
    if not isinstance(name, str) or name not in bounded(space):
        raise ValueError(f"{str(name)[:40]!r} has no bounds that could be moved")
    unknown = sorted(set(fields) - {"parameter", "low", "high", "why"})
    if unknown:
        raise ValueError(f"unknown {', '.join(unknown)[:100]}")
    low, high = _number(fields.get("low")), _number(fields.get("high"))
    if (low is None) == (high is None):
        raise ValueError(f"{name} needs one of low and high")
    return SpaceEdit(parameter=name, low=low, high=high, why=safe_line(str(fields.get("why") or "")))


def _number(value: Scalar | None) -> float | None:
    if value is None:
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"a bound must be a number, got {str(value)[:40]!r}")
    return number

"""Moving a bound of the search space outwards: asked for by the planner LLM or the rule itself, granted by rule only.

The plan and its hash stay as approved; granted edits are events (`SPACE_WIDENED`), and the space that is searched is
the plan's with those events applied, so a resumed study searches the same one.
"""

import math
from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

from pydantic import Field

from agent.study.nouns import EventKind, History, StudyEvent
from trainers.priors import RULES
from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Space, rounded, unit
from trainers.spec import Closed

MAX_EDITS = 2
"""Times a study's space may be widened."""

MAX_FACTOR, MAX_RANGE_SHARE = 4.0, 0.5
"""How far a bound may move: by this factor on a log scale, by this share of the range on a linear one."""

TOP, MIN_AT_BOUND, NEAR = 5, 3, 0.05
"""At least so many of the best `TOP` configurations must lie within `NEAR` of the range from the bound
(docs/traps.md)."""

COSTLY = frozenset({"lora_rank", "batch_size", "epochs", "target_modules"})
"""Hyperparameters that decide what a trial costs: time, memory and adapter size were approved with the plan."""


class SpaceEdit(Closed):
    """A wish to search further: a new lower or upper bound of one hyperparameter, one of the two."""

    parameter: str
    low: float | None = None
    high: float | None = None
    why: str = ""
    by: str = Field("llm", description="who asks: llm or rule")


@runtime_checkable
class SuggestsEdits(Protocol):
    """A proposer that may ask for edits of its space; the loop asks after each round of proposals."""

    def space_edits(self) -> Sequence[SpaceEdit]:
        """Edits asked for since the last call."""


def accept_edit(space: Space, edit: SpaceEdit) -> Space:
    """`space` with an edit that `refusal` lets through; a bound asked for further out than allowed goes as far as is
    allowed."""
    parameter = space.parameters[edit.parameter]
    assert not isinstance(parameter, CategoricalParameter)  # which is refused
    bound = _bound(parameter, edit)
    return _with_bounds(space, edit.parameter, {"low": bound} if edit.high is None else {"high": bound})


def refusal(
    space: Space, history: History, edit: SpaceEdit, *, users: Collection[str] = (), n_before: int = 0
) -> str | None:
    """The rule that the edit breaks, in words; None where it may be carried out.

    `users`: hyperparameters that the user set, which nothing widens. `n_before`: edits granted so far.
    """
    name = edit.parameter
    parameter = space.parameters.get(name)
    if parameter is None:
        return f"unknown hyperparameter {name!r}"
    if isinstance(parameter, CategoricalParameter) or parameter.low == parameter.high:
        return f"{name} has no bounds that could be widened"
    if name in users:
        return f"the user set {name}"
    if name in COSTLY:
        return f"{name} decides what a trial costs, which was approved with the plan"
    if n_before >= MAX_EDITS:
        return f"the space was widened {n_before} times already"
    if (edit.low is None) == (edit.high is None):
        return "exactly one of low and high must be given"
    up = edit.high is not None
    if (edit.high or 0.0) <= parameter.high if up else (edit.low or 0.0) >= parameter.low:
        return f"{name} would not become wider than {parameter.low:g} to {parameter.high:g}"
    close = _n_at_bound(parameter, name, history, up)
    if close < MIN_AT_BOUND:
        side = "upper" if up else "lower"
        return f"{close} of the best {TOP} configurations lie at the {side} bound of {name}, fewer than {MIN_AT_BOUND}"
    bound = _bound(parameter, edit)
    if bound in (parameter.low, parameter.high):
        return f"{name} cannot be moved by a whole step"
    holds, rule = RULES.get(name, (lambda value: False, "has no known limits"))
    return None if holds(bound) else f"{name} {rule}, {bound:g} is not"


def own_edit(space: Space, history: History, *, users: Collection[str] = (), n_before: int = 0) -> SpaceEdit | None:
    """What the rule asks for by itself: a bound at which all of the best `TOP` configurations lie; None mostly."""
    for name, parameter in space.parameters.items():
        if isinstance(parameter, CategoricalParameter):
            continue
        for up in (True, False):
            if _n_at_bound(parameter, name, history, up) < TOP:
                continue
            why = f"all of the best {TOP} configurations lie at its {'upper' if up else 'lower'} bound"
            bound = _furthest(parameter, up)
            edit = SpaceEdit(parameter=name, low=None if up else bound, high=bound if up else None, why=why, by="rule")
            if refusal(space, history, edit, users=users, n_before=n_before) is None:
                return edit
    return None


def _n_at_bound(parameter: FloatParameter | IntParameter, name: str, history: History, up: bool) -> int:
    """How many of the best `TOP` configurations lie within `NEAR` of the range from the bound; 0 with fewer scored."""
    best = history.ranked[:TOP]
    values = [t.config[name] for t in best if name in t.config and not isinstance(t.config[name], (bool, str))]
    places = [unit(parameter, value) for value in values]
    return sum(place >= 1.0 - NEAR if up else place <= NEAR for place in places) if len(best) == TOP else 0


def widened_space(space: Space, events: Sequence[StudyEvent]) -> Space:
    """The space that is searched now: the plan's, with the granted edits among `events` applied in order."""
    for event in events:
        if event.kind is EventKind.SPACE_WIDENED:
            space = _with_bounds(space, event.data["parameter"], {"low": event.data["low"], "high": event.data["high"]})
    return space


def _with_bounds(space: Space, name: str, bounds: dict[str, float]) -> Space:
    wider = space.parameters[name].model_copy(update=bounds)
    return space.model_copy(update={"parameters": space.parameters | {name: wider}})


def _bound(parameter: FloatParameter | IntParameter, edit: SpaceEdit) -> float:
    """The bound that is asked for, no further out than allowed."""
    up = edit.high is not None
    furthest = _furthest(parameter, up)
    bound = edit.high if edit.high is not None else edit.low
    assert bound is not None
    allowed = min(bound, furthest) if up else max(bound, furthest)
    if isinstance(parameter, IntParameter):
        return math.floor(allowed) if up else math.ceil(allowed)
    return rounded(allowed)


def _furthest(parameter: FloatParameter | IntParameter, up: bool) -> float:
    low, high = float(parameter.low), float(parameter.high)
    if parameter.log:
        return high * MAX_FACTOR if up else low / MAX_FACTOR
    step = MAX_RANGE_SHARE * (high - low)
    return high + step if up else low - step

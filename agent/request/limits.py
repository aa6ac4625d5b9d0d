"""Which numbers a field can take at all. A stated value outside is shown as rejected, never silently changed."""

from collections.abc import Callable
from typing import NamedTuple

from trainers.priors import RULES
from trainers.spec import Choices, Metric, Range

_INF = float("inf")
_SHARE = "a target for {} must be between 0 and 1, or a percentage such as 90 %"


class Limit(NamedTuple):
    """A rule that numbers keep or break, and what to do about one that breaks it."""

    holds: Callable[[float], bool]
    rule: str
    hint: str = "Correct it, or leave it out for the default."


def _whole(low: int, high: int, hint: str, of: str = "") -> Limit:
    rule = f"must be a whole number{of} between {low:,} and {high:,}"
    return Limit(lambda v: low <= v <= high and float(v).is_integer(), rule, hint)


_POSITIVE = Limit(lambda v: 0 < v < _INF, "must be above 0")
LIMITS = {
    "budget.trials": _whole(1, 10_000, "Give a number such as 12."),
    "budget.seconds": _POSITIVE._replace(hint="Give a time such as 30 minutes."),
    "budget.llm_usd": Limit(lambda v: 0 <= v < _INF, "must be 0 or more", "Give an amount such as $2."),
    "budget.parallel_trials": _whole(1, 1024, "Give a number such as 1."),
    "seed": _whole(0, 2**31 - 1, "Give a number such as 0."),
    "constraints.max_vram_gb": _POSITIVE,
    "constraints.max_adapter_mb": _POSITIVE,
    "constraints.max_seq_length": _whole(8, 1_048_576, "Give a length such as 512.", of=" of tokens"),
    **{f"search.{name}": Limit(holds, rule) for name, (holds, rule) in RULES.items()},
}


def problem(name: str, value: object, metric: object = None) -> str | None:
    """The rule that `value` of field `name` breaks, or None. A target is judged by the metric it belongs to."""
    limit = LIMITS.get(name)
    if name == "objective.target" and metric not in (Metric.EVAL_LOSS, Metric.PERPLEXITY):
        limit = Limit(lambda v: 0 <= v <= 1, _SHARE.format(metric or "this metric"))
    return limit.rule if limit and not all(map(limit.holds, _numbers(value))) else None


def _numbers(value: object) -> list[float]:
    if isinstance(value, Range):
        return [value.low, value.high]
    values = value.choices if isinstance(value, Choices) else (value,)
    return [number for number in values if isinstance(number, int | float)]

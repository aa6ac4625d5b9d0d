"""Which values a field can take at all. A stated value outside is shown as rejected, never silently changed."""

from typing import NamedTuple

from trainers.spec import Choices, Metric, Range


class Limit(NamedTuple):
    """Numbers from `low` to `high`; `strict` leaves out the ends."""

    rule: str
    low: float = 0
    high: float = float("inf")
    whole: bool = False
    strict: bool = False

    def allows(self, number: float) -> bool:
        """Whether one number is inside."""
        inside = self.low < number < self.high if self.strict else self.low <= number <= self.high
        return inside and (not self.whole or float(number).is_integer())


def _whole(low: int, high: int, of: str = "") -> Limit:
    return Limit(f"must be a whole number{of} from {low} to {high}", low, high, whole=True)


_POSITIVE = Limit("must be above 0", strict=True)
_SHARE = Limit("must be between 0 and 1", 0, 1)
LIMITS: dict[str, Limit] = {
    "budget.trials": _whole(1, 10_000),
    "budget.seconds": _POSITIVE,
    "budget.llm_usd": Limit("must not be negative"),
    "budget.parallel_trials": _whole(1, 1024),
    "constraints.max_vram_gb": _POSITIVE,
    "constraints.max_adapter_mb": _POSITIVE,
    "constraints.max_seq_length": _whole(8, 1_048_576, " of tokens"),
    "seed": _whole(0, 2**31 - 1),
    "search.learning_rate": Limit("must be between 0 and 1", 0, 1, strict=True),
    "search.lora_rank": _whole(1, 4096),
    "search.lora_alpha": _POSITIVE,
    "search.lora_dropout": Limit("must be at least 0 and below 1", 0, 0.999),
    "search.batch_size": _whole(1, 1_000_000),
    "search.epochs": _POSITIVE,
    "search.weight_decay": _SHARE,
    "search.warmup_ratio": _SHARE,
    "search.max_grad_norm": _POSITIVE,
    "search.beta": _POSITIVE,
    "search.label_smoothing": Limit("must be at least 0 and below 0.5", 0, 0.5),
}


def problem(name: str, value: object, metric: object = None) -> str | None:
    """The rule that `value` of field `name` breaks, or None. A target is judged by the metric it belongs to."""
    limit = LIMITS.get(name)
    if name == "objective.target" and metric not in (Metric.EVAL_LOSS, Metric.PERPLEXITY):
        share = f"a target for {metric or 'this metric'} must be between 0 and 1, or a percentage such as 90 %"
        limit = Limit(share, 0, 1)
    return limit.rule if limit and not all(limit.allows(number) for number in _numbers(value)) else None


def _numbers(value: object) -> list[float]:
    if isinstance(value, Range):
        return [value.low, value.high]
    values = value.choices if isinstance(value, Choices) else (value,)
    return [number for number in values if isinstance(number, int | float)]

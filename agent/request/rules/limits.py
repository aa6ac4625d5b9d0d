"""Which values a field can take at all. A stated value outside is shown as rejected, never silently changed."""

from dataclasses import dataclass

from trainers.spec import Choices, Metric, Range


@dataclass(frozen=True)
class Limit:
    """Numbers from `low` to `high`; `strict` leaves out the ends."""

    low: float
    high: float
    rule: str
    whole: bool = False
    strict: bool = False

    def allows(self, number: float) -> bool:
        """Whether one number is inside."""
        inside = self.low < number < self.high if self.strict else self.low <= number <= self.high
        return inside and (not self.whole or float(number).is_integer())


_POSITIVE = Limit(0, float("inf"), "must be above 0", strict=True)
_SHARE = Limit(0, 1, "must be between 0 and 1")
LIMITS: dict[str, Limit] = {
    "budget.trials": Limit(1, 10_000, "must be a whole number from 1 to 10000", whole=True),
    "budget.seconds": _POSITIVE,
    "budget.llm_usd": Limit(0, float("inf"), "must not be negative"),
    "budget.parallel_trials": Limit(1, 1024, "must be a whole number from 1 to 1024", whole=True),
    "constraints.max_vram_gb": _POSITIVE,
    "constraints.max_adapter_mb": _POSITIVE,
    "constraints.max_seq_length": Limit(8, 1_048_576, "must be a whole number of tokens from 8 to 1048576", whole=True),
    "seed": Limit(0, 2**31 - 1, "must be a whole number from 0 to 2147483647", whole=True),
    "search.learning_rate": Limit(0, 1, "must be between 0 and 1", strict=True),
    "search.lora_rank": Limit(1, 4096, "must be a whole number from 1 to 4096", whole=True),
    "search.lora_alpha": _POSITIVE,
    "search.lora_dropout": Limit(0, 0.999, "must be at least 0 and below 1"),
    "search.batch_size": Limit(1, 1_000_000, "must be a whole number from 1 to 1000000", whole=True),
    "search.epochs": _POSITIVE,
    "search.weight_decay": _SHARE,
    "search.warmup_ratio": _SHARE,
    "search.max_grad_norm": _POSITIVE,
    "search.beta": _POSITIVE,
    "search.label_smoothing": Limit(0, 0.5, "must be at least 0 and below 0.5"),
}


def problem(name: str, value: object, metric: object = None) -> str | None:
    """The rule that `value` of field `name` breaks, or None. A target is judged by the metric it belongs to."""
    limit = LIMITS.get(name)
    if name == "objective.target" and metric not in (Metric.EVAL_LOSS, Metric.PERPLEXITY):
        share = f"a target for {metric or 'this metric'} must be between 0 and 1, or a percentage such as 90 %"
        limit = Limit(0, 1, share)
    if limit is None:
        return None
    return None if all(limit.allows(number) for number in _numbers(value)) else limit.rule


def _numbers(value: object) -> list[float]:
    if isinstance(value, Range):
        return [value.low, value.high]
    if isinstance(value, Choices):
        return [choice for choice in value.choices if isinstance(choice, (int, float))]
    return [value] if isinstance(value, (int, float)) else []

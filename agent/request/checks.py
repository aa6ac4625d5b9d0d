"""Rules that a request's values must keep whatever the data: each break is an error with rule, value and next step.

A stated number that its field can never take is shown as rejected, never silently changed.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from agent.request.working import Working
from tools.machine import Machine
from tools.paths import confined
from trainers.priors import RULES
from trainers.spec import TERMS, Adapter, Choices, Loss, Metric, Range

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


def check_numbers(work: Working) -> None:
    """Budget and seed must lie in their ranges; constraints and hyperparameters are checked where they are used."""
    for field, limit in LIMITS.items():
        value = work.get(field) if field.startswith(("budget.", "seed")) else None
        if value is not None and not limit.holds(value):
            got = value if isinstance(value, int) else f"{value:g}"
            work.reject(field, f"{limit.rule}, got {got}.", limit.hint)


def check_paths(work: Working, roots: tuple[Path, ...]) -> None:
    """The output directory must lie inside the roots, no file in its way; data paths are checked on reading."""
    name = work.get("output.dir")
    if name is None:
        return
    with work.recording():
        path = confined("output.dir", name, roots)
        in_the_way = next((p for p in (path, *path.parents) if p.exists()), None)
        if in_the_way is not None and not in_the_way.is_dir():
            work.reject("output.dir", f"must be a directory, and {in_the_way} is a file.", "Name another directory.")


def check_method(work: Working, machine: Machine) -> None:
    """Loss and adapter must fit task and machine."""
    task, loss = work.get("task"), work.get("loss")
    if loss is not None and task is not None and loss not in TERMS[task].losses:
        owner = next(owner for owner, terms in TERMS.items() if loss in terms.losses)
        rule = f"the loss {loss} is for {owner} tuning, and the task is {task}."
        work.reject("loss", rule, f"Leave the loss out, or ask for {owner} tuning.")
    if loss is Loss.KTO and 1 in _numbers(work.get("search.batch_size")):
        rule = "kto compares each answer with others of its batch, so a batch has at least 2 rows, got 1."
        work.reject("search.batch_size", rule, "Give 2 or more, or choose another loss.")
    if work.get("adapter") is not Adapter.QLORA:
        return
    if machine.device != "cuda":
        rule = f"qlora needs a CUDA GPU, and this machine has {machine.summary}."
        work.lack("adapter", rule, "Use lora, or plan on a machine with one.")
    elif find_spec("bitsandbytes") is None:
        rule = "qlora needs the package bitsandbytes, which is not installed."
        work.lack("adapter", rule, "Install tunewright[qlora], or use lora.")


def check_objective(work: Working) -> None:
    """The metric must belong to the task, be computable here and improve in the direction asked for."""
    task, metric = work.get("task"), work.get("objective.metric")
    if metric is Metric.WIN_RATE and (task is None or metric in TERMS[task].metrics):
        rule = "win_rate needs a judge model, which is not available in this version."
        work.lack("objective.metric", rule, "Use reward_accuracy.")
    elif metric is not None and task is not None and metric not in TERMS[task].metrics:
        metrics = ", ".join(m for m in TERMS[task].metrics if m is not Metric.WIN_RATE)
        rule = f"must be one of {metrics} for {task}, got {metric}."
        work.reject("objective.metric", rule, f"Use {TERMS[task].metrics[0]}.")
    metric, direction = work.get("objective.metric"), work.get("objective.direction")
    if metric is not None and direction is not None and direction is not metric.direction:
        work.ask(
            "objective.direction",
            f"A better {metric} is a {'higher' if metric.direction == 'maximize' else 'lower'} one, but the request "
            f"says {direction}. Which is meant?",
            metric.direction,
        )


def check_target(work: Working) -> None:
    """A target must be a value that the metric can take."""
    metric, target = work.get("objective.metric"), work.get("objective.target")
    if metric is None or target is None:
        return
    if metric is Metric.PERPLEXITY and target < 1:
        work.reject("objective.target", f"must be 1 or more for perplexity, got {target:g}.", "Give one such as 8.")
    elif metric is Metric.EVAL_LOSS and target < 0:
        work.reject("objective.target", f"must be 0 or more for eval_loss, got {target:g}.", "Give one such as 1.5.")
    elif metric not in (Metric.PERPLEXITY, Metric.EVAL_LOSS) and not 0 <= target <= 1:
        near = f"Did you mean {target / 100:g}?" if 2 <= target <= 100 else "Give a share such as 0.9."
        work.reject("objective.target", f"must be between 0 and 1 for {metric}, got {target:g}.", near)

"""Rules that a request's values must keep whatever the data: each break is an error with rule, value and next step."""

from importlib.util import find_spec
from pathlib import Path

from agent.request.limits import LIMITS
from agent.request.working import Working
from tools.machine import Machine
from tools.paths import confined
from trainers.errors import InputError
from trainers.spec import TERMS, Adapter, Metric


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
    try:
        path = confined("output.dir", name, roots)
    except InputError as error:
        work.fail(error)
        return
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

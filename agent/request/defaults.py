"""What is used where the request says nothing, each with its reason."""

from pathlib import Path
from typing import TYPE_CHECKING

from agent.request.working import Working
from tools.base_model import NOT_CAUSAL, BaseModelFacts, find_base_model, full_name
from tools.data.columns import Undecided
from tools.data.detect import detect_columns
from tools.data.load_data import FORMATS, load_table
from trainers.embedded import MINILM, TINY_CAUSAL
from trainers.errors import InputError
from trainers.spec import TASK_METRICS, Adapter, Columns, Loss, Metric, Task

if TYPE_CHECKING:
    from tools.data.profile_data import Profiled

DEFAULT_TRIALS = 12
DEFAULT_CAUSAL = "Qwen/Qwen3-0.6B"
LENGTH_GAP = 0.15
"""From this relative difference between chosen and rejected lengths on, DPO is length-normalised by default: plain
DPO then learns the length (Tulu 3's length-normalised DPO, arXiv 2411.15124)."""

_SAYS_TASK = (
    (Task.PREFERENCE, ("loss", "data.columns.chosen", "data.columns.rejected", "search.beta", "search.simpo_gamma")),
    (Task.CLASSIFICATION, ("data.columns.label", "search.head_lr_ratio")),
    (Task.SFT, ("data.columns.completion", "data.columns.messages")),
)
"""Fields that only one task has."""

_METRIC_TASK = {
    Metric.F1_MACRO: Task.CLASSIFICATION,
    Metric.F1_WEIGHTED: Task.CLASSIFICATION,
    Metric.REWARD_ACCURACY: Task.PREFERENCE,
    Metric.WIN_RATE: Task.PREFERENCE,
    Metric.PERPLEXITY: Task.SFT,
    Metric.EXACT_MATCH: Task.SFT,
    Metric.ROUGE_L: Task.SFT,
    Metric.BLEU: Task.SFT,
}


def choose_task(work: Working, roots: tuple[Path, ...]) -> None:
    """The task from what only one task has, else from the data's columns; a question where neither says it.

    Asks for the data where none is named: without it nothing else is worth asking.
    """
    for task, fields in _SAYS_TASK:
        found = next((name for name in fields if name in work.values), None)
        if found:
            work.infer("task", task, f"only {task} has {found}")
    metric = work.get("objective.metric")
    work.infer("task", _METRIC_TASK.get(metric) if metric else None, f"{metric} is a metric of this task")
    name = work.get("data.train")
    if name is None:
        if not any(error.param == "data.train" for error in work.errors):
            question = "Which file or hub data set holds the training rows?"
            work.ask("data.train", question, _data_file_in(roots[0]) or "stdlib:docstrings")
        return
    if work.get("task") is not None:
        return
    given = Columns.model_validate({role: work.get(f"data.columns.{role}") for role in Columns.model_fields})
    try:
        detected = detect_columns(load_table(name, "data.train", roots, seed=work.get("seed") or 0), None, given)
        work.infer("task", detected.task, detected.evidence.get("task", "from the data's columns"))
    except Undecided as undecided:
        work.ask(undecided.field, undecided.question, undecided.suggestion)
    except InputError as error:
        error.code = "missing_data" if error.code == "missing_file" else error.code
        work.fail(error)


def _data_file_in(directory: Path) -> str | None:
    """The only data file of a directory, if there is just one: a proposal, never taken without an answer."""
    files = [p.name for p in directory.iterdir() if p.suffix in FORMATS and p.is_file()] if directory.is_dir() else []
    return files[0] if len(files) == 1 else None


def choose_metric(work: Working) -> None:
    """The task's first metric, or its first one in the direction asked for."""
    task, direction = work.get("task"), work.get("objective.direction")
    if task is None and work.get("objective.metric") is None:
        return
    if work.get("objective.metric") is None and direction is not None:
        fitting = next((m for m in TASK_METRICS[task] if m.direction is direction), None)
        if fitting is not TASK_METRICS[task][0]:
            work.infer("objective.metric", fitting, f"the first metric of {task} to {direction}")
    if task is not None:
        work.default("objective.metric", TASK_METRICS[task][0], f"the usual metric of {task}")
    metric = work.get("objective.metric")
    if work.provenance["objective.metric"].source == "user":
        work.infer(
            "objective.direction",
            metric.direction,
            f"a better {metric} is a {'higher' if metric.direction == 'maximize' else 'lower'} one",
        )
    work.default("objective.direction", metric.direction, f"the direction in which {metric} improves")


def choose_base(work: Working, roots: tuple[Path, ...]) -> BaseModelFacts | None:
    """The base model that is named or, by task, the default one; None with an error in `work` where it has none."""
    named, task = work.get("base_model"), work.get("task")
    if named is None and task is None:
        return None
    if named is None:
        return _default_base(work, roots)
    try:
        base = find_base_model(named, roots=roots)
    except InputError as error:
        work.fail(error)
        return None
    if base.name != named:
        known = work.provenance["base_model"]
        work.values["base_model"] = base.name
        work.provenance["base_model"] = known.model_copy(update={"reason": f"{named} is short for {base.name}"})
    if base.model_type in NOT_CAUSAL and task in (Task.SFT, Task.PREFERENCE):
        rule = f"{task} needs a model that continues texts, and {base.name} ({base.model_type}) does not."
        work.lack("base_model", rule, f"Use a causal language model such as {DEFAULT_CAUSAL}.", "not_causal")
    if base.name == TINY_CAUSAL:
        work.notes.append(_TOY)
    return base


_TOY = f"{TINY_CAUSAL} is a toy with random weights, built here: it only shows the loop, its adapter is of no use."


def _default_base(work: Working, roots: tuple[Path, ...]) -> BaseModelFacts | None:
    embedded_data = str(work.get("data.train")).startswith("stdlib:")
    try:
        if work.get("task") is Task.CLASSIFICATION:
            work.default("base_model", MINILM, "small, and good at short texts")
            return find_base_model(MINILM, roots=roots)
        if not embedded_data:
            base, problem = _found(DEFAULT_CAUSAL, roots)
            if base is not None:
                work.default("base_model", DEFAULT_CAUSAL, "small and openly licensed")
                return base
            work.default("base_model", TINY_CAUSAL, f"{DEFAULT_CAUSAL} cannot be had ({problem}); only shows the loop")
        else:
            work.default("base_model", TINY_CAUSAL, "goes with the embedded data; only shows the loop")
        work.notes.append(_TOY)
        return find_base_model(TINY_CAUSAL, roots=roots)
    except InputError as error:
        work.fail(error)
        return None


def _found(name: str, roots: tuple[Path, ...]) -> tuple[BaseModelFacts | None, str]:
    try:
        return find_base_model(name, roots=roots), ""
    except InputError as error:
        return None, "no connection to the hub" if error.code == "hub_offline" else error.rule


def choose_loss(work: Working, profiled: "Profiled | None") -> None:
    """Plain DPO, or length-normalised DPO where the chosen and rejected answers differ in length."""
    if work.get("task") is not Task.PREFERENCE:
        return
    gap = _length_gap(profiled) if profiled else 0.0
    if abs(gap) > LENGTH_GAP:
        longer = "longer" if gap > 0 else "shorter"
        work.infer(
            "loss", Loss.SIGMOID_NORM, f"chosen answers are {abs(gap):.0%} {longer} than rejected ones on average"
        )
    work.default("loss", Loss.SIGMOID, "plain DPO")


def _length_gap(profiled: "Profiled") -> float:
    """Mean words of chosen over mean words of rejected training answers, minus 1."""
    chosen = rejected = 0
    for row in profiled.rows["train"]:
        chosen += _words(row["chosen"])
        rejected += _words(row["rejected"])
    return chosen / max(1, rejected) - 1


def _words(answer: object) -> int:
    if isinstance(answer, list):  # turns of a conversation
        return sum(_words(turn.get("content")) for turn in answer if isinstance(turn, dict))
    return len(str(answer).split())


def choose_rest(work: Working, profiled: "Profiled | None") -> None:
    """Defaults that depend on little else."""
    work.default("adapter", Adapter.LORA, "small, and as good as full fine-tuning at this scale")
    work.default("budget.trials", DEFAULT_TRIALS, f"{DEFAULT_TRIALS} trials unless you say otherwise")
    work.default("budget.parallel_trials", 1, "one trial at a time")
    work.default("seed", 0, "fixed, so that the study can be repeated")
    work.default("output.merge", False, "the adapter is kept apart from the base model")
    if work.get("base_model") is not None:
        work.values["base_model"] = full_name(work.get("base_model"))

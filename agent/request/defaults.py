"""What is used where the request says nothing, each with its reason."""

from pathlib import Path

from agent.request.tasks import TASKS, own_fields
from agent.request.working import Working
from tools.base_model import NOT_CAUSAL, BaseModelFacts, find_base_model, full_name
from tools.data.detect import detect_columns
from tools.data.load_data import FORMATS, load_table
from trainers.embedded import MINILM, TINY_CAUSAL
from trainers.errors import InputError
from trainers.spec import TERMS, Adapter, Columns
from trainers.tasks import TASKS as TRAINED

DEFAULT_TRIALS = 12
DEFAULT_CAUSAL = "Qwen/Qwen3-0.6B"

TOY = f"{TINY_CAUSAL} is a toy with random weights, built here: it only shows the loop, its adapter is of no use."
"""Told wherever its adapter is, so that nobody takes it for a model."""


def choose_task(work: Working, roots: tuple[Path, ...]) -> None:
    """The task from what only one task has, else from the data's columns; a question where neither says it.

    Asks for the data where none is named: without it nothing else is worth asking.
    """
    for task in TASKS:
        if own := next((name for name in own_fields(task) if name in work.values), None):
            work.infer("task", task, f"only {task} has {own}")
    metric = work.get("objective.metric")
    of_metric = [task for task, terms in TERMS.items() if metric in terms.metrics]
    work.infer("task", of_metric[0] if len(of_metric) == 1 else None, f"{metric} is a metric of this task")
    name = work.get("data.train")
    if name is None:
        if not any(error.param == "data.train" for error in work.errors):
            question = "Which file or hub data set holds the training rows?"
            work.ask("data.train", question, _data_file_in(roots[0]) or "stdlib:docstrings")
        return
    if work.get("task") is not None:
        return
    columns = Columns.model_validate({role: work.get(f"data.columns.{role}") for role in Columns.model_fields})
    with work.recording():
        detected = detect_columns(load_table(name, "data.train", roots, seed=work.get("seed") or 0), None, columns)
        work.infer("task", detected.task, detected.evidence.get("task", "from the data's columns"))


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
        fitting = next((m for m in TERMS[task].metrics if m.direction is direction), None)
        if fitting is not TERMS[task].metrics[0]:
            work.infer("objective.metric", fitting, f"the first metric of {task} to {direction}")
    if task is not None:
        work.default("objective.metric", TERMS[task].metrics[0], f"the usual metric of {task}")
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
    name, task = work.get("base_model"), work.get("task")
    if name is None and task is None:
        return None
    base: BaseModelFacts | None = None
    with work.recording():
        base = find_base_model(name, roots=roots) if name is not None else _default_base(work, roots)
    if base is None:
        return None
    if name is not None and base.name != name:
        provenance = work.provenance["base_model"]
        work.values["base_model"] = base.name
        work.provenance["base_model"] = provenance.model_copy(update={"reason": f"{name} is short for {base.name}"})
    if base.model_type in NOT_CAUSAL and task is not None and TRAINED[task].language_model:
        rule = f"{task} needs a model that continues texts, and {base.name} ({base.model_type}) does not."
        work.lack("base_model", rule, f"Use a causal language model such as {DEFAULT_CAUSAL}.", "not_causal")
    if base.name == TINY_CAUSAL:
        work.notes.append(TOY)
    return base


def _default_base(work: Working, roots: tuple[Path, ...]) -> BaseModelFacts:
    """The task's usual model; a toy for language models where the hub cannot be reached. Raises InputError."""
    if not TRAINED[work.get("task")].language_model:
        name, reason = MINILM, "small, and good at short texts"
    elif str(work.get("data.train")).startswith("stdlib:"):
        name, reason = TINY_CAUSAL, "goes with the embedded data; only shows the loop"
    else:
        try:
            base = find_base_model(DEFAULT_CAUSAL, roots=roots)
        except InputError as error:
            problem = "no connection to the hub" if error.code == "hub_offline" else error.rule
            name, reason = TINY_CAUSAL, f"{DEFAULT_CAUSAL} cannot be had ({problem}); only shows the loop"
        else:
            work.default("base_model", DEFAULT_CAUSAL, "small and openly licensed")
            return base
    work.default("base_model", name, reason)
    return find_base_model(name, roots=roots)


def choose_rest(work: Working) -> None:
    """Defaults that depend on little else."""
    work.default("adapter", Adapter.LORA, "small, and as good as full fine-tuning at this scale")
    work.default("budget.trials", DEFAULT_TRIALS, f"{DEFAULT_TRIALS} trials unless you say otherwise")
    work.default("budget.parallel_trials", 1, "one trial at a time")
    work.default("seed", 0, "fixed, so that the study can be repeated")
    work.default("output.merge", False, "the adapter is kept apart from the base model")
    if work.get("base_model") is not None:
        work.values["base_model"] = full_name(work.get("base_model"))

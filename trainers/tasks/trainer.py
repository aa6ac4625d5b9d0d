"""What a task gives to training: everything that the folder `trainers/` needs to know of it.

The modules of the tasks write default ranges with the functions at the end, each with its source beside it.
Sources: TML = "LoRA Without Regret" (Thinking Machines 2025); MSL = microsoft/LoRA example scripts for GLUE;
PEFT = peft method_comparison/MetaMathQA; TRL = trl 1.16 docs, paper index; HB = alignment-handbook recipes;
SimPO = princeton-nlp/SimPO README; Tulu3 = arXiv 2411.15124. Defaults are theirs, not tuned on our demo data.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainers.data import Coding
from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Parameter, rounded
from trainers.spec import Closed, Loss, Scalar, TaskSpec

if TYPE_CHECKING:
    from trainers.run import Job, Run


SMALL_DATA, LARGE_DATA = 10_000, 50_000
"""Rows below which smaller ranks suffice (TML: capacity), and above which one epoch is the rule."""


@dataclass(frozen=True)
class StudyFacts:
    """What default ranges depend on. `hidden_size` and `parameters` are those of the base model; None: unknown."""

    spec: TaskSpec
    hidden_size: int | None
    parameters: int | None
    n_train_rows: int
    embedded: bool
    """Trials must be short enough for a laptop."""


class Setting(Closed):
    """Changes to the default configuration, and who published them."""

    set: dict[str, Scalar]
    times: dict[str, float] = {}
    source: str


@dataclass(frozen=True, kw_only=True)
class TaskTrainer(Coding):
    """How models of one task are trained. Its module is importable without torch; `train` may load anything."""

    space: Callable[[StudyFacts], Mapping[str, Parameter]]
    """The default range of each hyperparameter of the task, LoRA's included, each with its source."""
    settings: Mapping[Loss | None, tuple[Setting, ...]]
    """Published configurations by loss (None: the study names none), tried right after the default, best first."""
    train: Callable[["Job"], "Run"]
    """Fits the weights that the job names. Raises AttemptFailed for a run that is lost."""
    language_model: bool = True
    """Works with the base's own output layer; False: with a new head on its backbone."""
    sequences: int = 1
    """Sequences of a row that go through the model."""
    loss_parameters: tuple[str, ...] = ()
    """Hyperparameters that are part of the loss: where one is searched, losses of trials do not compare."""
    grouped: bool = False
    """Rows of a batch are of like length, so that padding costs next to nothing; for estimates."""


def published(module: str) -> dict[Loss | None, tuple[Setting, ...]]:
    """`TaskTrainer.settings` from the `.toml` beside a task's module; "any" there stands for None."""
    tables = tomllib.loads(Path(module).with_suffix(".toml").read_text(encoding="utf-8"))
    return {
        None if loss == "any" else Loss(loss): tuple(Setting.model_validate(table) for table in entries)
        for loss, entries in tables.items()
    }


def log_range(low: float, high: float, default: float) -> FloatParameter:
    """A number searched on a log scale; the default is moved into the range."""
    return FloatParameter(low=low, high=high, log=True, default=rounded(min(max(default, low), high)))


def choices(default: Scalar, *choices: Scalar) -> CategoricalParameter:
    """One of listed values."""
    return CategoricalParameter(choices=choices, default=default)


def fixed(value: Scalar) -> CategoricalParameter:
    """One value."""
    return CategoricalParameter(choices=(value,), default=value)


def epochs(n_rows: int, embedded: bool, default: int) -> IntParameter:
    """Few passes where there is much data or little time: a trial's cost grows with both."""
    high = 3 if embedded else 1 if n_rows > LARGE_DATA else 3 if n_rows > SMALL_DATA else 5
    return IntParameter(low=1, high=high, default=min(default, high, 2) if embedded else min(default, high))

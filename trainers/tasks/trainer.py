"""What a task gives to training: everything that the folder `trainers/` needs to know of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainers.data import Coding
from trainers.space import Parameter
from trainers.spec import Closed, Loss, Scalar, TaskSpec

if TYPE_CHECKING:
    from trainers.run import Job, Run


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

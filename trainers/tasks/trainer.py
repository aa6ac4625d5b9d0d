"""What a task gives to training: everything that the folder `trainers/` needs to know of it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainers.data import Row
from trainers.space import Parameter
from trainers.spec import Closed, Loss, Scalar, Task, TaskSpec

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


class TaskTrainer(ABC):
    """How models of one task are trained. Its module is importable without torch; `train` may load anything."""

    task: Task
    language_model: bool = True
    """Works with the base's own output layer; False: with a new head on its backbone."""
    sequences: int = 1
    """Sequences of a row that go through the model."""
    loss_parameters: tuple[str, ...] = ()
    """Hyperparameters that are part of the loss: where one is searched, losses of trials do not compare."""
    grouped: bool = False
    """Rows of a batch are of like length, so that padding costs next to nothing; for estimates."""

    @abstractmethod
    def space(self, facts: StudyFacts) -> Mapping[str, Parameter]:
        """The default range of each hyperparameter of the task, LoRA's included, each with its source."""

    @abstractmethod
    def settings(self, loss: Loss | None) -> tuple[Setting, ...]:
        """Published configurations that are tried right after the default, best first."""

    @abstractmethod
    def encode(self, row: Row, tokenizer: Any) -> Row:
        """Token ids of a canonical row, however long. Raises KeyError or TypeError for a row of another task."""

    @abstractmethod
    def cut(self, row: Row, limit: int, tokenizer: Any) -> tuple[Row | None, bool]:
        """(an encoded row with its `length`, at most `limit` tokens a sequence, or None; whether it was longer).

        None stands for a row of whose target nothing is left.
        """

    @abstractmethod
    def train(self, job: "Job") -> "Run":
        """Fit the weights that `job` names. Raises AttemptFailed for a run that is lost."""

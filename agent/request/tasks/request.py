"""What a task gives to planning and reports: how people speak of it, and what is chosen for it."""

from typing import TYPE_CHECKING

from agent.request.working import Working
from trainers.spec import TERMS, Task

if TYPE_CHECKING:
    from tools.data.profile_data import Profiled


class TaskRequest:
    """How a request for one task is completed, and what its model is called."""

    task: Task
    columns: tuple[str, ...] = ()
    """Roles of columns that only this task has; one of them in a request says the task."""
    words: tuple[str, ...]
    """Words that state the task: alternatives of a regular expression over lower-case text; none of them captures."""
    model: str
    """Its model in a sentence, with the article."""
    pipeline: str = "text-generation"
    """The Hugging Face hub's name of what the model is for."""

    @property
    def pattern(self) -> str:
        """The words as one regular expression."""
        return f"(?:{'|'.join(self.words)})"

    @property
    def fields(self) -> tuple[str, ...]:
        """Dotted fields of a spec that only this task has."""
        loss = ("loss",) if TERMS[self.task].losses else ()
        search = (f"search.{name}" for name in TERMS[self.task].hyperparameters)
        return (*loss, *(f"data.columns.{role}" for role in self.columns), *search)

    def choose_loss(self, work: Working, profiled: "Profiled | None") -> None:
        """Settle the loss where the request names none: the first one, if the task has a choice."""
        if losses := TERMS[self.task].losses:
            work.default("loss", losses[0], f"the usual loss of {self.task}")

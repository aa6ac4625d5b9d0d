"""What each task gives to planning and reports, looked up here only; its words are in `rules/words.json`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.request.working import Working
from trainers.spec import TERMS, Loss, Task

if TYPE_CHECKING:
    from tools.data.profile_data import Profiled

LENGTH_GAP = 0.15
"""From this relative difference between chosen and rejected lengths on, DPO is length-normalised by default: plain
DPO then learns the length (Tulu 3's length-normalised DPO, arXiv 2411.15124)."""


def _preference_loss(profiled: "Profiled") -> tuple[Loss, str] | None:
    """Length-normalised DPO where the chosen and rejected answers differ in length."""
    chosen, rejected = (sum(_words(row[role]) for row in profiled.rows["train"]) for role in ("chosen", "rejected"))
    gap = chosen / max(1, rejected) - 1
    if abs(gap) <= LENGTH_GAP:
        return None
    longer = "longer" if gap > 0 else "shorter"
    return Loss.SIGMOID_NORM, f"chosen answers are {abs(gap):.0%} {longer} than rejected ones on average"


def _words(answer: object) -> int:
    if isinstance(answer, list):  # turns of a conversation
        return sum(_words(turn.get("content")) for turn in answer if isinstance(turn, dict))
    return len(str(answer).split())


@dataclass(frozen=True)
class TaskRequest:
    """How a request for one task is completed, and what its model is called."""

    model: str
    """Its model in a sentence, with the article."""
    columns: tuple[str, ...] = ()
    """Roles of columns that only this task has; one of them in a request says the task."""
    pipeline: str = "text-generation"
    """The Hugging Face hub's name of what the model is for."""
    usual_loss: str = "the usual loss"
    """What its first loss is, where it has any."""
    fitting_loss: "Callable[[Profiled], tuple[Loss, str] | None]" = lambda profiled: None
    """Another loss that the rows ask for, with the reason."""


TASKS: dict[Task, TaskRequest] = {
    Task.PREFERENCE: TaskRequest(
        model="a language model fine-tuned on preferences",
        columns=("chosen", "rejected"),
        usual_loss="plain DPO",
        fitting_loss=_preference_loss,
    ),
    Task.CLASSIFICATION: TaskRequest(model="a text classifier", columns=("label",), pipeline="text-classification"),
    Task.SFT: TaskRequest(model="a language model fine-tuned on examples (SFT)", columns=("completion", "messages")),
}
"""In the order in which their own fields say the task."""

TASK_OF_ROLE: dict[str, Task] = {role: task for task, kind in TASKS.items() for role in kind.columns}
"""Roles of columns that only one task has."""


def own_fields(task: Task) -> tuple[str, ...]:
    """Dotted fields of a spec that only this task has."""
    columns = (f"data.columns.{role}" for role in TASKS[task].columns)
    search = (f"search.{name}" for name in TERMS[task].hyperparameters)
    return (*(("loss",) if TERMS[task].losses else ()), *columns, *search)


def choose_loss(work: Working, profiled: "Profiled | None") -> None:
    """Settle the loss where the request names none and the task has a choice."""
    task: Task | None = work.get("task")
    if task is None or not TERMS[task].losses:
        return
    if profiled and (fitting := TASKS[task].fitting_loss(profiled)):
        work.infer("loss", *fitting)
    work.default("loss", TERMS[task].losses[0], TASKS[task].usual_loss)

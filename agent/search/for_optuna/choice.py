"""The proposer for studies that another library runs: the choice of its parts, kept where it can be pickled."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.llm.open import open_planner
from agent.search.llm.batch import LlmBatch
from agent.search.llm.task_card import TaskCard, card_of_spec
from agent.search.portfolio import Portfolio
from agent.search.proposer import Proposer
from trainers.space import Space
from trainers.spec import Direction, Task, TaskSpec

if TYPE_CHECKING:
    from agent.llm.planner import Planner

N_PORTFOLIO = 3
"""Published settings tried before the models choose, where the task is known."""


@dataclass
class ProposerChoice:
    """What to propose with. `build` is the way to use it.

    `factory` makes the proposer of a space and rules everything else out. Otherwise it is the hybrid: with the
    embedded in-context model if `incontext`; with published settings for hyperparameters under their canonical names
    if the `task` is known (a `Task` or its name, a card, or a spec); with the candidates of the planner LLM that `llm`
    names, which needs the task. Raises ValueError for an LLM without a task, and for an unknown task.
    """

    factory: Callable[[Space], Proposer] | None = None
    llm: str | None = None
    task: TaskCard | TaskSpec | Task | str | None = None
    incontext: bool = True
    _planner: "Planner | None" = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.task = _card(self.task)
        if self.llm is not None and self.llm != "embedded" and self.task is None:
            raise ValueError('llm needs to know the task, such as task="sft"')

    def build(self, space: Space, direction: Direction) -> Proposer:
        """A proposer over `space`. The planner LLM is opened once; raises InputError where that cannot be done."""
        if self.factory is not None:
            return self.factory(space)
        from agent.search.hybrid import Hybrid

        if not isinstance(self.task, TaskCard):
            return Hybrid(space, incontext=self.incontext)
        card = self.task.model_copy(update={"direction": direction})
        planner = self._open()
        batch = LlmBatch(space, card, planner) if planner else None
        return Hybrid(space, Portfolio(space, card), N_PORTFOLIO, batch, incontext=self.incontext)

    def _open(self) -> "Planner | None":
        if self._planner is None and self.llm is not None:
            self._planner = open_planner(self.llm)
        return self._planner

    def __getstate__(self) -> dict[str, Any]:
        """Without the open planner: it holds connections and keys."""
        return vars(self) | {"_planner": None}


def _card(task: TaskCard | TaskSpec | Task | str | None) -> TaskCard | None:
    if isinstance(task, TaskSpec):
        return card_of_spec(task)
    return TaskCard(task=Task(task)) if isinstance(task, str) else task

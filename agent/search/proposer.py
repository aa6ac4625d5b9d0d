"""The one protocol of everything that gives configurations to try."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from agent.search.space_edits import SpaceEdit, SuggestsEdits
from agent.study.nouns import History, Phase, Proposal, Trial, TrialState
from trainers.spec import FailureReason


class Proposer(Protocol):
    """Gives the next configurations of a study.

    Stateless towards the study: everything it may know is in `history` (failures and pending trials included), so a
    resumed study proposes as an uninterrupted one would. It holds the `Space` it was built with.
    """

    @property
    def name(self) -> str:
        """Recorded as the source of its proposals."""

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """Up to `n` valid, canonical configurations, best first, none equal to one in `history`.

        An empty list means "nothing to offer" (portfolio used up, LLM capped); the next source is asked then.
        `seed` differs from call to call and is derived from the study's seed and the trial number.
        """


@runtime_checkable
class Prefetches(Protocol):
    """A proposer that can use the time in which trials run."""

    def prefetch(self, history: History) -> None:
        """Called after trials were started, while more are to come; must return at once."""


@runtime_checkable
class Closes(Protocol):
    """A proposer that holds something beyond the study."""

    def close(self) -> None:
        """Called once, when the run ends in whatever way, or when a proposer over a wider space takes its place."""


def close(proposer: object) -> None:
    """Let go of whatever the proposer holds."""
    if isinstance(proposer, Closes):
        proposer.close()


class Wrapping(ABC):
    """A proposer that shows another one the history in a changed form; the rest is the inner proposer's."""

    def __init__(self, inner: Proposer) -> None:
        self._inner = inner

    @property
    def name(self) -> str:
        """The inner proposer's."""
        return self._inner.name

    @abstractmethod
    def ahead(self, history: History) -> History:
        """The history as the inner proposer is to see it while it works ahead."""

    def prefetch(self, history: History) -> None:
        """Let the inner proposer work ahead."""
        if isinstance(self._inner, Prefetches):
            self._inner.prefetch(self.ahead(history))

    def space_edits(self) -> Sequence[SpaceEdit]:
        """What the inner proposer asks for."""
        return self._inner.space_edits() if isinstance(self._inner, SuggestsEdits) else ()

    def close(self) -> None:
        """Let go of whatever the inner proposer holds."""
        close(self._inner)


def outside_trial(
    study: str, number: int, state: TrialState, proposal: Proposal, score: float | None, seed: int = 0
) -> Trial:
    """A search trial that no study of ours ran, as a proposer's history holds it."""
    return Trial(
        trial_id=f"{study}{number}",
        study_id=study,
        number=number,
        phase=Phase.SEARCH,
        state=state,
        proposal=proposal,
        seed=seed,
        score=score,
        reason=FailureReason.NAN if state is TrialState.FAILED else None,
    )

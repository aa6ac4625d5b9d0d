"""The one protocol of everything that gives configurations to try."""

from typing import Protocol, runtime_checkable

from agent.study.nouns import History, Proposal


class Proposer(Protocol):
    """Gives the next configurations of a study.

    Stateless towards the study: everything it may know is in `history` (failures and pending trials included), so a
    resumed study proposes as an uninterrupted one would. It holds the `Space` it was built with.
    """

    @property
    def name(self) -> str:
        """Recorded as the source of its proposals."""
        ...

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """Up to `n` valid, canonical configurations, best first, none equal to one in `history`.

        An empty list means "nothing to offer" (portfolio used up, LLM capped); the next source is asked then.
        `seed` differs from call to call and is derived from the study's seed and the trial number.
        """
        ...


@runtime_checkable
class Prefetches(Protocol):
    """A proposer that can use the time in which trials run."""

    def prefetch(self, history: History) -> None:
        """Called after trials were started, while more are to come; must return at once."""
        ...


@runtime_checkable
class Closes(Protocol):
    """A proposer that holds something beyond the study."""

    def close(self) -> None:
        """Called once, when the run ends in whatever way, or when a proposer over a wider space takes its place."""
        ...


def close(proposer: object) -> None:
    """Let go of whatever the proposer holds."""
    if isinstance(proposer, Closes):
        proposer.close()

"""The one protocol of everything that gives configurations to try."""

from typing import Protocol

from agent.study import History, Proposal


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

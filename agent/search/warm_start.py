"""A proposer that knows the trials of a past study beside those of its own."""

from collections.abc import Sequence

from agent.request.past import PastTrial
from agent.search.fresh import known_keys
from agent.search.proposer import Proposer, Wrapping, outside_trial
from agent.study.nouns import History, Proposal, TrialState
from trainers.space import Space

N_AGAIN = 2
"""The best past configurations are run first: only what is run here can be confirmed, reported and handed back."""

SOURCE = "warm_start"


def warmed_up(inner: Proposer, space: Space, past: Sequence[PastTrial]) -> Proposer:
    """`inner` over `space` made to start from `past`; `inner` itself without any."""
    return WarmStart(inner, space, past) if past else inner


class WarmStart(Wrapping):
    """Past trials that are members of the space come before the study's own in the history that `inner` is given.

    They have negative numbers and the source `past`. Their scores stand beside the study's as they are, so they must be
    of the same metric, and compare the better the more alike data and model are. First of all the best `N_AGAIN` past
    configurations are proposed again, under the source `warm_start`; no other past configuration is proposed.
    """

    def __init__(self, inner: Proposer, space: Space, past: Sequence[PastTrial]) -> None:
        super().__init__(inner)
        self._space = space
        members = [p for p in past if not space.problems(p.config)]
        self._past = tuple(
            outside_trial(
                "past", number, TrialState[p.state.upper()], Proposal(config=p.config, source="past"), p.score
            )
            for number, p in enumerate(members, -len(members))
        )

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`."""
        again = self._again(history)[:n]
        if len(again) == n:
            return again
        return again + self._inner.propose(self.ahead(history.with_pending(again)), n - len(again), seed)

    def ahead(self, history: History) -> History:
        """The past trials, then the study's own."""
        return history.model_copy(update={"trials": self._past + history.trials})

    def _again(self, history: History) -> list[Proposal]:
        """The best past configurations that this study has not tried yet."""
        keys = known_keys(self._space, history)
        ranked = History(direction=history.direction, trials=self._past).ranked[:N_AGAIN]
        return [
            Proposal(
                config=trial.config,
                source=SOURCE,
                why=f"number {place} of the past study, with a score of {trial.score:.4g} there",
            )
            for place, trial in enumerate(ranked, 1)
            if self._space.key(trial.config) not in keys
        ]

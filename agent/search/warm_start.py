"""A proposer that knows the trials of a past study beside those of its own."""

from collections.abc import Sequence

from agent.request.past import PastTrial
from agent.search.proposer import Prefetches, Proposer, close
from agent.search.space_edits import SpaceEdit, SuggestsEdits
from agent.study.nouns import History, Phase, Proposal, Trial, TrialState
from trainers.space import Space
from trainers.spec import FailureReason

N_AGAIN = 2
"""The best past configurations are run first: only what is run here can be confirmed, reported and handed back."""

SOURCE = "warm_start"
_STATES = {"complete": TrialState.COMPLETE, "failed": TrialState.FAILED, "pruned": TrialState.PRUNED}


def warmed_up(inner: Proposer, space: Space, past: Sequence[PastTrial]) -> Proposer:
    """`inner` over `space` made to start from `past`; `inner` itself without any."""
    return WarmStart(inner, space, past) if past else inner


class WarmStart:
    """Past trials that are members of the space come before the study's own in the history that `inner` is given.

    They have negative numbers and the source `past`. Their scores stand beside the study's as they are, so they must be
    of the same metric, and compare the better the more alike data and model are. First of all the best `N_AGAIN` past
    configurations are proposed again, under the source `warm_start`; no other past configuration is proposed.
    """

    def __init__(self, inner: Proposer, space: Space, past: Sequence[PastTrial]) -> None:
        self._inner, self._space = inner, space
        members = [p for p in past if not space.problems(p.config)]
        self._past = tuple(_trial(p, number=i - len(members)) for i, p in enumerate(members))

    @property
    def name(self) -> str:
        """The inner proposer's."""
        return self._inner.name

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`."""
        again = self._again(history)[:n]
        if len(again) == n:
            return again
        known = history.with_pending(again)
        return again + self._inner.propose(self._with_past(known), n - len(again), seed)

    def prefetch(self, history: History) -> None:
        """Let the inner proposer work ahead."""
        if isinstance(self._inner, Prefetches):
            self._inner.prefetch(self._with_past(history))

    def space_edits(self) -> Sequence[SpaceEdit]:
        """What the inner proposer asks for."""
        return self._inner.space_edits() if isinstance(self._inner, SuggestsEdits) else ()

    def close(self) -> None:
        """Let go of whatever the inner proposer holds."""
        close(self._inner)

    def _with_past(self, history: History) -> History:
        return history.model_copy(update={"trials": self._past + history.trials})

    def _again(self, history: History) -> list[Proposal]:
        """The best past configurations that this study has not tried yet."""
        tried = {self._space.key(t.config) for t in history.trials if not self._space.problems(t.config)}
        ranked = History(direction=history.direction, trials=self._past).ranked[:N_AGAIN]
        return [
            Proposal(
                config=trial.config,
                source=SOURCE,
                why=f"number {place} of the past study, with a score of {trial.score:.4g} there",
            )
            for place, trial in enumerate(ranked, 1)
            if self._space.key(trial.config) not in tried
        ]


def _trial(past: PastTrial, number: int) -> Trial:
    state = _STATES[past.state]
    return Trial(
        trial_id=f"past{number}",
        study_id="past",
        number=number,
        phase=Phase.SEARCH,
        state=state,
        proposal=Proposal(config=past.config, source="past"),
        seed=0,
        score=past.score,
        reason=FailureReason.NAN if state is TrialState.FAILED else None,
    )

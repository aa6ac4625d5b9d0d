"""The proposer of a study: published settings first, then the optimiser, with the planner LLM as one more source.

The optimiser is guaranteed its share: of the trials after the portfolio the LLM gets at most `MAX_LLM_SHARE`, so a
useless LLM slows the search down by at most 1 / (1 - share), whatever it proposes. The share is earned: it falls to
`MIN_LLM_SHARE` while the LLM's latest picks are all in the worse half.
"""

from agent.planner import Planner
from agent.search.llm_batch import LlmBatch
from agent.search.portfolio import Portfolio
from agent.search.proposer import Proposer
from agent.search.statistical import Statistical
from agent.search.surrogate import surrogate
from agent.search.task_card import TaskCard, card_of_spec
from agent.study import History, Phase, Proposal, Trial, TrialState
from trainers.space import Space
from trainers.spec import Direction, TaskSpec

MAX_LLM_SHARE = 0.34
MIN_LLM_SHARE = 0.1
JUDGED_PICKS = 3
"""The LLM's share depends on this many of its latest finished trials."""


def build_proposer(
    space: Space, task: TaskCard | TaskSpec, llm: Planner | None = None, *, n_portfolio: int = 3
) -> Proposer:
    """The proposer of a study over `space`; with `llm` its candidates join in.

    `task` is best the plan's card (`task_card(plan)`), which tells the LLM of data and model; a spec alone will do.
    `n_portfolio` limits the settings tried before the optimiser: at most a quarter of the trials, at least one.
    Trial 0, the default configuration, is the loop's to start.
    """
    card = card_of_spec(task) if isinstance(task, TaskSpec) else task
    if card.trials is not None:
        n_portfolio = min(n_portfolio, max(1, card.trials // 4))
    return Mix(
        Portfolio(space, card), n_portfolio, Statistical(space), LlmBatch(space, card, llm) if llm else None, space
    )


class Mix:
    """See the module's docstring. Every proposal keeps the name of the source it came from."""

    name = "mix"

    def __init__(
        self, portfolio: Proposer, n_portfolio: int, optimiser: Proposer, llm: Proposer | None, space: Space
    ) -> None:
        self._portfolio, self._n_portfolio = portfolio, n_portfolio
        self._optimiser, self._llm, self._space = optimiser, llm, space

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`. Each proposal is made knowing of those before it, as pending trials."""
        proposals: list[Proposal] = []
        for i in range(n):
            proposal = self._next(_with_pending(history, proposals), seed + 7919 * i)
            if proposal is None:
                break
            proposals.append(proposal)
        return proposals

    def _next(self, history: History, seed: int) -> Proposal | None:
        tried = sum(t.proposal.source == self._portfolio.name for t in history.trials)
        if tried < self._n_portfolio:
            offered = self._portfolio.propose(history, 1, seed)
            if offered:
                return offered[0]
        if self._llm is not None and self._llm_is_due(history):
            pick = self._llm_pick(history, seed)
            if pick is not None:
                return pick
        return next(iter(self._optimiser.propose(history, 1, seed)), None)

    def _llm_is_due(self, history: History) -> bool:
        assert self._llm is not None
        searched = [t for t in history.trials if t.proposal.source not in ("default", self._portfolio.name)]
        picks = sum(t.proposal.source == self._llm.name for t in searched)
        return picks + 1 <= llm_share(history, self._llm.name) * (len(searched) + 1)

    def _llm_pick(self, history: History, seed: int) -> Proposal | None:
        """Of the LLM's candidates the one with the highest expected improvement; its own first while scores are few."""
        assert self._llm is not None
        candidates = self._llm.propose(history, 12, seed)
        model = surrogate(self._space, history)
        if not candidates or model is None:
            return next(iter(candidates), None)
        best = max(candidates, key=lambda p: model.expected_improvement(p.config))
        mean, sd = model.predict(best.config)
        return best.model_copy(update={"predicted_mean": mean, "predicted_sd": sd})


def llm_share(history: History, name: str = "llm") -> float:
    """The share of trials that the LLM has earned: least while its last picks all failed or were below the median."""
    finished = [t for t in history.trials if t.state in (TrialState.COMPLETE, TrialState.FAILED)]
    picks = [t for t in finished if t.proposal.source == name][-JUDGED_PICKS:]
    scores = sorted(t.score for t in history.complete if t.score is not None)
    if len(picks) < JUDGED_PICKS or not scores:
        return MAX_LLM_SHARE
    median = scores[len(scores) // 2]
    sign = 1.0 if history.direction is Direction.MAXIMIZE else -1.0
    useful = any(t.score is not None and sign * t.score >= sign * median for t in picks)
    return MAX_LLM_SHARE if useful else MIN_LLM_SHARE


def _with_pending(history: History, proposals: list[Proposal]) -> History:
    number = max((t.number for t in history.trials), default=-1) + 1
    pending = tuple(
        Trial(
            trial_id=f"proposed-{number + i}",
            study_id="",
            number=number + i,
            phase=Phase.SEARCH,
            state=TrialState.WAITING,
            proposal=proposal,
            seed=0,
        )
        for i, proposal in enumerate(proposals)
    )
    return history.model_copy(update={"trials": history.trials + pending})

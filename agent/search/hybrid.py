"""The proposer of a study: published settings first, then candidates of every source, of which an acquisition picks.

Candidates come from the in-context model, the planner LLM, Optuna's TPE, and a pool of local moves, of places that
names suggest and of uniform ones. Each is scored by its expected gain under the two surrogates that share one prior
(`informed`, `incontext`), times its chance of success, times what the LLM said. `shares` holds the guarantees.
"""

from collections.abc import Callable, Sequence

import numpy as np

from agent.search.acquisition import Surrogates
from agent.search.evidence import Evidence, evidence
from agent.search.feasibility import Feasibility
from agent.search.fresh import known_keys
from agent.search.incontext import InContext
from agent.search.llm.batch import LlmBatch
from agent.search.llm.beliefs import accepted, factor
from agent.search.llm.task_card import TaskCard
from agent.search.pool import Pool
from agent.search.portfolio import Portfolio
from agent.search.shares import llm_is_due, statistical_is_due
from agent.search.space_edits import SpaceEdit
from agent.search.statistical import OptunaSearch, Statistical
from agent.study.nouns import History, Proposal
from trainers.incontext.columns import positions
from trainers.space import Space
from trainers.spec import Config

FEASIBLE = 0.35
"""Candidates less likely to succeed are dropped while there are others."""

APART_PER_REPEAT = 0.08
"""Where trials came back as configurations run before (a table snaps to its rows), distance to keep, times sqrt(D)."""

JUSTIFIED = 0.75
"""Where the LLM is due, its best candidate is run if it is worth this share of the best one, its own priors aside (as
in LLINBO-justify): what it knows beyond the surrogates counts for something, and what is poor by them is not run."""

N_PORTFOLIO = 3
"""Published settings tried before the models choose."""

N_LLM, N_TPE, N_INCONTEXT = 12, 3, 12
"""Candidates of these sources."""

MIN_FOR_TPE = 4


class Hybrid:
    """See the module's docstring. Every proposal keeps the name of the source it came from, and carries a prediction.

    `card` tells which settings are published for the task: at most `N_PORTFOLIO`, and at most a quarter of the trials,
    come before the models choose; none without one. With `llm` its candidates and beliefs join in. `fits` says of a
    configuration whether time and memory allow it; where nothing fits it does not count. Trial 0, the default, is the
    loop's to start.

    About 0.1 s a proposal at 25 trials and 8 hyperparameters, 0.3 s with the in-context model, on one core.
    """

    name = "hybrid"

    def __init__(
        self,
        space: Space,
        card: TaskCard | None = None,
        llm: LlmBatch | None = None,
        *,
        incontext: bool = True,
        fits: Callable[[Config], bool] = lambda config: True,
    ) -> None:
        self._space, self._llm, self._incontext, self._fits = space, llm, incontext, fits
        self._portfolio = Portfolio(space, card or TaskCard())
        trials = card.trials if card is not None else None
        self._n_portfolio = N_PORTFOLIO if trials is None else min(N_PORTFOLIO, max(1, trials // 4))
        self._statistical, self._pool = Statistical(space, predict=False), Pool(space)
        self._tpe = OptunaSearch(space, "tpe", predict=False)

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`. Each proposal is made knowing of those before it, as pending trials."""
        proposals: list[Proposal] = []
        for i in range(n):
            proposal = self._next(history.with_pending(proposals), seed + 7919 * i)
            if proposal is None:
                break
            proposals.append(proposal)
        return proposals

    def prefetch(self, history: History) -> None:
        """Let the LLM think while trials run."""
        if self._llm is not None:
            self._llm.prefetch(history)

    def space_edits(self) -> Sequence[SpaceEdit]:
        """Wider bounds that the LLM asks for; a rule decides."""
        return self._llm.space_edits() if self._llm is not None else ()

    def close(self) -> None:
        """Stop the LLM's call, if one is under way."""
        if self._llm is not None:
            self._llm.close()

    def _next(self, history: History, seed: int) -> Proposal | None:
        if not self._space.free:
            return None
        n_tried = sum(t.proposal.source == self._portfolio.name for t in history.trials)
        offered = self._portfolio.propose(history, 1, seed) if n_tried < self._n_portfolio else []
        if offered and self._fits(offered[0].config):
            return offered[0]
        feasibility = Feasibility(self._space, history)
        if statistical_is_due(history):
            offered = self._statistical.propose(history, 1, seed)
            if offered and self._may_run(offered[0].config, feasibility):
                return self._predicted(offered[0], history, seed)
        return self._best_candidate(history, feasibility, seed)

    def _predicted(self, proposal: Proposal, history: History, seed: int) -> Proposal:
        """With what the surrogates expect of it."""
        past = evidence(self._space, history)
        mean, sd = Surrogates(self._space, past, seed).predict(proposal.config)
        return past.predicted(proposal, mean, sd)

    def _may_run(self, config: Config, feasibility: Feasibility) -> bool:
        return self._fits(config) and float(feasibility.probabilities([config])[0]) >= FEASIBLE

    def _best_candidate(self, history: History, feasibility: Feasibility, seed: int) -> Proposal | None:
        """The candidate with the largest acquisition; None where nothing new is left."""
        rng = np.random.default_rng(seed)
        past = evidence(self._space, history)
        model = InContext(self._space, past, rng) if self._incontext else None
        candidates = self._apart(self._candidates(history, past, model, rng, seed), past)
        if not candidates:
            return None
        feasible = feasibility.probabilities([c.config for c in candidates])
        if (feasible >= FEASIBLE).any():
            keep = np.flatnonzero(feasible >= FEASIBLE)
            candidates, feasible = [candidates[i] for i in keep], feasible[keep]
        surrogates = Surrogates(self._space, past, seed)
        configs = [c.config for c in candidates]
        prior = self._prior(history, past, surrogates, configs, seed)
        indices = [i for i, c in enumerate(candidates) if c.source in ("incontext", "llm")]
        judgement = surrogates.judge(configs, feasible, prior, model, indices)
        order = np.argsort(-judgement.worth)
        at = int(order[0])
        if self._llm is not None:
            theirs = [int(i) for i in order if candidates[i].source == self._llm.name]
            unswayed = judgement.worth / prior
            if theirs and unswayed[theirs[0]] >= JUSTIFIED * unswayed.max():
                at = theirs[0]
            self._llm.hints = [configs[i] for i in order if i != at][:3]
        return past.predicted(candidates[at], float(judgement.mean[at]), float(judgement.sd[at]))

    def _candidates(
        self, history: History, past: Evidence, model: InContext | None, rng: np.random.Generator, seed: int
    ) -> list[Proposal]:
        """New ones of all sources that fit; of equal ones that of the first source."""
        keys = known_keys(self._space, history)
        offered: list[Proposal] = []
        if self._llm is not None and llm_is_due(history, self._llm.name):
            offered += self._llm.propose(history, N_LLM, seed)
        if len(past.y) >= MIN_FOR_TPE:
            tpe = self._tpe.propose(history, N_TPE, seed)
            offered += [p.model_copy(update={"source": "tpe-pool"}) for p in tpe]
        if model is not None:
            why = "sampled by the in-context model for a better score"
            configs = model.candidates(N_INCONTEXT, rng)
            offered += [Proposal(config=config, source="incontext", why=why) for config in configs]
        why = "largest expected gain after what names, ranges and trials tell"
        pool = self._pool.draw(past, keys, rng)
        offered += [Proposal(config=config, source="informed", why=why) for config in pool]
        by_key: dict[str, Proposal] = {}
        for candidate in offered:
            by_key.setdefault(self._space.key(candidate.config), candidate)
        new = [c for key, c in by_key.items() if key not in keys]
        return [c for c in new if self._fits(c.config)] or new

    def _prior(
        self, history: History, past: Evidence, surrogates: Surrogates, configs: list[Config], seed: int
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """What the LLM said, as factors; 1 without an LLM."""
        beliefs = self._llm.beliefs if self._llm is not None else ()
        if not beliefs:
            return np.ones(len(configs))
        around = self._pool.near_best(past, np.random.default_rng(seed))
        statements = accepted(self._space, beliefs, surrogates.promise, around, len(past.y), seed)
        return factor(self._space, statements, configs, len(history.trials) - len(history.pending))

    def _apart(self, candidates: list[Proposal], past: Evidence) -> list[Proposal]:
        """Without those near known trials, where asking near known trials has given known trials."""
        if not past.n_repeated or not len(past.x) or not candidates:
            return candidates
        x = positions(self._space, [c.config for c in candidates])
        past_x = np.concatenate([past.x, past.failed])
        nearest = np.sqrt(((x[:, None] - past_x[None]) ** 2).sum(-1)).min(1)
        radius = APART_PER_REPEAT * np.sqrt(x.shape[1]) * min(past.n_repeated, 6)
        far = np.flatnonzero(nearest >= min(radius, float(np.quantile(nearest, 0.9))))
        return [candidates[i] for i in far]

"""Quality against costs: any proposer made to look for the best compromises, as ParEGO does.

Each proposal draws weights over quality and costs, blends every finished trial's values into one score by the augmented
Chebyshev function (Knowles 2006, "ParEGO", IEEE Trans. Evol. Comput. 10(1)), and asks the inner proposer to maximise
that. Over many draws the whole front is sought, its dents included, which no weighted sum would find. Only proposers
see blended scores; what is best, confirmed and handed back goes by the metric.
"""

import math
from collections.abc import Sequence
from random import Random

from agent.search.proposer import Proposer, Wrapping
from agent.search.statistical import clipped
from agent.study.nouns import History, Proposal, Trial, derived_seed
from trainers.spec import Direction, Objective, Tradeoff

MIN_QUALITY_WEIGHT = 1 / 3
"""Quality never weighs less: cheap and useless configurations are easy to find and nobody wants them."""

AUGMENTATION = 0.05
"""Share of the weighted sum beside the weighted maximum (Knowles' rho): of two equal maxima the better rest decides."""

LEAST_SPAN = math.log(1.2)
"""Costs that differ by less than this factor are not stretched to the whole scale: much of it is noise of the clock."""

LEAST_COST = 1e-3
"""Milliseconds, kilobytes: below it, costs are equal."""


def trading_off(inner: Proposer, objective: Objective) -> Proposer:
    """`inner` made to weigh the objective's costs; `inner` itself where there are none."""
    return TradeOff(inner, objective.tradeoffs) if objective.tradeoffs else inner


class TradeOff(Wrapping):
    """See the module's docstring. Proposals keep their source; `why` tells the weights.

    Predictions of the inner proposer are dropped: they are of the blend, which no trial has.
    """

    def __init__(self, inner: Proposer, costs: Sequence[Tradeoff]) -> None:
        super().__init__(inner)
        self._costs = tuple(costs)

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`. Each proposal has weights of its own and knows of those before it."""
        proposals: list[Proposal] = []
        for i in range(n):
            weights = draw_weights(len(self._costs), Random(derived_seed(seed, "weights", i)))
            blend = blended(history.with_pending(proposals), self._costs, weights)
            offered = self._inner.propose(blend, 1, seed + i)
            if not offered:
                break
            proposals.append(self._explained(offered[0], weights))
        return proposals

    def ahead(self, history: History) -> History:
        """An even blend: the weights to come are not known."""
        share = 0.5 / len(self._costs)
        return blended(history, self._costs, (0.5, *(share for _ in self._costs)))

    def _explained(self, proposal: Proposal, weights: Sequence[float]) -> Proposal:
        names = ("quality", *self._costs)
        text = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(names, weights, strict=True))
        why = f"{proposal.why} (weights: {text})".strip()
        return proposal.model_copy(update={"why": why, "predicted_mean": None, "predicted_sd": None})


def draw_weights(n_costs: int, rng: Random) -> tuple[float, ...]:
    """(quality, cost, ...): uniform on the part of the simplex where quality has at least `MIN_QUALITY_WEIGHT`."""
    raw = [rng.expovariate(1.0) for _ in range(1 + n_costs)]
    spare = (1.0 - MIN_QUALITY_WEIGHT) / sum(raw)
    return (MIN_QUALITY_WEIGHT + spare * raw[0], *(spare * r for r in raw[1:]))


def blended(history: History, costs: Sequence[Tradeoff], weights: Sequence[float]) -> History:
    """`history` with every score replaced by its blend in [0, 1], larger is better.

    1 is best at everything that weighs, 0 worst. Costs enter by their logarithm. A trial without costs (one that was
    not run here) counts as middling in them.
    """
    complete = history.complete
    if not complete:
        return history.model_copy(update={"direction": Direction.MAXIMIZE})
    scores = [history.direction.sign * (t.score or 0.0) for t in complete]
    losses = [quality_losses(scores), *(_cost_losses(complete, cost) for cost in costs)]
    blends = {
        trial.trial_id: 1.0 - chebyshev(values, weights) / (1.0 + AUGMENTATION)
        for trial, values in zip(complete, zip(*losses, strict=True), strict=True)
    }
    trials = tuple(
        t.model_copy(update={"score": blends[t.trial_id]}) if t.trial_id in blends else t for t in history.trials
    )
    return History(direction=Direction.MAXIMIZE, trials=trials)


def chebyshev(losses: Sequence[float], weights: Sequence[float]) -> float:
    """The augmented Chebyshev function: the largest weighted loss and a share of their sum."""
    weighted = [loss * weight for loss, weight in zip(losses, weights, strict=True)]
    return max(weighted) + AUGMENTATION * sum(weighted)


def quality_losses(scores: Sequence[float]) -> list[float]:
    """0 for the best (largest) score to 1 for the worst; a diverged trial does not make all others equal."""
    scores = clipped(scores)
    best, span = max(scores), max(scores) - min(scores)
    return [(best - score) / span if span > 0.0 else 0.0 for score in scores]


def _cost_losses(trials: Sequence[Trial], cost: Tradeoff) -> list[float]:
    """0 for the cheapest to 1 for the dearest by logarithm."""
    logs = [None if t.costs is None else math.log(max(t.costs.of(cost), LEAST_COST)) for t in trials]
    values = [value for value in logs if value is not None]
    if not values:
        return [0.0] * len(trials)
    low, span = min(values), max(max(values) - min(values), LEAST_SPAN)
    middle = sum(values) / len(values)
    return [((middle if value is None else value) - low) / span for value in logs]

"""What the trials so far say, as arrays: the common input of the surrogates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.study.nouns import History, Proposal, TrialState
from trainers.incontext.columns import positions
from trainers.space import Space

Array = NDArray[np.float64]

CLIP = 3.0
"""Scores worse than the median by more than this times (best - median) are brought there: a loss of 10 among losses of
0.8 would leave no resolution for the rest."""

MAX_TRIALS = 150
"""Of a longer history the surrogates see the best third of this many and the latest: their cost grows with its cube."""

PRUNED_AT = 1 / 3
"""Trials stopped at a rung count as having this quantile of the scores."""


@dataclass(frozen=True)
class Evidence:
    """Finished trials in order. Scores are standardised, larger is better: score = location + scale * y, times -1 if
    the study minimises."""

    x: Array  # (N, D) positions of the configurations with a score, pruned ones last
    y: Array  # (N,)
    failed: Array  # (F, D)
    pending: Array  # (P, D)
    location: float
    scale: float
    sign: float
    n_repeated: int
    """Trials whose configuration had been run before."""

    def score(self, y: float) -> float:
        """A standardised value in the units of the score."""
        return self.sign * (self.location + self.scale * y)

    def predicted(self, proposal: Proposal, mean: float, sd: float) -> Proposal:
        """With what is expected of it, in standardised values; without before there are scores."""
        if not len(self.y):
            return proposal
        return proposal.model_copy(update={"predicted_mean": self.score(mean), "predicted_sd": self.scale * sd})


def evidence(space: Space, history: History) -> Evidence:
    """The evidence of `history`; trials outside of `space` do not count."""
    sign = history.direction.sign
    members = [t for t in history.trials if not space.problems(t.config)]
    scored = [t for t in members if t.state is TrialState.COMPLETE and t.score is not None]
    raw = np.array([sign * float(t.score or 0.0) for t in scored])
    pruned = [t for t in members if t.state is TrialState.PRUNED] if scored else []
    if pruned:  # as in `History.imputed`
        raw = np.concatenate([raw, np.full(len(pruned), np.quantile(raw, PRUNED_AT))])
        scored = scored + pruned
    if len(raw):
        floor = np.median(raw) - CLIP * (raw.max() - np.median(raw))
        raw = np.maximum(raw, floor) if raw.max() > np.median(raw) else raw
    places = _places(raw)
    scored, raw = [scored[i] for i in places], raw[places]
    location = float(raw.mean()) if len(raw) else 0.0
    scale = float(raw.std()) if len(raw) > 1 and raw.std() > 0 else 1.0
    keys = [space.key(t.config) for t in members]
    return Evidence(
        x=positions(space, [t.config for t in scored]),
        y=(raw - location) / scale,
        failed=positions(space, [t.config for t in members if t.state is TrialState.FAILED][-MAX_TRIALS:]),
        pending=positions(space, [t.config for t in history.pending if not space.problems(t.config)]),
        location=location,
        scale=scale,
        sign=sign,
        n_repeated=len(keys) - len(set(keys)),
    )


def _places(raw: Array) -> NDArray[np.int64]:
    """Places of the trials that count, in order."""
    if len(raw) <= MAX_TRIALS:
        return np.arange(len(raw))
    best = np.argsort(-raw)[: MAX_TRIALS // 3]
    rest = np.setdiff1d(np.arange(len(raw)), best)[-(MAX_TRIALS - len(best)) :]
    return np.sort(np.concatenate([best, rest]))

"""When to stop a search before its budget is used: nothing that the proposer would still try is expected to matter.

Conservative on purpose: late in the budget, three proposals in a row, a tenth of the noise. What it saves is told
(`SEARCH_STOPPED`, and a sentence in the report).
"""

import math
from statistics import median

from agent.search.replicates import history_noise
from agent.study.nouns import REPLICATE, History, Trial, TrialState
from trainers.spec import Direction

MIN_TRIALS, TRIALS_PER_DIMENSION = 10, 2
"""Search trials before it may stop: at least so many, and so many for each free hyperparameter."""

MIN_SHARE = 0.5
"""Share of the budget's trials before it may stop."""

IN_A_ROW = 3
"""Latest finished proposals that must all promise too little, with everything under way."""

NOISE_SHARE = 0.1
"""An expected improvement below this share of the noise sd is too little."""

SPREAD_SHARE = 0.01
"""While the noise is not known: below this share of the distance from the median score to the best."""


def expected_improvement(mean: float, sd: float, best: float, maximize: bool) -> float:
    """Expected gain over `best`, in units of the score, of a score that is normal with `mean` and `sd`; 0 or more."""
    gain = mean - best if maximize else best - mean
    if sd <= 0.0:
        return max(gain, 0.0)
    z = gain / sd  # infinite where sd is subnormal, so nothing below multiplies z itself
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return max(gain * 0.5 * math.erfc(-z / math.sqrt(2.0)) + sd * density, gain, 0.0)


def enough(history: History, dimensions: int, trials_budget: int) -> str | None:
    """Why the search may end now, or None. `dimensions`: free hyperparameters. A pure function; cheap.

    Judged by the predictions stored with the latest proposals, against the incumbent of today. A proposal without a
    prediction, or one that became the incumbent, says that there is more to find.
    """
    trials = [t for t in history.trials if t.proposal.source != REPLICATE]
    if len(trials) < max(MIN_TRIALS, TRIALS_PER_DIMENSION * dimensions, MIN_SHARE * trials_budget):
        return None
    best, least = history.best, _least(history)
    latest = _latest(trials)
    if best is None or best.score is None or least is None or len(latest) < IN_A_ROW or best in latest:
        return None
    level = history.mean_score(best.config) or 0.0
    gains = [_gain(t, level, history.direction is Direction.MAXIMIZE) for t in latest]
    most = max(gains)
    if most >= least[0]:
        return None
    return (
        f"the last {len(latest)} proposals promised at most {most:.2g} over the best configuration's {level:.4g}, "
        f"less than {least[1]}"
    )


def _latest(trials: list[Trial]) -> list[Trial]:
    """The last `IN_A_ROW` that are over, and all that are not."""
    under_way = [t for t in trials if t.state in (TrialState.WAITING, TrialState.RUNNING)]
    over = [t for t in trials if t not in under_way][-IN_A_ROW:]
    return over + under_way if over else []


def _least(history: History) -> tuple[float, str] | None:
    """(improvement that is worth a trial, what it is in words); None where that cannot be told."""
    noise = history_noise(history)
    if noise:
        return NOISE_SHARE * noise, f"{NOISE_SHARE:g} x the noise sd of {noise:.2g}"
    scores = [t.score for t in history.ranked if t.score is not None]
    spread = abs(scores[0] - median(scores)) if len(scores) >= IN_A_ROW else 0.0
    return (SPREAD_SHARE * spread, f"{SPREAD_SHARE:.0%} of the scores' spread of {spread:.2g}") if spread else None


def _gain(trial: Trial, best: float, maximize: bool) -> float:
    mean, sd = trial.proposal.predicted_mean, trial.proposal.predicted_sd
    return math.inf if mean is None or sd is None else expected_improvement(mean, sd, best, maximize)

"""Running a known configuration again on another seed: what the noise is, and which of the two best is better.

A replicate is an ordinary search trial with source `replicate`: it has a number and a seed of its own, counts in the
budget, is never pruned, and `History` takes the mean over the runs of a configuration. At most a tenth of the trials
go there. Reference: docs/traps.md (re-run the top two until the standard error is below half their gap).
"""

from math import sqrt

from agent.study.noise import noise_sd
from agent.study.nouns import REPLICATE, History, Proposal, Trial, config_key

MAX_SHARE = 0.1
"""Share of the budget's trials that may be replicates."""

MAX_RUNS = 3
"""Runs of one configuration in the search, the first included; the confirm phase adds fresh seeds of its own."""

FIRST_AT = 0.5
"""Share of the budget's trials after which the incumbent is run again to learn the noise, if nothing else told it."""


def next_replicate(history: History, trials_budget: int) -> Proposal | None:
    """The configuration to run again now, or None. A pure function of the history; cheap.

    Nothing while a replicate is under way, when the allowance is used up, or when there is no doubt.
    """
    replicates = [t for t in history.trials if t.proposal.source == REPLICATE]
    if len(replicates) >= int(MAX_SHARE * trials_budget) or any(t in history.pending for t in replicates):
        return None
    top = [t for t in history.ranked[:2] if _may_run_again(t, history)]
    if not top:
        return None
    noise = history_noise(history)
    if noise is None:
        due = len(history.trials) >= FIRST_AT * trials_budget and len(history.complete) >= 2
        return _again(top[0], "to learn how much a score changes with the seed") if due else None
    if not _in_doubt(history, noise):
        return None
    return _again(
        min(top, key=lambda t: (len(_runs(t, history)), t.number)),
        f"the two best configurations are closer than the noise (sd {noise:.2g}) allows to tell apart",
    )


def history_noise(history: History) -> float | None:
    """Standard deviation of a score over seeds as far as this study has shown it; None before the first replicate."""
    return noise_sd([[t.score for t in group if t.score is not None] for group in history.by_config])


def _in_doubt(history: History, noise: float) -> bool:
    """Whether the standard error of the difference of the two best is above half of it."""
    if len(history.ranked) < 2:
        return False
    one, two = ([t.score or 0.0 for t in _runs(trial, history)] for trial in history.ranked[:2])
    error = noise * sqrt(1.0 / len(one) + 1.0 / len(two))
    return error > 0.5 * abs(sum(one) / len(one) - sum(two) / len(two))


def _runs(trial: Trial, history: History) -> list[Trial]:
    return [t for t in history.complete if config_key(t.config) == config_key(trial.config)]


def _may_run_again(trial: Trial, history: History) -> bool:
    """Not where it has run often enough, failures and runs under way included."""
    key = config_key(trial.config)
    return sum(config_key(t.config) == key for t in history.trials) < MAX_RUNS


def _again(trial: Trial, why: str) -> Proposal:
    return Proposal(config=trial.config, source=REPLICATE, why=f"trial {trial.number} on another seed: {why}")

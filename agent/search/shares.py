"""Who gets the next trial: shares that sources earn by what their trials gave, with floors.

The statistical optimiser's floor is the guarantee of the hybrid: on at least `MIN_STATISTICAL` of the trials from the
`FREE_TRIALS`th on it chooses alone, knowing all trials, so that whatever the other sources propose, it gets as far
as it would alone, later by at most that constant factor. More where its trials improve on the best more often than
the others'.
"""

from agent.study.nouns import History, TrialState

STATISTICAL = ("gp", "tpe")
"""Sources of the statistical optimiser's own trials."""

FREE_TRIALS = 10
"""Trials before the statistical optimiser has a share of its own: until then it has little to go by."""

MIN_STATISTICAL, MAX_STATISTICAL = 0.15, 0.6
FORGET = 0.92
"""Per trial, in the count of improvements of each side."""

MAX_LLM_SHARE, MIN_LLM_SHARE = 0.34, 0.1
JUDGED_PICKS = 3
"""The LLM's share depends on this many of its latest finished trials."""


def statistical_is_due(history: History) -> bool:
    """Whether the next trial is the statistical optimiser's."""
    later = history.trials[FREE_TRIALS:]
    own = sum(t.proposal.source in STATISTICAL for t in later)
    return len(history.trials) >= FREE_TRIALS and own + 1 <= statistical_share(history) * (len(later) + 1)


def statistical_share(history: History) -> float:
    """The statistical optimiser's share, by how often its trials and the others' were a new best, lately above all."""
    sign = history.direction.sign
    hits, tries = {True: 0.5, False: 1.0}, {True: 4.0, False: 4.0}
    best: float | None = None
    for trial in history.trials:
        if trial.state not in (TrialState.COMPLETE, TrialState.FAILED):
            continue
        score = None if trial.score is None else sign * trial.score
        better = score is not None and (best is None or score > best)
        if trial.number > 0:
            own = trial.proposal.source in STATISTICAL
            for side in (True, False):
                hits[side], tries[side] = hits[side] * FORGET, tries[side] * FORGET
            hits[own], tries[own] = hits[own] + better, tries[own] + 1.0
        best = score if better else best
    rates = {side: (hits[side] + 0.1) / (tries[side] + 1.0) for side in (True, False)}
    return min(max(rates[True] / (rates[True] + rates[False]), MIN_STATISTICAL), MAX_STATISTICAL)


def llm_is_due(history: History, name: str = "llm") -> bool:
    """Whether the LLM's candidates may be chosen for the next trial."""
    searched = [t for t in history.trials if t.proposal.source not in ("default", "portfolio")]
    picks = sum(t.proposal.source == name for t in searched)
    return picks + 1 <= llm_share(history, name) * (len(searched) + 1)


def llm_share(history: History, name: str = "llm") -> float:
    """The share of trials that the LLM has earned: least while its last picks all failed or were below the median."""
    finished = [t for t in history.trials if t.state in (TrialState.COMPLETE, TrialState.FAILED)]
    picks = [t for t in finished if t.proposal.source == name][-JUDGED_PICKS:]
    scores = sorted(t.score for t in history.complete if t.score is not None)
    if len(picks) < JUDGED_PICKS or not scores:
        return MAX_LLM_SHARE
    median = scores[len(scores) // 2]
    sign = history.direction.sign
    useful = any(t.score is not None and sign * t.score >= sign * median for t in picks)
    return MAX_LLM_SHARE if useful else MIN_LLM_SHARE

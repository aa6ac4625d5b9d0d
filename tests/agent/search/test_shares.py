"""Shares of the sources, and their floors."""

from agent.search.shares import (
    FREE_TRIALS,
    MAX_STATISTICAL,
    MIN_STATISTICAL,
    llm_is_due,
    statistical_is_due,
    statistical_share,
)
from agent.study.nouns import History, Trial
from tests.agent.search.spaces import trial
from trainers.spec import Direction


def past(sources: list[str], scores: list[float]) -> History:
    """A history of these sources and scores."""
    trials = (trial(i, {"x": i}, score, source=s) for i, (s, score) in enumerate(zip(sources, scores, strict=True)))
    return History(direction=Direction.MAXIMIZE, trials=tuple(trials))


def play(n: int, rewards_statistical: bool) -> History:
    """`n` trials in which one side improves with every trial, and the other never."""
    trials: list[Trial] = []
    for i in range(n):
        seen = History(direction=Direction.MAXIMIZE, trials=tuple(trials))
        own = statistical_is_due(seen)
        trials.append(trial(i, {"x": i}, float(i) if own == rewards_statistical else -1.0, source="gp" if own else "x"))
    return History(direction=Direction.MAXIMIZE, trials=tuple(trials))


def test_the_statistical_optimiser_has_its_floor_whatever_the_others_give() -> None:
    """Over 60 trials at least the floor's share of the trials after the free ones."""
    later = play(60, rewards_statistical=False).trials[FREE_TRIALS:]
    own = sum(t.proposal.source == "gp" for t in later)
    assert own >= int(MIN_STATISTICAL * len(later))


def test_the_statistical_optimiser_gets_more_where_it_finds_more() -> None:
    """Improvements raise its share to the ceiling, never beyond."""
    good, bad = play(60, rewards_statistical=True), play(60, rewards_statistical=False)
    assert MIN_STATISTICAL <= statistical_share(bad) < statistical_share(good) <= MAX_STATISTICAL


def test_nobody_is_due_before_there_is_something_to_go_by() -> None:
    """The free trials are the models' and the LLM's."""
    assert not statistical_is_due(past(["x"] * (FREE_TRIALS - 1), [0.0] * (FREE_TRIALS - 1)))


def test_the_llm_waits_for_its_share() -> None:
    """One pick of one trial is above its share; after two other trials it is due again."""
    assert not llm_is_due(past(["default", "llm"], [0.1, 0.2]))
    assert llm_is_due(past(["default", "llm", "informed", "informed", "informed", "gp"], [0.1] * 6))

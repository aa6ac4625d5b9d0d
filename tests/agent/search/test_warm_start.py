"""Past trials in the history that a proposer is given."""

from agent.request.past import PastTrial
from agent.search.fresh import RandomSearch
from agent.search.statistical import OptunaSearch
from agent.search.warm_start import N_AGAIN, SOURCE, WarmStart, warmed_up
from agent.study.nouns import History, Proposal
from tests.agent.search.spaces import TYPICAL, history
from trainers.spec import Direction


class Watching:
    """Remembers what it was given."""

    name = "watching"

    def __init__(self) -> None:
        self.seen: History | None = None
        self.closed = False

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        self.seen = history
        return RandomSearch(TYPICAL).propose(history, n, seed)

    def close(self) -> None:
        self.closed = True


PAST = [
    PastTrial(config=t.config, state="complete" if t.score is not None else "failed", score=t.score)
    for t in history(TYPICAL, "cccfc", seed=9).trials
]


def test_past_trials_come_before_the_studys_own():
    """With negative numbers, so that the study's keep theirs."""
    inner = Watching()
    own = history(TYPICAL, "cf")
    WarmStart(inner, TYPICAL, PAST).propose(own, N_AGAIN + 1, 3)
    assert [t.number for t in inner.seen.trials] == [-5, -4, -3, -2, -1, 0, 1, 2, 3]
    assert inner.seen.trials[5:7] == own.trials
    assert [t.score for t in inner.seen.trials[:5]] == [p.score for p in PAST]


def test_the_best_past_configurations_are_run_again_first_and_once():
    """Only what the study has run can be handed back."""
    warm = WarmStart(OptunaSearch(TYPICAL, "tpe"), TYPICAL, PAST)
    ranked = sorted((p for p in PAST if p.score is not None), key=lambda p: -p.score)
    empty = History(direction=Direction.MAXIMIZE, trials=())
    first = warm.propose(empty, N_AGAIN, 0)
    assert [p.config for p in first] == [p.config for p in ranked[:N_AGAIN]]
    assert {p.source for p in first} == {SOURCE}
    later = warm.propose(empty.with_pending(first), 3, 0)
    assert SOURCE not in {p.source for p in later}
    keys = {TYPICAL.key(p.config) for p in PAST}
    assert not keys & {TYPICAL.key(p.config) for p in later}


def test_it_proposes_the_same_after_a_restart():
    """Nothing is remembered between calls."""
    own = history(TYPICAL, "ccc")
    one, other = (WarmStart(OptunaSearch(TYPICAL, "tpe"), TYPICAL, PAST).propose(own, 4, 7) for _ in range(2))
    assert one == other


def test_trials_outside_of_the_space_are_left_out():
    """The space may be narrower than the past study's."""
    inner = Watching()
    outside = PastTrial(config={"learning_rate": 5.0}, state="complete", score=1.0)
    WarmStart(inner, TYPICAL, [outside, *PAST]).propose(history(TYPICAL, "c"), N_AGAIN + 1, 0)
    assert len([t for t in inner.seen.trials if t.number < 0]) == len(PAST)


def test_without_past_trials_nothing_is_wrapped_and_closing_reaches_the_inner_one():
    """A proposer may hold a planner's call."""
    inner = Watching()
    assert warmed_up(inner, TYPICAL, ()) is inner
    warmed_up(inner, TYPICAL, PAST).close()
    assert inner.closed

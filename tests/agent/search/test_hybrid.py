"""The hybrid proposer: sources, predictions, filters, and what it gives on a surface."""

from collections.abc import Sequence
from random import Random
from statistics import fmean

import pytest

from agent.search.fresh import RandomSearch
from agent.search.hybrid import Hybrid
from agent.search.llm.beliefs import Belief, Beliefs
from agent.search.llm.task_card import TaskCard
from agent.search.proposer import Proposer
from agent.search.shares import FREE_TRIALS, MAX_LLM_SHARE, MIN_STATISTICAL
from agent.search.space_edits import SpaceEdit
from agent.study.nouns import History, Proposal, Trial
from tests.agent.search.spaces import TYPICAL, history, trial
from tests.agent.search.test_search import best, run
from trainers.spec import Config, Direction, Task


class Adviser:
    """An LLM source that offers uniform configurations and believes in high learning rates."""

    name = "llm"

    def __init__(self) -> None:
        self._rng, self.hints, self.asked, self.closed = Random(3), list[Config](), 0, False

    @property
    def beliefs(self) -> Sequence[Beliefs]:
        """One statement."""
        return (Beliefs(beliefs=(Belief(parameter="learning_rate", median=3e-3, spread=0.1, confidence=0.9),)),)

    def propose(self, past: History, n: int, seed: int) -> list[Proposal]:
        """`n` uniform configurations."""
        return [Proposal(config=TYPICAL.sample(self._rng), source=self.name, llm_call_id=7) for _ in range(n)]

    def prefetch(self, past: History) -> None:
        """Counted."""
        self.asked += 1

    def space_edits(self) -> Sequence[SpaceEdit]:
        """One wish."""
        return (SpaceEdit(parameter="learning_rate", high=1e-2),)

    def close(self) -> None:
        """Remembered."""
        self.closed = True


def sources(trials: list[Trial]) -> list[str]:
    """Where the configurations came from."""
    return [t.proposal.source for t in trials]


def test_it_beats_random_search_early() -> None:
    """Mean best score of 10 trials over six seeds on a surface with a cliff; random search spreads its points."""
    ours = fmean(best(run(Hybrid(TYPICAL, incontext=False), 10, seed)) for seed in range(6))
    theirs = fmean(best(run(RandomSearch(TYPICAL), 10, seed)) for seed in range(6))
    assert ours > theirs + 0.005


def test_sources_are_told_and_the_statistical_optimiser_has_its_share() -> None:
    """Default, published settings, then the models' picks and Optuna's."""
    told = sources(run(Hybrid(TYPICAL, TaskCard(task=Task.CLASSIFICATION, trials=24)), 24, 1))
    assert told[:4] == ["default", "portfolio", "portfolio", "portfolio"]
    later = told[FREE_TRIALS:]
    assert sum(s in ("gp", "tpe") for s in later) >= int(MIN_STATISTICAL * len(later))
    assert set(told[4:]) <= {"informed", "incontext", "gp", "tpe", "tpe-pool"}


def test_proposals_carry_predictions_in_the_units_of_the_score() -> None:
    """After some trials each proposal of a model says what it expects, near what such trials gave."""
    past = History(direction=Direction.MAXIMIZE, trials=tuple(run(RandomSearch(TYPICAL), 12, 2)))
    for seed in range(3):
        (proposal,) = Hybrid(TYPICAL, incontext=False).propose(past, 1, seed)
        assert proposal.predicted_mean is not None
        assert 0.0 < proposal.predicted_mean < 1.2
        assert proposal.predicted_sd is not None
        assert 0.0 < proposal.predicted_sd < 1.0


def test_the_llm_adds_candidates_within_its_share() -> None:
    """Its picks keep their call; it hears the optimiser's hints; the loop's calls reach it."""
    adviser = Adviser()
    hybrid = Hybrid(TYPICAL, llm=adviser, incontext=False)  # type: ignore[arg-type]
    trials = run(hybrid, 20, 0)
    picks = [t for t in trials if t.proposal.source == "llm"]
    assert 1 <= len(picks) <= MAX_LLM_SHARE * 20 + 1
    assert all(t.proposal.llm_call_id == 7 for t in picks)
    assert 1 <= len(adviser.hints) <= 3
    hybrid.prefetch(History(direction=Direction.MAXIMIZE, trials=tuple(trials)))
    assert adviser.asked == 1
    assert [e.parameter for e in hybrid.space_edits()] == ["learning_rate"]
    hybrid.close()
    assert adviser.closed


def low_rate(config: Config) -> bool:
    """An analytic model that allows low learning rates only."""
    return float(config["learning_rate"]) < 1e-4


def test_what_does_not_fit_is_not_proposed() -> None:
    """From any source, while something fits."""
    hybrid = Hybrid(TYPICAL, fits=low_rate, incontext=False)
    for n in (0, 5, 14):
        assert all(low_rate(p.config) for p in hybrid.propose(history(TYPICAL, "c" * n), 2, n))


def test_where_nothing_fits_the_search_goes_on() -> None:
    """A wrong analytic model must not end a study."""
    hybrid = Hybrid(TYPICAL, fits=lambda config: False, incontext=False)
    assert hybrid.propose(history(TYPICAL, "ccc"), 1, 0)


@pytest.mark.parametrize("proposer", [Hybrid(TYPICAL, incontext=False), RandomSearch(TYPICAL)], ids=["ours", "random"])
def test_failures_are_avoided_sooner_than_by_chance(proposer: Proposer) -> None:
    """Of the trials after the tenth, on a space of which the upper third of learning rates fails."""
    rng = Random(1)

    def outcome(config: Config) -> float | None:
        return None if float(config["learning_rate"]) > 4.5e-4 else rng.random()

    trials: list[Trial] = [trial(0, TYPICAL.default(), 0.5, source="default")]
    while len(trials) < 24:
        past = History(direction=Direction.MAXIMIZE, trials=tuple(trials))
        (proposal,) = proposer.propose(past, 1, len(trials))
        trials.append(trial(len(trials), proposal.config, outcome(proposal.config), source=proposal.source))
    failed = sum(t.score is None for t in trials[10:])
    assert failed <= 2 if isinstance(proposer, Hybrid) else failed >= 3

"""Failures are learned from: which configurations would fail."""

from random import Random

import pytest

from agent.search.feasibility import Feasibility
from agent.study.nouns import History, Trial
from tests.agent.search.spaces import trial
from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Space
from trainers.spec import Config, Direction, FailureReason

SPACE = Space(
    parameters={
        "learning_rate": FloatParameter(low=1e-6, high=1e-2, log=True),
        "batch_size": IntParameter(low=4, high=256, log=True),
        "max_seq_length": IntParameter(low=64, high=4096, log=True),
        "optimizer": CategoricalParameter(choices=("adamw", "sgd", "lion")),
    }
)


def past(n: int, fails, seed: int = 0, reason: FailureReason = FailureReason.NAN) -> History:  # type: ignore[no-untyped-def]
    """`n` random trials of which those fail that `fails` says."""
    rng, trials = Random(seed), list[Trial]()
    for i in range(n):
        config = SPACE.sample(rng)
        done = trial(i, config, None if fails(config) else rng.random())
        trials.append(done.model_copy(update={"reason": reason}) if done.score is None else done)
    return History(direction=Direction.MAXIMIZE, trials=tuple(trials))


def high_rate(config: Config) -> bool:
    """A cliff of the learning rate."""
    return float(config["learning_rate"]) > 1e-3


def too_large(config: Config) -> bool:
    """Out of memory where both are large."""
    return float(config["batch_size"]) > 48 and float(config["max_seq_length"]) > 700


def is_sgd(config: Config) -> bool:
    """One word fails."""
    return config["optimizer"] == "sgd"


@pytest.mark.parametrize("fails", [high_rate, too_large, is_sgd])
def test_a_region_that_fails_is_found(fails) -> None:  # type: ignore[no-untyped-def]
    """After 25 trials new configurations are told apart far better than by chance."""
    found = Feasibility(SPACE, past(25, fails))
    rng = Random(99)
    fresh = [SPACE.sample(rng) for _ in range(300)]
    chances = found.probabilities(fresh)
    bad = [c for config, c in zip(fresh, chances, strict=True) if fails(config)]
    good = [c for config, c in zip(fresh, chances, strict=True) if not fails(config)]
    wins = sum(g > b for g in good for b in bad) / (len(good) * len(bad))
    assert wins > 0.85  # area under the ROC curve


def test_nothing_is_avoided_while_nothing_has_failed() -> None:
    """No failure, no region."""
    found = Feasibility(SPACE, past(20, lambda config: False))
    assert found.probabilities([SPACE.default()])[0] > 0.95


def test_failures_for_outside_reasons_are_no_evidence() -> None:
    """A full disk says nothing of the learning rate."""
    found = Feasibility(SPACE, past(20, high_rate, reason=FailureReason.DISK))
    assert found.probabilities([SPACE.default()])[0] > 0.95

"""What the LLM said weighs less with time, never rules anything out, and is refused where it promises little."""

import math
from random import Random

import numpy as np
import pytest

from agent.search.llm.accepted import MAX_LOG, accepted, factor
from agent.search.llm.beliefs import Belief, Beliefs
from tests.agent.search.spaces import TYPICAL
from trainers.spec import Config

HIGH = Beliefs(beliefs=(Belief(parameter="learning_rate", median=3e-3, spread=0.08, confidence=0.9),))
CONFIGS = [TYPICAL.sample(Random(i)) for i in range(30)]


def rates(configs: list[Config]) -> np.ndarray:
    """Their learning rates, in powers of ten."""
    return np.array([math.log10(float(c["learning_rate"])) for c in configs])


def test_stated_regions_weigh_more_and_none_is_ruled_out() -> None:
    """The factor follows the density, within its bounds."""
    found = factor(TYPICAL, [HIGH], CONFIGS, 0)
    assert np.corrcoef(found, rates(CONFIGS))[0, 1] > 0.5
    assert found.min() >= math.exp(-MAX_LOG) - 1e-9
    assert found.max() <= math.exp(MAX_LOG) + 1e-9


def test_a_statement_fades() -> None:
    """After forty trials next to nothing is left of it."""
    early, late = (np.log(factor(TYPICAL, [HIGH], CONFIGS, n)) for n in (0, 40))
    assert np.abs(late).max() < 0.01 < np.abs(early).max()


def test_many_statements_are_bounded_as_one() -> None:
    """Eight sure statements do no more than one can."""
    assert factor(TYPICAL, [HIGH] * 8, CONFIGS, 0).max() <= math.exp(MAX_LOG) + 1e-9


@pytest.mark.parametrize("good_is_high", [True, False])
def test_a_statement_must_promise_what_the_best_region_does(good_is_high: bool) -> None:
    """Refused where the scores say that low rates are good, kept where they agree."""

    def promise(configs: list[Config]) -> float:
        return float(rates(configs).mean() if good_is_high else -rates(configs).mean())

    around = sorted(CONFIGS, key=lambda c: float(c["learning_rate"]), reverse=good_is_high)[:5]
    held = accepted(TYPICAL, [HIGH], promise, around, n_scores=5, seed=1)
    assert held == ([HIGH] if good_is_high else [])


def test_a_statement_before_any_scores_stands() -> None:
    """With nothing to test it by."""
    assert accepted(TYPICAL, [HIGH], lambda configs: 0.0, [], n_scores=0, seed=1) == [HIGH]

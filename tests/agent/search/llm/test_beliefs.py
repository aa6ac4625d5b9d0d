"""Beliefs about hyperparameters as densities: normalised, bounded, and drawn from faithfully.

What the LLM said weighs less with time, never rules anything out, and is refused where it promises little.
"""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.search.llm.beliefs import (
    MAX_CONFIDENCE,
    MAX_LOG,
    MIN_SPREAD,
    Belief,
    Beliefs,
    accepted,
    confidence_of,
    factor,
    spread_of,
)
from tests.agent.search.spaces import TYPICAL, spaces
from trainers.space import CategoricalParameter, FloatParameter, Space, unit
from trainers.spec import Config

RATE = Space(parameters={"learning_rate": FloatParameter(low=1e-5, high=1e-2, log=True)})

HIGH = Beliefs(beliefs=(Belief(parameter="learning_rate", median=3e-3, spread=0.08, confidence=0.9),))
CONFIGS = [TYPICAL.sample(Random(i)) for i in range(30)]


def belief(median: float | str, spread: float = 0.1, confidence: float = 0.75, name: str = "learning_rate") -> Belief:
    return Belief(parameter=name, median=median, spread=spread, confidence=confidence)


@settings(max_examples=60, deadline=None)
@given(
    space=spaces(),
    place=st.floats(0.0, 1.0),
    spread=st.floats(MIN_SPREAD, 1.0),
    confidence=st.floats(0.0, MAX_CONFIDENCE),
    seed=st.integers(0, 99),
)
def test_any_belief_leaves_its_floor_everywhere(
    space: Space, place: float, spread: float, confidence: float, seed: int
) -> None:
    """The density never falls below (1 - confidence) per hyperparameter, and draws are canonical members."""
    beliefs = Beliefs(beliefs=tuple(belief(p.at(place), spread, confidence, n) for n, p in space.parameters.items()))
    rng = Random(seed)
    drawn = beliefs.sample(space, rng)
    assert drawn == space.canonical(drawn)
    floor = len(space.free) * math.log(1.0 - confidence)
    for config in (drawn, space.sample(rng)):
        assert floor - 1e-9 <= beliefs.log_density(space, config) < math.inf


@pytest.mark.parametrize("centre", [1e-5, 3e-4, 1e-2])
@pytest.mark.parametrize("spread", [0.02, 0.2, 1.0])
def test_the_density_over_a_log_range_has_mean_one(centre: float, spread: float) -> None:
    """Relative to the uniform density it averages 1, so two beliefs can be compared; also at the ends of the range."""
    beliefs = Beliefs(beliefs=(belief(centre, spread),))
    parameter = RATE.parameters["learning_rate"]
    configs = [{"learning_rate": parameter.at((i + 0.5) / 4000)} for i in range(4000)]
    mean = sum(math.exp(beliefs.log_density(RATE, c)) for c in configs) / len(configs)
    assert mean == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("choices", [("linear", "cosine", "constant"), (4, 8, 16, 32, 64)])
def test_the_density_over_choices_has_mean_one_and_its_mode_at_the_median(choices: tuple[str | int, ...]) -> None:
    """For words as for rising numbers."""
    space = Space(parameters={"c": CategoricalParameter(choices=choices)})
    beliefs = Beliefs(beliefs=(belief(choices[1], 0.3, 0.8, "c"),))
    densities = [math.exp(beliefs.log_density(space, {"c": c})) for c in choices]
    assert sum(densities) / len(densities) == pytest.approx(1.0)
    assert max(densities) == densities[1]


def test_draws_follow_the_belief() -> None:
    """Of 2,000 draws about confidence x 68 % lie within one spread of the median, plus the uniform's part."""
    beliefs, rng = Beliefs(beliefs=(belief(3.16e-4, 0.1, 0.8),)), Random(3)
    parameter = RATE.parameters["learning_rate"]
    near = [abs(unit(parameter, beliefs.sample(RATE, rng)["learning_rate"]) - 0.5) <= 0.1 for _ in range(2000)]
    assert sum(near) / len(near) == pytest.approx(0.8 * 0.683 + 0.2 * 0.2, abs=0.04)


def test_indifference_is_zero() -> None:
    """No beliefs, no confidence, unknown or fixed hyperparameters and values outside: log density 0."""
    config = TYPICAL.default()
    for beliefs in (
        Beliefs(),
        Beliefs(beliefs=(belief(1e-4, 0.1, 0.0),)),
        Beliefs(beliefs=(belief(1.0, name="momentum"), belief(0.0, name="weight_decay"), belief(9.9))),
    ):
        assert beliefs.log_density(TYPICAL, config) == 0.0


def test_words_and_shares_are_understood() -> None:
    """Spread and confidence as words or numbers; the rest is refused."""
    assert spread_of("narrow") < spread_of("Medium") < spread_of("wide")
    assert (spread_of(0.3), spread_of("0.3"), spread_of(0)) == (0.3, 0.3, MIN_SPREAD)
    assert confidence_of("low") < confidence_of("high") < confidence_of(1.0) == MAX_CONFIDENCE
    for bad in (None, True, "huge", -1, 2, "nan", 10**400):
        with pytest.raises(ValueError, match="must be"):
            spread_of(bad)


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

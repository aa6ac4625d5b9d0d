"""What a planner LLM believes about good hyperparameters, as a factor on the acquisition that fades and can be refused.

A belief is a median, a spread and a confidence. It is mixed with indifference by its confidence, so even a wrong one
that is sure of itself leaves at least 1 - `MAX_CONFIDENCE` of the uniform density everywhere: it can slow a search
down, not blind it.

The factor is the stated density to a power that halves every `HALF_LIFE` trials since it was said, and falls with the
number of trials that there are (after piBO, Hvarfner et al. 2022, and DynaBO): a model that goes on saying the same is
not heard for ever. Its logarithm is bounded, so that no statement can rule anything out. A statement is refused while
the configurations it suggests promise less than those around the best one do: DynaBO's test, on upper confidence
bounds.
"""

import math
from collections.abc import Callable, Sequence
from random import Random
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agent.search.fresh import completed
from agent.search.llm.text import number_in
from trainers.space import CategoricalParameter, IntParameter, Parameter, Space, is_fixed, is_ordered, unit
from trainers.spec import Closed, Config, Scalar

SPREADS = {"narrow": 0.08, "medium": 0.2, "wide": 0.45}
"""Words for the standard deviation, in shares of the parameter's own scale."""

CONFIDENCES = {"low": 0.25, "medium": 0.5, "high": 0.75}
MAX_CONFIDENCE = 0.9
MIN_SPREAD = 0.02

HALF_LIFE = 4.0
"""Trials; the reference asks for 3 to 5."""

EVEN_AFTER = 6.0
"""Finished trials after which a new statement has half of the power."""

MAX_LOG = 0.7
"""Largest logarithm of the factor, either way."""

N_DRAWN = 24
TOLERANCE = 0.25
"""How much less a statement may promise, in standard deviations of the scores."""

MIN_SCORES = 2
"""Scored trials before a statement is tested; before, it is as good as anything that is known."""

Array = NDArray[np.float64]
_NORMAL = NormalDist()


class Belief(Closed):
    """Where good values of one hyperparameter are expected."""

    parameter: str
    median: Scalar
    spread: float = Field(ge=MIN_SPREAD, le=1.0, description="standard deviation as a share of the parameter's scale")
    confidence: float = Field(ge=0.0, le=MAX_CONFIDENCE)


class Beliefs(Closed):
    """One statement about the hyperparameters of a space; parameters without a belief count as indifferent."""

    beliefs: tuple[Belief, ...] = ()
    after_trials: int = Field(0, ge=0, description="trials that were over when it was made")

    def log_density(self, space: Space, config: Config) -> float:
        """Logarithm of the density at `config` relative to a uniform one over `space`; 0.0 means indifferent.

        A product over the active hyperparameters: a Gaussian cut off at the ends of the parameter's own (log) scale, or
        a table for choices, mixed with the uniform. Beliefs that `space` has no use for are left out.
        """
        return sum(
            math.log(
                1.0 - b.confidence + b.confidence * _relative(space.parameters[b.parameter], b, config[b.parameter])
            )
            for b in self._usable(space)
            if b.parameter in config
        )

    def sample(self, space: Space, rng: Random) -> Config:
        """A canonical configuration drawn from that density."""
        values = {name: parameter.at(rng.random()) for name, parameter in space.parameters.items()}
        for belief in self._usable(space):
            if rng.random() < belief.confidence:
                values[belief.parameter] = _draw(space.parameters[belief.parameter], belief, rng)
        return completed(space, values)

    def _usable(self, space: Space) -> list[Belief]:
        return [
            b
            for b in self.beliefs
            if b.parameter in space.parameters
            and not is_fixed(space.parameters[b.parameter])
            and space.parameters[b.parameter].accepts(b.median)
        ]


def spread_of(word: Scalar | None) -> float:
    """A spread given as a word or as a share of the scale. Raises ValueError for anything else."""
    return min(max(_number(word, SPREADS, "spread"), MIN_SPREAD), 1.0)


def confidence_of(word: Scalar | None) -> float:
    """A confidence given as a word or as a probability. Raises ValueError for anything else."""
    return min(_number(word, CONFIDENCES, "confidence"), MAX_CONFIDENCE)


def _number(word: Scalar | None, words: dict[str, float], what: str) -> float:
    if isinstance(word, str) and word.strip().lower() in words:
        return words[word.strip().lower()]
    if not 0.0 <= (number := number_in(word)) <= 1.0:
        raise ValueError(f"{what} must be {', '.join(words)} or between 0 and 1, got {str(word)[:40]!r}")
    return number


def _relative(parameter: Parameter, belief: Belief, value: Scalar) -> float:
    """Density at `value` over the uniform one."""
    if not isinstance(parameter, CategoricalParameter):
        u, (centre, low, high) = unit(parameter, value), _cut(parameter, belief)
        return _NORMAL.pdf((u - centre) / belief.spread) / belief.spread / (high - low)
    return table(parameter, belief)[parameter.choices.index(value)] * len(parameter.choices)


def _cut(parameter: Parameter, belief: Belief) -> tuple[float, float, float]:
    """The median in [0, 1] of the scale, and the share of the Gaussian below each end of it."""
    centre = unit(parameter, belief.median)
    return centre, _NORMAL.cdf((0.0 - centre) / belief.spread), _NORMAL.cdf((1.0 - centre) / belief.spread)


def table(parameter: CategoricalParameter, belief: Belief) -> list[float]:
    """Probability of each choice: falling with the distance where choices are ordered, else the median against the
    rest, which share the spread."""
    k, middle = len(parameter.choices), parameter.choices.index(belief.median)
    if is_ordered(parameter):
        step = 1.0 / max(k - 1, 1)
        weights = [math.exp(-0.5 * ((i - middle) * step / belief.spread) ** 2) for i in range(k)]
    else:
        share = max(1.0 - belief.spread, 1.0 / k)
        weights = [share if i == middle else (1.0 - share) / max(k - 1, 1) for i in range(k)]
    return [w / sum(weights) for w in weights]


def _draw(parameter: Parameter, belief: Belief, rng: Random) -> Scalar:
    if isinstance(parameter, CategoricalParameter):
        return rng.choices(parameter.choices, table(parameter, belief))[0]
    centre, low, high = _cut(parameter, belief)
    quantile = min(max(low + rng.random() * (high - low), 1e-12), 1.0 - 1e-12)
    place = min(max(centre + belief.spread * _NORMAL.inv_cdf(quantile), 0.0), 1.0)
    value = parameter.at(place)
    return int(value) if isinstance(parameter, IntParameter) else value


def factor(space: Space, statements: Sequence[Beliefs], configs: Sequence[Config], n_over: int) -> Array:
    """Factors (len(configs),) in [exp(-MAX_LOG), exp(MAX_LOG)]; 1 where nothing was said. `n_over`: finished trials."""
    total, fade = np.zeros(len(configs)), 1.0 / (1.0 + n_over / EVEN_AFTER)
    for beliefs in statements:
        weight = fade * 0.5 ** (max(0, n_over - beliefs.after_trials) / HALF_LIFE)
        logs = np.array([beliefs.log_density(space, config) for config in configs])
        total += weight * np.clip(logs, -2 * MAX_LOG, 2 * MAX_LOG)
    return np.asarray(np.exp(np.clip(total, -MAX_LOG * fade, MAX_LOG * fade)))


def accepted(
    space: Space,
    statements: Sequence[Beliefs],
    promise: Callable[[list[Config]], float],
    around_best: list[Config],
    n_scores: int,
    seed: int,
) -> list[Beliefs]:
    """The statements that pass the test. `promise` gives the mean upper confidence bound of configurations, in standard
    deviations of the scores; `around_best` are configurations near the incumbent."""
    if n_scores < MIN_SCORES or not around_best or not statements:
        return list(statements)
    least = promise(around_best) - TOLERANCE
    rng = Random(seed)
    return [b for b in statements if promise([b.sample(space, rng) for _ in range(N_DRAWN)]) >= least]

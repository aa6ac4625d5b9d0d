"""What somebody believes about good hyperparameters: a median, a spread and a confidence for each.

A belief is mixed with indifference by its confidence, so even a wrong one that is sure of itself leaves at least
1 - `MAX_CONFIDENCE` of the uniform density everywhere: it can slow a search down, not blind it.
"""

import math
from random import Random
from statistics import NormalDist

from pydantic import Field

from agent.search.fresh import completed
from trainers.space import CategoricalParameter, IntParameter, Parameter, Space, is_fixed, is_ordered, unit
from trainers.spec import Closed, Config, Scalar

SPREADS = {"narrow": 0.08, "medium": 0.2, "wide": 0.45}
"""Words for the standard deviation, in shares of the parameter's own scale."""

CONFIDENCES = {"low": 0.25, "medium": 0.5, "high": 0.75}
MAX_CONFIDENCE = 0.9
MIN_SPREAD = 0.02

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
    try:
        number = math.nan if word is None or isinstance(word, bool) else float(word)
    except (ValueError, OverflowError):
        number = math.nan
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{what} must be {', '.join(words)} or between 0 and 1, got {str(word)[:40]!r}")
    return number


def _relative(parameter: Parameter, belief: Belief, value: Scalar) -> float:
    """Density at `value` over the uniform one."""
    if not isinstance(parameter, CategoricalParameter):
        centre, u = unit(parameter, belief.median), unit(parameter, value)
        low, high = _NORMAL.cdf((0.0 - centre) / belief.spread), _NORMAL.cdf((1.0 - centre) / belief.spread)
        return _NORMAL.pdf((u - centre) / belief.spread) / belief.spread / (high - low)
    return table(parameter, belief)[parameter.choices.index(value)] * len(parameter.choices)


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
    centre = unit(parameter, belief.median)
    low, high = _NORMAL.cdf((0.0 - centre) / belief.spread), _NORMAL.cdf((1.0 - centre) / belief.spread)
    quantile = min(max(low + rng.random() * (high - low), 1e-12), 1.0 - 1e-12)
    place = min(max(centre + belief.spread * _NORMAL.inv_cdf(quantile), 0.0), 1.0)
    value = parameter.at(place)
    return int(value) if isinstance(parameter, IntParameter) else value

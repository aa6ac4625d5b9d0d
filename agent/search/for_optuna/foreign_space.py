"""Optuna's search spaces as ours: every hyperparameter with the way there and back.

Numbers and words keep their names and values where they can, for names and ranges tell the proposer what to expect.
What has no place in a `Space` (a None, an object, a step, a range far narrower than its distance from 0) travels as
something that has.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Parameter, Space
from trainers.spec import Config, Scalar

MAX_LISTED = 64
"""Stepped ranges of at most this many values are listed; longer ones are ranges whose values are put on the grid."""

NARROW = 0.2
"""Narrower ranges, as a share of the larger bound, are counted from the lower bound: a `Space` knows three digits."""

LARGEST = 1e100
"""Bounds beyond this in size are no bounds."""


@dataclass(frozen=True)
class Dimension:
    """One hyperparameter: Optuna's distribution, and ours."""

    distribution: Any
    parameter: Parameter
    values: tuple[Any, ...] = ()
    """Optuna's, in the order of our choices; empty for a range."""
    offset: float = 0.0
    """Optuna's = ours + offset."""

    def inward(self, value: Any) -> Scalar:
        """Our form of one of Optuna's values. Raises ValueError for a value that is none of the hyperparameter's."""
        if isinstance(self.parameter, CategoricalParameter):
            return self.parameter.choices[self._place(value)]
        if not math.isfinite(number := float(value)):
            raise ValueError(f"a number must be finite, got {value!r}")
        return int(value) if isinstance(self.parameter, IntParameter) else number - self.offset

    def outward(self, scalar: Scalar) -> Any:
        """Optuna's form of a value of ours, in range and on the grid, as a plain Python value."""
        if isinstance(self.parameter, CategoricalParameter):
            return self.values[self.parameter.choices.index(scalar)]
        low, high, step = self.distribution.low, self.distribution.high, self.distribution.step
        number = float(scalar) + self.offset
        if step:
            number = low + step * round((number - low) / step)
        return type(low)(min(max(number, low), high))

    def _place(self, value: Any) -> int:
        if isinstance(self.distribution, CategoricalDistribution):
            return int(self.distribution.to_internal_repr(value))
        place: int = round((float(value) - self.distribution.low) / self.distribution.step)
        if not 0 <= place < len(self.values):
            raise ValueError(f"must be in {self.distribution}, got {value!r}")
        return place


@dataclass(frozen=True)
class ForeignSpace:
    """Named dimensions, and the `Space` they make."""

    dimensions: dict[str, Dimension]
    space: Space

    def inward(self, params: Mapping[str, Any]) -> Config | None:
        """The canonical config of `params`, of which other names are left out; None where it is no member."""
        try:
            return self.space.canonical({n: d.inward(params[n]) for n, d in self.dimensions.items()})
        except (KeyError, ValueError, TypeError, OverflowError):
            return None

    def outward(self, config: Config) -> dict[str, Any]:
        """Optuna's values of a config of ours."""
        return {name: dimension.outward(config[name]) for name, dimension in self.dimensions.items()}


def foreign_space(search_space: Mapping[str, BaseDistribution]) -> ForeignSpace:
    """The search space as ours. Raises ValueError for ranges without finite bounds."""
    dimensions = {name: _dimension(distribution) for name, distribution in search_space.items()}
    return ForeignSpace(dimensions, Space(parameters={n: d.parameter for n, d in dimensions.items()}))


def _dimension(distribution: BaseDistribution) -> Dimension:
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        return Dimension(distribution, CategoricalParameter(choices=_labels(choices)), choices)
    if isinstance(distribution, IntDistribution):
        return _whole(distribution)
    assert isinstance(distribution, FloatDistribution)
    return _real(distribution)


def _labels(choices: Sequence[Any]) -> tuple[Scalar, ...]:
    """The choices themselves where a `Space` can tell them apart; else words, else numbers of their places."""
    plain = [c for c in choices if isinstance(c, (bool, int, float, str)) and (isinstance(c, str) or math.isfinite(c))]
    if len(plain) == len(choices) == len(set(plain)):  # 1, 1.0 and True are one value to a `Space`
        return tuple(plain)
    words = [str(c) if isinstance(c, (bool, int, float, str)) or c is None else f"#{i}" for i, c in enumerate(choices)]
    return tuple(words) if len(set(words)) == len(words) else tuple(f"#{i}" for i in range(len(choices)))


def _whole(distribution: IntDistribution) -> Dimension:
    values = tuple(range(distribution.low, distribution.high + 1, distribution.step))
    if distribution.step > 1 and len(values) <= MAX_LISTED:
        return Dimension(distribution, CategoricalParameter(choices=values), values)
    return Dimension(distribution, IntParameter(low=distribution.low, high=distribution.high, log=distribution.log))


def _real(distribution: FloatDistribution) -> Dimension:
    low, high, log = distribution.low, distribution.high, distribution.log
    if not (abs(low) <= LARGEST and abs(high) <= LARGEST):
        raise ValueError(f"a range must have finite bounds, got {low} to {high}")
    if distribution.step and (n := math.floor((high - low) / distribution.step + 1e-8) + 1) <= MAX_LISTED:
        values = tuple(min(low + i * distribution.step, high) for i in range(n))
        labels = tuple(float(f"{value:.12g}") for value in values)
        if len(set(labels)) == n:
            return Dimension(distribution, CategoricalParameter(choices=labels), values)
    if 0 < high - low < NARROW * max(abs(low), abs(high)):
        return Dimension(distribution, FloatParameter(low=0.0, high=high - low), offset=low)
    return Dimension(distribution, FloatParameter(low=low, high=high, log=log))

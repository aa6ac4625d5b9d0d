"""Search spaces of other libraries as ours: every hyperparameter with the way there and back.

Numbers and words keep their names and values where they can, for names and ranges tell the proposer what to expect.
What has no place in a `Space` (a None, an object, a step, a range far narrower than its distance from 0) travels as
something that has.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """One hyperparameter: ours, and what its values mean to the other library."""

    parameter: Parameter
    values: tuple[Any, ...] = ()
    """Theirs, in the order of our choices; empty for a range."""
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    offset: float = 0.0
    """Theirs = ours + offset."""

    def inward(self, value: Any) -> Scalar:
        """Our form of one of their values. Raises ValueError for a value that is none of the hyperparameter's."""
        if isinstance(self.parameter, CategoricalParameter):
            return self.parameter.choices[self._place(value)]
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"a number must be finite, got {value!r}")
        if isinstance(self.parameter, IntParameter):
            return int(value)
        return number - self.offset

    def outward(self, scalar: Scalar) -> Any:
        """Their form of a value of ours, in range and on the grid, as a plain Python value."""
        if isinstance(self.parameter, CategoricalParameter):
            return self.values[self.parameter.choices.index(scalar)]
        if isinstance(self.parameter, IntParameter):
            step, low = int(self.step or 1), int(self.low)
            return min(low + step * round((int(scalar) - low) / step), int(self.high))
        number = float(scalar) + self.offset
        if self.step:
            number = self.low + self.step * round((number - self.low) / self.step)
        return min(max(number, self.low), self.high)

    def _place(self, value: Any) -> int:
        if self.step is not None:
            place = round((float(value) - self.low) / self.step)
            if not 0 <= place < len(self.values):
                raise ValueError(f"must be between {self.low:g} and {self.high:g}, got {value!r}")
            return place
        for compare in (_same, _equal):
            for place, known in enumerate(self.values):
                if compare(value, known):
                    return place
        raise ValueError(f"must be one of the choices, got {value!r}")


def listed(choices: Sequence[Any]) -> Dimension:
    """One of `choices`, of any type. Raises ValueError without any."""
    if not choices:
        raise ValueError("a choice needs at least one value")
    plain = [c for c in choices if isinstance(c, (bool, int, float, str)) and (isinstance(c, str) or math.isfinite(c))]
    if len(plain) == len(choices) == len(set(plain)):  # 1, 1.0 and True are one value to a `Space`
        return Dimension(CategoricalParameter(choices=tuple(plain)), tuple(choices))
    words = [str(c) if isinstance(c, (bool, int, float, str)) or c is None else f"#{i}" for i, c in enumerate(choices)]
    if len(set(words)) < len(words):
        words = [f"#{i}" for i in range(len(choices))]
    return Dimension(CategoricalParameter(choices=tuple(words)), tuple(choices))


def whole(low: int, high: int, *, log: bool = False, step: int = 1) -> Dimension:
    """A whole number in [low, high], both included; with a step low, low + step, and so on."""
    values = range(low, high + 1, step)
    if step > 1 and len(values) <= MAX_LISTED:
        return Dimension(CategoricalParameter(choices=tuple(values)), tuple(values), low, values[-1], step)
    return Dimension(IntParameter(low=low, high=values[-1], log=log), (), low, values[-1], step)


def real(low: float, high: float, *, log: bool = False, step: float | None = None) -> Dimension:
    """A real number in [low, high]; with a step low, low + step, and so on. Raises ValueError for endless ranges."""
    if not (abs(low) <= LARGEST and abs(high) <= LARGEST):
        raise ValueError(f"a range must have finite bounds, got {low} to {high}")
    if step and (n := math.floor((high - low) / step + 1e-8) + 1) <= MAX_LISTED:
        values = tuple(min(low + i * step, high) for i in range(n))
        labels = tuple(float(f"{value:.12g}") for value in values)
        if len(set(labels)) == n:
            return Dimension(CategoricalParameter(choices=labels), values, low, high, step)
    offset, width = 0.0, high - low
    if 0 < width < NARROW * max(abs(low), abs(high)):
        low_of_ours, high_of_ours, log, offset = 0.0, width, False, low
    else:
        low_of_ours, high_of_ours = low, high
    return Dimension(FloatParameter(low=low_of_ours, high=high_of_ours, log=log), (), low, high, step, offset)


@dataclass(frozen=True)
class ForeignSpace:
    """Named dimensions, and the `Space` they make."""

    dimensions: dict[str, Dimension]
    space: Space

    @classmethod
    def of(cls, dimensions: Mapping[str, Dimension]) -> "ForeignSpace":
        """The space of `dimensions`, in their order."""
        return cls(dict(dimensions), Space(parameters={n: d.parameter for n, d in dimensions.items()}))

    def inward(self, params: Mapping[str, Any]) -> Config | None:
        """The canonical config of `params`, of which other names are left out; None where it is no member."""
        try:
            return self.space.canonical({n: d.inward(params[n]) for n, d in self.dimensions.items()})
        except (KeyError, ValueError, TypeError, OverflowError):
            return None

    def outward(self, config: Config) -> dict[str, Any]:
        """The other library's values of a config of ours."""
        return {name: dimension.outward(config[name]) for name, dimension in self.dimensions.items()}


def _same(one: Any, other: Any) -> bool:
    """Equal and of one type, or the same object; a NaN is the same as a NaN."""
    if one is other:
        return True
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:  # a foreign type's comparison may raise or return an array
        return False


def _equal(one: Any, other: Any) -> bool:
    """Equal, whatever the types: a storage may have made a list of a tuple's place, or 1.0 of a 1."""
    try:
        return bool(one == other)
    except Exception:  # as above
        return False

"""The typed set of configurations a study searches.

A `Space` is data (JSON in the plan, in the store and in benchmark tables), knows its defaults, which
hyperparameters are active under which conditions, and gives every configuration one canonical form and hash.
"""

import hashlib
import itertools
import json
import math
from random import Random
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trainers.spec import Closed, Config, Scalar

SIGNIFICANT_DIGITS = 3
"""Floats are rounded to this many digits: finer differences in a hyperparameter are below trial noise."""


def rounded(value: float) -> float:
    """`value` at the resolution at which two configurations count as equal."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


class _Interval(Closed):
    type: Literal["float", "int"]
    low: float
    high: float
    log: bool = False
    default: float | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low <= high must hold, got low={self.low}, high={self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a log range must be above 0, got low={self.low}")
        if self.default is not None and not self.low <= self.default <= self.high:
            raise ValueError(f"default must be in [{self.low}, {self.high}], got {self.default}")
        return self

    def _between(self, fraction: float) -> float:
        if self.log:
            return math.exp(math.log(self.low) + fraction * (math.log(self.high) - math.log(self.low)))
        return self.low + fraction * (self.high - self.low)


class FloatParameter(_Interval):
    """A real number in [low, high], searched on a log scale if `log`."""

    type: Literal["float"] = "float"

    def at(self, fraction: float) -> float:
        """The value at `fraction` in [0, 1] of the (log) range."""
        return min(max(rounded(self._between(fraction)), self.low), self.high)

    def accepts(self, value: Scalar) -> bool:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        slack = 5 * 10.0**-SIGNIFICANT_DIGITS  # a rounded bound may lie just outside: 1.375 becomes 1.38
        return number and self.low - abs(self.low) * slack <= float(value) <= self.high + abs(self.high) * slack


class IntParameter(_Interval):
    """A whole number in [low, high], searched on a log scale if `log`."""

    type: Literal["int"] = "int"
    low: int
    high: int
    default: int | None = None

    def at(self, fraction: float) -> int:
        """The value at `fraction` in [0, 1] of the (log) range."""
        return min(max(round(self._between(fraction)), self.low), self.high)

    def accepts(self, value: Scalar) -> bool:
        whole = not isinstance(value, (bool, str)) and float(value).is_integer()
        return whole and self.low <= float(value) <= self.high


class CategoricalParameter(Closed):
    """One of the listed values; a single choice is a fixed value. Order is kept and may carry meaning."""

    type: Literal["categorical"] = "categorical"
    choices: Annotated[tuple[Scalar, ...], Field(min_length=1)]
    default: Scalar | None = None

    @model_validator(mode="after")
    def _listed(self) -> "CategoricalParameter":
        if self.default is not None and self.default not in self.choices:
            raise ValueError(f"default must be one of the choices {list(self.choices)}, got {self.default!r}")
        return self

    def at(self, fraction: float) -> Scalar:
        """The choice at `fraction` in [0, 1] of the list."""
        return self.choices[min(int(fraction * len(self.choices)), len(self.choices) - 1)]

    def accepts(self, value: Scalar) -> bool:
        return value in self.choices


Parameter = Annotated[FloatParameter | IntParameter | CategoricalParameter, Field(discriminator="type")]


class Condition(Closed):
    """The parameter is active only while `parameter` has one of `values`."""

    parameter: str
    values: tuple[Scalar, ...]


class Space(Closed):
    """Named parameters with their conditions. A config is valid if it holds exactly the active ones, each in range."""

    parameters: dict[str, Parameter]
    conditions: dict[str, Condition] = {}

    @model_validator(mode="after")
    def _check_conditions(self) -> "Space":
        for name, condition in self.conditions.items():
            if not {name, condition.parameter} <= set(self.parameters):
                raise ValueError(f"condition of {name!r} on {condition.parameter!r} names an unknown parameter")
        return self

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the parameters that have more than one value."""
        return tuple(name for name, parameter in self.parameters.items() if not is_fixed(parameter))

    def default(self) -> Config:
        """Trial 0: each parameter's default, or the middle of its range where it has none."""
        return self.canonical({n: p.at(0.5) if p.default is None else p.default for n, p in self.parameters.items()})

    def active(self, config: Config) -> tuple[str, ...]:
        """Names of the parameters that count under `config`, in order."""
        return tuple(n for n in self.parameters if self._is_active(n, config))

    def _is_active(self, name: str, config: Config) -> bool:
        condition = self.conditions.get(name)
        if condition is None:
            return True
        return config.get(condition.parameter) in condition.values and self._is_active(condition.parameter, config)

    def canonical(self, config: Config) -> Config:
        """`config` without inactive parameters, numbers typed and rounded, in the order of the space.

        Raises ValueError naming every unknown, missing or out-of-range parameter.
        """
        problems = self.problems(config)
        if problems:
            raise ValueError("; ".join(problems))
        return {name: _typed(self.parameters[name], config[name]) for name in self.active(config)}

    def problems(self, config: Config) -> list[str]:
        """What keeps `config` from being a member, one message each; empty when it is one."""
        names = ", ".join(self.parameters)
        active = self.active(config)
        unknown = [f"unknown hyperparameter {n!r}; known: {names}" for n in config if n not in self.parameters]
        missing = [f"{n} is not set" for n in active if n not in config]
        outside = [
            f"{n} must be {describe(self.parameters[n])}, got {config[n]!r}"
            for n in active
            if n in config and not self.parameters[n].accepts(config[n])
        ]
        return unknown + missing + outside

    def key(self, config: Config) -> str:
        """A hash that is equal for configurations that mean the same."""
        text = json.dumps(self.canonical(config), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def sample(self, rng: Random) -> Config:
        """One configuration, uniform on each parameter's own scale."""
        return self.canonical({name: parameter.at(rng.random()) for name, parameter in self.parameters.items()})


def unit(parameter: Parameter, value: Scalar) -> float:
    """Where `value` lies in [0, 1] of the parameter's own scale; a choice by its place in the list."""
    if isinstance(parameter, CategoricalParameter):
        return parameter.choices.index(value) / max(1, len(parameter.choices) - 1)
    if parameter.low == parameter.high:
        return 0.0
    return min(max(share(float(value), float(parameter.low), float(parameter.high), parameter.log), 0.0), 1.0)


def share(number: float, low: float, high: float, log: bool) -> float:
    """Where `number` lies between `low` (0) and `high` (1, above `low`), on a log scale if `log`; not clipped."""
    if log:
        number, low, high = math.log(max(number, 1e-300)), math.log(low), math.log(high)
    return (number - low) / (high - low)


def is_ordered(parameter: Parameter) -> bool:
    """Whether neighbouring values are alike: numbers, and lists of rising numbers."""
    if not isinstance(parameter, CategoricalParameter):
        return True
    numbers = [c for c in parameter.choices if isinstance(c, (int, float)) and not isinstance(c, bool)]
    return len(numbers) == len(parameter.choices) and all(a < b for a, b in itertools.pairwise(numbers))


def is_fixed(parameter: Parameter) -> bool:
    """Whether the parameter has one value only."""
    if isinstance(parameter, CategoricalParameter):
        return len(parameter.choices) == 1
    return parameter.low == parameter.high


def describe(parameter: Parameter) -> str:
    """The parameter's range in words: "between 1e-05 and 0.003 (log)", "one of 4, 8, 16"."""
    if isinstance(parameter, CategoricalParameter):
        values = ", ".join(str(choice) for choice in parameter.choices)
        return values if len(parameter.choices) == 1 else f"one of {values}"
    kind = "a whole number " if isinstance(parameter, IntParameter) else ""
    return f"{kind}between {parameter.low:g} and {parameter.high:g}" + (" (log)" if parameter.log else "")


def _typed(parameter: Parameter, value: Scalar) -> Scalar:
    if isinstance(parameter, FloatParameter):
        return rounded(float(value))
    if isinstance(parameter, IntParameter):
        return int(value)
    return parameter.choices[parameter.choices.index(value)]  # 16.0 becomes the 16 of the list

"""A search space as columns of numbers in [0, 1], each with what its name tells of it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainers.incontext.roles import Belief, belief_of, numbers, on_scale, ordered_choices, role_of
from trainers.space import CategoricalParameter, IntParameter, Parameter, Space, share
from trainers.spec import Closed, Config, Scalar

Array = NDArray[np.float64]

RANGE_SPREAD = 0.35
"""People put the range around what they expect: its middle counts as evidence with this spread (share of the range)."""

DEFAULT_SPREAD = 0.22
"""A declared default is better evidence than the middle."""

LOG_RATIO = 4.0
"""Rising positive choices whose last is at least this many times the first lie on a log scale."""

INACTIVE = 0.5
"""Where an inactive hyperparameter stands."""


class Column(Closed):
    """One free hyperparameter: its role, and its belief in shares of the range (see `Belief`)."""

    name: str
    role: str
    centre: float
    spread: float
    left: float
    right: float
    weight: float
    levels: int
    """Number of distinct values, 0 for a continuous range."""

    ordered: bool


def columns(space: Space) -> tuple[Column, ...]:
    """The free parameters of `space` in order."""
    return tuple(_column(name, space) for name in space.free)


def positions(space: Space, configs: Sequence[Config]) -> Array:
    """(len(configs), number of free parameters) in [0, 1]; `INACTIVE` where a parameter does not count."""
    rows = np.full((len(configs), len(space.free)), INACTIVE)
    for j, name in enumerate(space.free):
        parameter, places = space.parameters[name], dict[Scalar, float]()
        for i, config in enumerate(configs):
            if name in config:
                value = config[name]
                if value not in places:
                    places[value] = place(parameter, value)
                rows[i, j] = places[value]
    return np.asarray(np.clip(rows, 0.0, 1.0))


def place(parameter: Parameter, value: Scalar) -> float:
    """Where `value` lies in the range (not clipped): on the range's own scale, words by how likely they are tried."""
    if isinstance(parameter, CategoricalParameter):
        rising = numbers(parameter)
        if rising is None:
            order = ordered_choices(parameter)
            return (order.index(value) + 0.5) / len(order)
        low, high, log = rising[0], rising[-1], rising[0] > 0 and rising[-1] / rising[0] >= LOG_RATIO
    else:
        low, high, log = float(parameter.low), float(parameter.high), parameter.log
    return share(float(value), low, high, log) if high > low else INACTIVE


def _column(name: str, space: Space) -> Column:
    parameter = space.parameters[name]
    belief = _in_shares(belief_of(name, space), parameter)
    centre, spread = _with_evidence(belief.centre, belief.spread, parameter)
    levels = 0
    if isinstance(parameter, CategoricalParameter):
        levels = len(parameter.choices)
    elif isinstance(parameter, IntParameter) and parameter.high - parameter.low < 64:
        levels = parameter.high - parameter.low + 1
    return Column(
        name=name,
        role=role_of(name, parameter),
        centre=centre,
        spread=spread,
        left=min(max(belief.left, 0.05), 3.0),
        right=min(max(belief.right, 0.05), 3.0),
        weight=belief.weight,
        levels=levels,
        ordered=not isinstance(parameter, CategoricalParameter) or numbers(parameter) is not None,
    )


def _in_shares(belief: Belief, parameter: Parameter) -> Belief:
    """`belief` in shares of the parameter's range instead of absolute units."""
    if belief.scale == "share":
        return belief
    rising = numbers(parameter) if isinstance(parameter, CategoricalParameter) else [parameter.low, parameter.high]
    assert rising is not None

    def place_of(amount: float) -> float:
        base = {"log10": 10.0, "log2": 2.0}.get(belief.scale)
        return place(parameter, base**amount if base else amount)

    at = place_of(belief.centre)
    low, high = on_scale(rising[0], belief.scale), on_scale(rising[-1], belief.scale)
    per_unit = 1.0 / (high - low) if high > low else 1.0
    spread = max(abs(place_of(belief.centre + sign * belief.spread) - at) for sign in (1, -1))
    linear = not (isinstance(parameter, CategoricalParameter) or parameter.log)
    if linear and belief.scale != "linear":  # a log belief on a linear range: widths from the neighbourhood
        left, right = abs(at - place_of(belief.centre - belief.left)), abs(place_of(belief.centre + belief.right) - at)
    else:
        left, right = belief.left * per_unit, belief.right * per_unit
    return belief.model_copy(update={"scale": "share", "centre": at, "spread": spread, "left": left, "right": right})


def _with_evidence(centre: float, spread: float, parameter: Parameter) -> tuple[float, float]:
    """The belief combined with the range and the default as further normal evidence; conflicts widen it."""
    evidence = [(0.5, RANGE_SPREAD)]
    if parameter.default is not None:
        evidence.append((place(parameter, parameter.default), DEFAULT_SPREAD))
    if abs(centre - 0.5) > 1.0:  # a range far from what the name suggests: the user means something else
        spread, centre = RANGE_SPREAD, 0.5
    weight, total = 1.0 / spread**2, centre / spread**2
    for middle, width in evidence:
        weight, total = weight + 1.0 / width**2, total + middle / width**2
    return min(max(total / weight, -0.2), 1.2), max(weight**-0.5, 0.05)


def configs_at(space: Space, rows: Array) -> list[Config]:
    """Canonical configurations (M) nearest to rows of positions in [0, 1] (M, number of free parameters): the inverse
    of `positions`. 400 of 8 take about 15 ms."""
    default = {name: p.at(0.5) if p.default is None else p.default for name, p in space.parameters.items()}
    columns: dict[str, list[Scalar]] = {}
    for name, at in zip(space.free, np.clip(rows, 0.0, 1.0).T, strict=True):
        parameter = space.parameters[name]
        if isinstance(parameter, CategoricalParameter):
            places = np.array([place(parameter, choice) for choice in parameter.choices])
            columns[name] = [parameter.choices[i] for i in np.abs(places - at[:, None]).argmin(1)]
        else:
            columns[name] = [parameter.at(float(fraction)) for fraction in at]
    configs = []
    for i in range(len(rows)):
        values = default | {name: column[i] for name, column in columns.items()}
        configs.append(space.canonical({name: values[name] for name in space.active(values)}))
    return configs

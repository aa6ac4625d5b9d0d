"""Configurations that have not been tried: neighbours, far-off points, and what is left of a small space."""

import itertools
import math
from collections.abc import Collection
from random import Random

from agent.study.nouns import History, Proposal
from trainers.space import CategoricalParameter, Parameter, Space, is_fixed, is_ordered, unit
from trainers.spec import Config, Scalar

MAX_ENUMERATED = 2000
"""Spaces of at most this many configurations are listed when random draws find nothing new."""

_TRIES = 40


def known_keys(space: Space, history: History) -> set[str]:
    """Keys of every configuration in `history` that is a member of `space`."""
    return {space.key(t.config) for t in history.trials if not space.problems(t.config)}


def completed(space: Space, config: Config) -> Config:
    """`config` with every parameter that it leaves open at its default, canonical."""
    default = {n: p.at(0.5) if p.default is None else p.default for n, p in space.parameters.items()}
    return space.canonical(default | config)


def distance(space: Space, one: Config, other: Config) -> float:
    """Euclidean distance on the parameters' own scales; unlike choices, and active versus inactive, are 1 apart."""
    total = 0.0
    for name, parameter in space.parameters.items():
        if (name in one) != (name in other):
            total += 1.0
        elif name in one and is_ordered(parameter):
            total += (unit(parameter, one[name]) - unit(parameter, other[name])) ** 2
        elif name in one:
            total += float(one[name] != other[name])
    return math.sqrt(total)


def neighbour(space: Space, config: Config, rng: Random, step: float) -> Config:
    """`config` with one or two of its free parameters moved by about `step` of their range."""
    active = [n for n in space.active(config) if not is_fixed(space.parameters[n])]
    moved = dict(config)
    for name in rng.sample(active, min(len(active), rng.choice((1, 2)))):
        parameter = space.parameters[name]
        if is_ordered(parameter):
            place = unit(parameter, config[name]) + rng.gauss(0.0, step)
            moved[name] = parameter.at(min(max(place, 0.0), 1.0))
        else:
            moved[name] = parameter.at(rng.random())
    return completed(space, moved)


def random_config(space: Space, keys: Collection[str], rng: Random) -> Config | None:
    """A uniform configuration whose key is not in `keys`; None where (almost) nothing is left."""
    for _ in range(_TRIES):
        config = space.sample(rng)
        if space.key(config) not in keys:
            return config
    rest = [c for c in enumerated(space) if space.key(c) not in keys]
    return rng.choice(rest) if rest else None


class RandomSearch:
    """Uniform random search, the yardstick every other proposer is measured against."""

    name = "random"

    def __init__(self, space: Space) -> None:
        self._space = space

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`."""
        rng, keys = Random(seed), known_keys(self._space, history)
        proposals: list[Proposal] = []
        while len(proposals) < n and (config := random_config(self._space, keys, rng)) is not None:
            keys.add(self._space.key(config))
            proposals.append(Proposal(config=config, source=self.name, why="drawn uniformly"))
        return proposals


def far_config(space: Space, keys: Collection[str], others: list[Config], rng: Random) -> Config | None:
    """Of 16 uniform configurations the one farthest from all `others`: a spread start, and away from failures."""
    draws = [random_config(space, keys, rng) for _ in range(16)]
    candidates = [c for c in draws if c is not None]
    return max(
        candidates, key=lambda c: min((distance(space, c, other) for other in others), default=0.0), default=None
    )


def fresh_config(space: Space, target: Config, keys: Collection[str], rng: Random) -> Config | None:
    """`target` if its key is new, else a neighbour that is, as near as draws find; None where nothing is left."""
    if space.key(target) not in keys:
        return target
    for i in range(_TRIES):
        config = neighbour(space, target, rng, step=0.02 * 1.1**i)
        if space.key(config) not in keys:
            return config
    return random_config(space, keys, rng)


def enumerated(space: Space) -> list[Config]:
    """Every configuration of a space with at most `MAX_ENUMERATED` of them; empty for a larger one."""
    values = [_values(parameter) for parameter in space.parameters.values()]
    if math.prod(len(v) for v in values) > MAX_ENUMERATED:
        return []
    by_key: dict[str, Config] = {}
    for combination in itertools.product(*values):
        config = space.canonical(dict(zip(space.parameters, combination, strict=True)))
        by_key.setdefault(space.key(config), config)
    return list(by_key.values())


def _values(parameter: Parameter) -> list[Scalar]:
    """Distinct values at the resolution of the space; for a wide range a sample of more than can be enumerated."""
    if isinstance(parameter, CategoricalParameter):
        return list(parameter.choices)
    steps = 2 * MAX_ENUMERATED
    return list(dict.fromkeys(parameter.at(i / steps) for i in range(steps + 1)))

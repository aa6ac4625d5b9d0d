"""Synthetic tuning landscapes: what the score of a fine-tuning job may look like over a search space.

A landscape is a sum over hyperparameters of a peak with its own steepness on either side, whose place depends on the
other hyperparameters; words have an effect each; a random network adds what no formula holds; a Gaussian process and
noise come on top (`trainers.incontext.episodes`, `agent.search.informed`). Everything is vectorised over B landscapes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.incontext.columns import Column

Array = NDArray[np.float64]

MAX_LEVELS = 16
REFERENCE_POINTS = 64


@dataclass(frozen=True)
class Beliefs:
    """The columns of B spaces with D columns each: arrays of shape (B, D). `choice` marks unordered columns, `levels`
    is 0 for continuous ones."""

    centre: Array
    spread: Array
    left: Array
    right: Array
    weight: Array
    choice: NDArray[np.bool_]
    levels: NDArray[np.int64]
    named: NDArray[np.bool_]

    @classmethod
    def of(cls, columns: tuple[Column, ...], n: int) -> "Beliefs":
        """The same columns `n` times."""

        def rows(values: Iterable[float], kind: type = float) -> NDArray[Any]:
            return np.tile(np.array(list(values), dtype=kind), (n, 1))

        numbers = ("centre", "spread", "left", "right", "weight")
        return cls(
            **{field: rows(getattr(c, field) for c in columns) for field in numbers},
            choice=rows((not c.ordered for c in columns), bool),
            levels=rows((c.levels for c in columns), int),
            named=rows((c.role != "unknown" for c in columns), bool),
        )


@dataclass(frozen=True)
class Landscapes:
    """B functions on [0, 1]^D, scaled to mean 0 and standard deviation 1 over uniform points (call the object)."""

    optimum: Array  # (B, D)
    left: Array
    right: Array
    height: Array
    power: Array
    pull: Array  # (B, D, D): how the optimum of one moves with the others
    effects: Array  # (B, D, MAX_LEVELS): of unordered choices
    choice: NDArray[np.bool_]
    hidden: Array  # (B, D, H), a random network
    bias: Array  # (B, H)
    out: Array  # (B, H)
    squash: Array  # (B, 1): 0 for none
    mean: Array  # (B, 1)
    sd: Array  # (B, 1)

    def __call__(self, x: Array) -> Array:
        """Values (B, N) at x of shape (B, N, D) or (1, N, D)."""
        return np.asarray((self.raw(x) - self.mean) / self.sd)

    def raw(self, x: Array) -> Array:
        """Values before scaling."""
        shifted = np.matmul(x - 0.5, self.pull)
        z = x - self.optimum[:, None] - shifted
        z = np.where(z < 0, -z / self.left[:, None], z / self.right[:, None])
        steep = np.power(z + 1e-9, self.power[:, None])
        terms = np.where(self.choice[:, None], 0.0, -self.height[:, None] * (1.0 - np.exp(-steep)))
        total = terms.sum(-1)
        if self.choice.any():
            index = np.clip((x * MAX_LEVELS).astype(np.int64), 0, MAX_LEVELS - 1)
            batch, column = np.arange(len(self.effects))[:, None, None], np.arange(x.shape[-1])[None, None]
            total = total + np.where(self.choice[:, None], self.effects[batch, column, index], 0.0).sum(-1)
        network = np.tanh(np.matmul(x - 0.5, self.hidden) + self.bias[:, None])
        total = total + np.matmul(network, self.out[:, :, None])[..., 0]
        squashed = np.tanh((total + 1.0) * self.squash) / np.maximum(self.squash, 1e-6)
        return np.asarray(np.where(self.squash > 0, squashed, total))


def sample(beliefs: Beliefs, rng: np.random.Generator) -> Landscapes:
    """B landscapes that the beliefs allow. 512 of 8 columns take about 20 ms."""
    b, d = beliefs.centre.shape
    lost = rng.random((b, d)) < 0.1  # beliefs are wrong now and then
    optimum = beliefs.centre + beliefs.spread * rng.standard_normal((b, d))
    optimum = np.where(lost, rng.uniform(-0.1, 1.1, (b, d)), optimum)
    matter = np.exp(0.7 * rng.standard_normal((b, d)) - 0.2) * beliefs.weight
    height = matter * (rng.random((b, d)) > np.where(beliefs.named, 0.08, 0.2))
    sides = np.exp(0.5 * rng.standard_normal((b, d)))
    left = np.maximum(beliefs.left * sides, 0.05)
    right = np.maximum(beliefs.right * sides * np.exp(0.4 * rng.standard_normal((b, d))), 0.04)
    pull = 0.25 * rng.standard_normal((b, d, d)) * (rng.random((b, d, d)) < 0.25)
    pull[:, np.arange(d), np.arange(d)] = 0.0
    effects = rng.standard_normal((b, d, MAX_LEVELS))
    effects[..., :4] += np.where(beliefs.named, 0.4, 0.0)[..., None]  # what is commonly tried first tends to be good
    effects *= height[..., None]
    width = 8
    strength = np.where(rng.random((b, 1)) < 0.5, np.exp(0.6 * rng.standard_normal((b, 1)) - 1.6), 0.0)
    landscapes = Landscapes(
        optimum=optimum,
        left=left,
        right=right,
        height=height,
        power=np.where(rng.random((b, d)) < 0.7, 2.0, 1.3),
        pull=pull,
        effects=effects,
        choice=beliefs.choice,
        hidden=rng.standard_normal((b, d, width)) * 3.0,
        bias=rng.standard_normal((b, width)),
        out=rng.standard_normal((b, width)) * strength,
        squash=np.where(rng.random((b, 1)) < 0.5, np.exp(0.5 * rng.standard_normal((b, 1)) + 0.2), 0.0),
        mean=np.zeros((b, 1)),
        sd=np.ones((b, 1)),
    )
    values = landscapes.raw(spread_points(beliefs, REFERENCE_POINTS, rng))
    sd = np.maximum(values.std(1, keepdims=True), 1e-3)
    return replace(landscapes, mean=values.mean(1, keepdims=True), sd=sd)


def spread_points(beliefs: Beliefs, n: int, rng: np.random.Generator) -> Array:
    """(B, n, D) uniform points, on the levels of discrete columns."""
    b, d = beliefs.centre.shape
    return on_levels(rng.random((b, n, d)), beliefs)


def on_levels(x: Array, beliefs: Beliefs) -> Array:
    """`x` moved to the levels of discrete columns: ordered ones include both ends, words lie in mid-level."""
    levels = beliefs.levels[:, None].astype(np.float64)
    index = np.minimum(np.floor(x * np.maximum(levels, 1)), np.maximum(levels - 1, 0))
    words = (index + 0.5) / np.maximum(levels, 1)
    ordered = index / np.maximum(levels - 1, 1)
    return np.where(levels == 0, x, np.where(beliefs.choice[:, None], words, ordered))

"""A Bayesian surrogate over the synthetic landscapes that the in-context model is trained on.

Where the language model answers from its weights, this one asks the prior itself: many landscapes are drawn that the
names and ranges of the space allow, each is scored by how well it explains the trials (a Gaussian process takes up
what it leaves over), and the prediction is their weighted mixture. Importance sampling, no training, numpy only.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from trainers.incontext import landscape
from trainers.incontext.columns import columns
from trainers.incontext.landscape import Beliefs
from trainers.space import Space

Array = NDArray[np.float64]

DRAWN_EFFECTS = 0.3
"""Share of the effects of words that stays in the landscapes where all columns are words."""

N_KERNELS, PER_KERNEL = 32, 48
KEPT = 160
"""Landscapes with the largest weights; the rest hold next to nothing and cost time."""


@dataclass(frozen=True)
class Mixture:
    """Predictions at M configurations by K weighted normal distributions, in standardised units (larger is better)."""

    weights: Array  # (K,)
    means: Array  # (K, M)
    sds: Array  # (K, M), of the expected score
    noises: Array  # (K,), standard deviation of one observation around it

    @property
    def mean(self) -> Array:
        """(M,)"""
        return np.asarray(self.weights @ self.means)

    @property
    def sd(self) -> Array:
        """(M,)"""
        second = self.weights @ (self.sds**2 + self.means**2)
        return np.sqrt(np.maximum(second - self.mean**2, 1e-12))

    def gain(self, best: float, incumbent: Array) -> Array:
        """Expected gain (M,) in the expected score of the incumbent, if each configuration is tried next.

        The incumbent is what has been observed to be best: `best`, whose expected score is `incumbent` (K,). Another
        takes its place if its one observation is higher, by luck or by merit; luck costs what the expected score lacks.
        Without noise this is expected improvement.
        """
        total = np.sqrt(self.sds**2 + self.noises[:, None] ** 2)
        z = (self.means - best) / total
        density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
        return np.asarray(self.weights @ ((self.means - incumbent[:, None]) * ndtr(z) + self.sds**2 / total * density))


def _with_small_effects(shapes: landscape.Landscapes, choice: NDArray[np.bool_]) -> landscape.Landscapes:
    """With the more of the effects of words left to the Gaussian process, the more columns are words: it weighs all of
    them at once, where of draws of thirty numbers hardly any would be near the trials."""
    share = float(choice.mean()) if len(choice) else 0.0
    return replace(shapes, effects=shapes.effects * (1.0 - (1.0 - DRAWN_EFFECTS) * share))


class Informed:
    """The surrogate of one space, fitted to the trials so far.

    `x` (N, D) are positions of finished trials with a score, `y` (N,) their scores, larger is better, standardised;
    N may be 0.
    """

    def __init__(self, space: Space, x: Array, y: Array, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._beliefs = Beliefs.of(columns(space), N_KERNELS * PER_KERNEL)
        self._choice = self._beliefs.choice[0]
        self._shapes = _with_small_effects(landscape.sample(self._beliefs, rng), self._choice)
        self._x, self._y = x, y
        self._draw_kernels(x.shape[1], rng)
        self._fit()

    def _draw_kernels(self, d: int, rng: np.random.Generator) -> None:
        g = N_KERNELS
        length = np.exp(0.6 * rng.standard_normal((g, d)) - 0.9) * max(1.0, (d / 3) ** 0.5)
        self._length = np.where(rng.random((g, d)) < 0.25, length * 8, length)
        self._weight = rng.uniform(0.1, 0.9, g)
        self._noise = np.clip(np.exp(0.8 * rng.standard_normal(g) - 3.0), 0.01, 0.5)
        self._scale = np.exp(0.5 * rng.standard_normal(g) + 0.1)
        share = self._choice.mean() if d else 0.0
        self._words = rng.uniform(0.3, 1.2, (g, d)) * share * self._choice / max(self._choice.sum(), 1) ** 0.5

    def _kernel(self, group: int, one: Array, other: Array) -> Array:
        apart = one[:, None] - other[None]
        apart = np.where(self._choice, np.abs(apart) > 1e-9, apart) / self._length[group]
        squared = (apart**2).sum(-1)
        r = np.sqrt(squared)
        matern = (1 + np.sqrt(5) * r + 5 / 3 * squared) * np.exp(-np.sqrt(5) * r)
        same = (np.abs(one[:, None] - other[None]) <= 1e-9) @ self._words[group] ** 2
        return np.asarray(self._weight[group] ** 2 * matern + same + 4.0)  # 4: where the scores lie is not known

    def _fit(self) -> None:
        n = len(self._y)
        values = self._shapes(self._x[None]) if n else np.zeros((N_KERNELS * PER_KERNEL, 0))
        log_weights = np.zeros(N_KERNELS * PER_KERNEL)
        self._factors, self._solved = [], np.zeros_like(values)
        for g in range(N_KERNELS):
            rows = slice(g * PER_KERNEL, (g + 1) * PER_KERNEL)
            covariance = self._kernel(g, self._x, self._x) + self._noise[g] ** 2 * np.eye(n)
            factor = np.linalg.cholesky(covariance) if n else np.zeros((0, 0))
            inverse = np.linalg.inv(factor) if n else factor
            residual = self._y / self._scale[g] - values[rows]
            white = residual @ inverse.T
            self._factors.append(inverse)
            self._solved[rows] = white
            log_weights[rows] = -0.5 * (white**2).sum(1) - np.log(np.diag(factor)).sum() - n * np.log(self._scale[g])
        weights = np.exp(log_weights - log_weights.max())
        order = np.argsort(weights)[::-1][:KEPT]
        self._kept = np.sort(order)
        self._weights = weights[self._kept] / weights[self._kept].sum()

    def predict(self, x: Array) -> Mixture:
        """The mixture at x (M, D)."""
        shapes = landscape.Landscapes(**{k: v[self._kept] for k, v in self._shapes.__dict__.items()})
        values = shapes(x[None])
        means, sds = np.empty_like(values), np.empty_like(values)
        noises = np.empty(len(self._kept))
        for g in range(N_KERNELS):
            mine = np.flatnonzero(self._kept // PER_KERNEL == g)
            if not len(mine):
                continue
            cross = self._kernel(g, x, self._x) @ self._factors[g].T
            gain = self._solved[self._kept[mine]] @ cross.T
            variance = self._weight[g] ** 2 + (self._words[g] ** 2).sum() + 4.0 - (cross**2).sum(1)
            means[mine] = self._scale[g] * (values[mine] + gain)
            sds[mine] = self._scale[g] * np.sqrt(np.maximum(variance, 1e-8))
            noises[mine] = self._scale[g] * self._noise[g]
        return Mixture(self._weights, means, sds, noises)

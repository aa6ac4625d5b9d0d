"""What trying a configuration is worth, by the two surrogates that share one prior, and by its chance of success."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.search.evidence import Evidence
from agent.search.incontext import InContext
from agent.search.informed import Informed, Mixture
from trainers.incontext.columns import positions
from trainers.space import Space
from trainers.spec import Config

Array = NDArray[np.float64]

FAILED_AT = 0.1
"""Failed trials count as having this quantile of the scores, the 90th percentile of the losses."""

INCONTEXT_WEIGHT = 0.35
"""Of the in-context model's expected improvement beside the landscapes' (docs/results.md)."""

N_TO_MODEL = 32
"""Candidates, the best by the landscapes, that the in-context model looks at; beside its own and the LLM's."""


@dataclass(frozen=True)
class Judgement:
    """Candidates as the surrogates see them; arrays of one value a candidate, scores standardised, larger better."""

    worth: Array
    mean: Array
    sd: Array


class Surrogates:
    """The surrogates after the trials so far. Pending trials count as having the score that is expected of them."""

    def __init__(self, space: Space, past: Evidence, seed: int) -> None:
        self._space, self._past, self._seed = space, past, seed
        x, y = past.x, past.y
        if len(past.failed) and len(y):
            x = np.concatenate([x, past.failed])
            y = np.concatenate([y, np.full(len(past.failed), np.quantile(y, FAILED_AT))])
        self._informed = Informed(space, x, y, seed)
        if len(past.pending) and len(y):
            expected = self._informed.predict(past.pending).mean
            x, y = np.concatenate([x, past.pending]), np.concatenate([y, expected])
            self._informed = Informed(space, x, y, seed)

    def judge(
        self, configs: list[Config], feasible: Array, prior: Array, model: InContext | None, indices: list[int]
    ) -> Judgement:
        """`feasible` and `prior` are factors; the in-context model looks at those at `indices`, and the
        best."""
        mixture = self._informed.predict(positions(self._space, configs))
        weight = feasible**2 * prior
        worth = _share(self._gain(mixture)) * weight
        if model is not None:
            places = np.unique(np.concatenate([np.argsort(-worth)[:N_TO_MODEL], np.array(indices, dtype=np.int64)]))
            forecast = model.forecast([configs[i] for i in places])
            any_score = len(self._past.y) > 0
            gain = forecast.improvement * (1 - forecast.fails) if any_score else _above_least(forecast.mean)
            mixed = np.zeros_like(worth)
            theirs = _share(gain) * feasible[places] * prior[places]
            mixed[places] = (1 - INCONTEXT_WEIGHT) * _share(worth[places]) + INCONTEXT_WEIGHT * theirs
            worth = mixed
        return Judgement(worth, mixture.mean, mixture.sd)

    def predict(self, config: Config) -> tuple[float, float]:
        """Expected standardised score of one configuration, and its standard deviation."""
        mixture = self._informed.predict(positions(self._space, [config]))
        return float(mixture.mean[0]), float(mixture.sd[0])

    def promise(self, configs: list[Config]) -> float:
        """Mean upper confidence bound, in standard deviations of the scores."""
        mixture = self._informed.predict(positions(self._space, configs))
        return float((mixture.mean + mixture.sd).mean())

    def _gain(self, mixture: Mixture) -> Array:
        y = self._past.y
        if not len(y):
            return _above_least(mixture.mean)
        best = int(np.argmax(y))
        incumbent = self._informed.predict(self._past.x[best : best + 1]).means[:, 0]
        gain = np.maximum(mixture.gain(float(y[best]), incumbent), 0.0)
        return gain if gain.max() > 0.0 else _above_least(mixture.mean)


def _above_least(values: Array) -> Array:
    return np.asarray(values - values.min())


def _share(worth: Array) -> Array:
    """`worth` relative to its largest value."""
    return np.asarray(worth / max(float(worth.max()), 1e-12))

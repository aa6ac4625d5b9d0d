"""A Gaussian process over the scores so far: what a configuration is expected to reach, and how sure that is.

It serves predictions for the record; where to look next is Optuna's business.
"""

import warnings
from collections.abc import Sequence
from typing import Any

from agent.study.nouns import History
from trainers.space import CategoricalParameter, Space, is_fixed, is_ordered, unit
from trainers.spec import Config

MIN_SCORES = 4


class Surrogate:
    """Matern-5/2 kernel with one length per input and learned noise, on scores clipped against far outliers.

    Fitting takes about 0.1 s for 40 trials. A diverged trial (a loss of 10 among losses of 0.8) would flatten
    everything else, so scores worse than the median by more than three times the better half's spread are clipped.
    """

    def __init__(self, space: Space, history: History) -> None:
        self._space = space
        self._sign = history.direction.sign
        points = [(c, self._sign * y) for c, y in history.imputed() if not space.problems(c)]
        self._model = _fitted([encoded(space, c) for c, _ in points], clipped([y for _, y in points]))

    def predict(self, config: Config) -> tuple[float, float]:
        """Mean and standard deviation of the score, in its own units."""
        mean, sd = self._model.predict([encoded(self._space, config)], return_std=True)
        return self._sign * float(mean[0]), float(sd[0])


def surrogate(space: Space, history: History) -> Surrogate | None:
    """A surrogate, or None while there are too few scores for one."""
    usable = [t for t in history.complete if t.score is not None and not space.problems(t.config)]
    return Surrogate(space, history) if len(usable) >= MIN_SCORES else None


def encoded(space: Space, config: Config) -> list[float]:
    """`config` as numbers in [0, 1]: one per ordinal parameter, one per choice of an unordered one, 0.5 if inactive."""
    row: list[float] = []
    for name, parameter in space.parameters.items():
        if is_fixed(parameter):
            continue
        if isinstance(parameter, CategoricalParameter) and not is_ordered(parameter):
            row += [float(config.get(name) == choice and name in config) for choice in parameter.choices]
        else:
            row.append(unit(parameter, config[name]) if name in config else 0.5)
    return row or [0.0]


def clipped(scores: Sequence[float]) -> list[float]:
    """Scores (larger is better) with far outliers below brought to median - 3 x (best - median)."""
    ordered = sorted(scores)
    median = ordered[len(ordered) // 2]
    spread = ordered[-1] - median
    floor = median - 3.0 * spread if spread > 0.0 else ordered[0]
    return [max(score, floor) for score in scores]


def _fitted(rows: list[list[float]], scores: list[float]) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    lengths = Matern(length_scale=[0.5] * len(rows[0]), length_scale_bounds=(0.05, 5.0), nu=2.5)
    kernel = ConstantKernel(1.0, (0.1, 10.0)) * lengths + WhiteKernel(0.01, (1e-5, 1.0))
    model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is fine here
        return model.fit(rows, scores)

"""Which configurations would fail: by the analytic model of the plan's estimate, and learned from the ones that did.

What is learned is a Bayesian average over simple explanations: failures at random; everything beyond a threshold of one
hyperparameter; beyond thresholds of two at once; one of the words of a choice. Each explains the trials so far more or
less well.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from agent.request.feasible import memory_limit
from agent.request.plan import Plan
from agent.study.nouns import History, TrialState
from agent.study.trials import INTERRUPTIONS
from tools.estimate import trial_cost
from tools.machine import Machine
from trainers.incontext.columns import Column, columns, positions
from trainers.space import Space
from trainers.spec import Config, FailureReason, TaskSpec

Array = NDArray[np.float64]

MAX_TIME_SHARE = 0.5
"""Of the time budget: a longer trial would leave nothing to compare it with, or no confirmation."""

NOT_THE_CONFIG = frozenset({FailureReason.DATA, FailureReason.DISK, FailureReason.USER_CODE, *INTERRUPTIONS})
"""Failures that say nothing of the hyperparameters."""

INSIDE, OUTSIDE = 0.95, 0.02
"""Probability of a failure inside and outside of the region that an explanation names."""

RANDOM_PRIOR = 0.3
"""Prior weight of "failures have nothing to do with the configuration"; regions share the rest."""

RANDOM_RATES = (0.02, 0.1, 0.25, 0.5)
THRESHOLDS, PAIR_THRESHOLDS, PAIR_COLUMNS = 20, 8, 6
RISKY = {"learning_rate": 3.0, "batch_size": 1.5, "lora_rank": 1.5, "width": 1.5}
"""Prior weight of an upper threshold: these diverge or run out of memory when large."""


def affordable(plan: Plan, machine: Machine, flops_per_second: float) -> Callable[[Config], bool]:
    """Whether one row at a time fits into memory and the trial into the time budget.

    Out of memory halves the micro-batch at the same effective batch (`trainers/fit.py`), so one row is what must fit.
    Where the model's size is not known everything counts as affordable; what fails teaches the online classifier.
    """
    base, data, spec = plan.base, plan.data, plan.spec
    if base is None or base.parameters is None or data is None or not isinstance(spec, TaskSpec):
        return lambda config: True
    limit_mb, _ = memory_limit(spec, machine)
    seconds = spec.budget.seconds

    def fits(config: Config) -> bool:
        cost = trial_cost(spec, config, base, data, machine, flops_per_second, micro_batch=1)
        return cost.memory_mb <= limit_mb and (seconds is None or cost.seconds <= MAX_TIME_SHARE * seconds)

    return fits


class Feasibility:
    """Probabilities of success after the finished trials of `history`. Takes about 5 ms for 25 trials and 8 columns."""

    def __init__(self, space: Space, history: History) -> None:
        self._space = space
        self._columns = columns(space)
        over = [
            t
            for t in history.trials
            if t.state is TrialState.COMPLETE or (t.state is TrialState.FAILED and t.reason not in NOT_THE_CONFIG)
        ]
        over = [t for t in over if not space.problems(t.config)]
        self._failed = np.array([t.state is TrialState.FAILED for t in over], dtype=bool)
        self._x = positions(space, [t.config for t in over])
        self._bounds, prior = _regions(self._columns)
        self._weights = self._posterior(prior)

    def probabilities(self, configs: Sequence[Config]) -> Array:
        """P(the trial gives a score) per configuration, in [0, 1]. All 0.98 or more while nothing has failed."""
        if not self._failed.any() or not len(self._bounds):
            return np.full(len(configs), 1.0 - OUTSIDE)
        inside = _inside(positions(self._space, configs), self._bounds)
        rates = np.array(RANDOM_RATES)
        at_random = float(self._weights[: len(rates)] @ rates)
        region = self._weights[len(rates) :]
        fails = at_random + (OUTSIDE + (INSIDE - OUTSIDE) * inside) @ region
        return np.asarray(1.0 - fails)

    def _posterior(self, prior: Array) -> Array:
        """Weights of the random rates, then of the regions."""
        failed = self._failed.astype(np.float64)
        rates = np.array(RANDOM_RATES)
        k, n = failed.sum(), len(failed)
        at_random = np.log(RANDOM_PRIOR / len(rates)) + k * np.log(rates) + (n - k) * np.log1p(-rates)
        inside = _inside(self._x, self._bounds) if n else np.zeros((0, len(self._bounds)))
        p = OUTSIDE + (INSIDE - OUTSIDE) * inside
        fit = (failed[:, None] * np.log(p) + (1 - failed)[:, None] * np.log1p(-p)).sum(0)
        logs = np.concatenate([at_random, np.log(prior * (1 - RANDOM_PRIOR) + 1e-300) + fit])
        weights = np.exp(logs - logs.max())
        return np.asarray(weights / weights.sum())


def _inside(x: Array, bounds: Array) -> Array:
    """(N, R): 1 where a row lies in a region; bounds (R, 2 D) alternate low and high."""
    low, high = bounds[:, 0::2], bounds[:, 1::2]
    inside = ((x[:, None] >= low[None]) & (x[:, None] <= high[None])).all(-1)
    return np.asarray(inside, dtype=np.float64)


def _regions(columns: Sequence[Column]) -> tuple[Array, Array]:
    """Bounds (R, 2 D) of the regions that an explanation may name, and their prior weights, which sum to 1."""
    d = len(columns)
    one: list[tuple[Array, float]] = []
    for j, column in enumerate(columns):
        if not column.ordered:
            width = 1.0 / column.levels
            one += [(_bounds(d, {j: (i * width, (i + 1) * width)}), 0.5 / column.levels) for i in range(column.levels)]
            continue
        edges = (np.arange(THRESHOLDS) + 0.5) / THRESHOLDS
        upper = RISKY.get(column.role, 1.0) / THRESHOLDS
        one += [(_bounds(d, {j: (float(e), 2.0)}), upper) for e in edges]
        one += [(_bounds(d, {j: (-1.0, float(e))}), 0.7 / THRESHOLDS) for e in edges]
    ordered = [j for j, c in enumerate(columns) if c.ordered][:PAIR_COLUMNS]
    edges = (np.arange(PAIR_THRESHOLDS) + 0.5) / PAIR_THRESHOLDS
    pairs = [
        (_bounds(d, {a: side_a, b: side_b}), 0.5 / (4 * PAIR_THRESHOLDS**2))
        for a in ordered
        for b in ordered
        if a < b
        for ea in edges
        for eb in edges
        for side_a in ((float(ea), 2.0), (-1.0, float(ea)))
        for side_b in ((float(eb), 2.0), (-1.0, float(eb)))
    ]
    if not one:
        return np.zeros((0, 2 * d)), np.zeros(0)
    weight = np.array([w for _, w in one + pairs])
    return np.array([b for b, _ in one + pairs]), weight / weight.sum()


def _bounds(d: int, sides: dict[int, tuple[float, float]]) -> Array:
    bounds = np.tile(np.array([-1.0, 2.0]), d)
    for j, (low, high) in sides.items():
        bounds[2 * j], bounds[2 * j + 1] = low, high
    return bounds

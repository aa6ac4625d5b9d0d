"""How sure a score and a gain are: intervals, the paired comparison, and what a plan can promise.

Sources: Bouthillier et al. 2021 (arXiv 2103.03098) for resampling seeds as well as rows; Miller 2024 (arXiv
2411.00640) for paired differences; Dietterich 1998 for McNemar's test; Hesterberg 2015 (arXiv 1411.5279, section 5.3)
for the expanded percentile interval.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from statistics import NormalDist, fmean, stdev

import numpy as np
import numpy.typing as npt
from pydantic import Field

from evals.metrics import RIGHT_OR_WRONG, class_names, from_sums, tally
from evals.spec import EvalResult
from trainers.spec import Closed, Direction, Metric

Floats = npt.NDArray[np.float64]

DRAWS = 10_000
SEED = 20_210
ROW_SHARE = 0.5
"""How much of the row-made difference between seeds is taken out of their variance. Chosen of 0, 0.5 and 1 by
simulation (accuracy of 300 rows; 2, 3, 5 seeds; 200 or 300 studies a setting): 0 covered the true gain in 96 to 100 %
of studies with intervals up to three times as wide, 1 in 87 to 96 %, because a variance of so few seeds is uncertain,
0.5 in 92 to 100 %. On settings not used for the choice (correlated accuracy, 800 rows; loss, 500 rows) 0.5 covered in
90 to 98 %, the low end where seeds vary most."""

CHUNK_CELLS = 4_000_000
"""Draws are made in chunks of about this many (draw, row) cells: 32 MB."""


class Gain(Closed):
    """How much better the best configuration is than the default, on the same rows."""

    value: float = Field(description="mean over seeds of the difference of scores; above 0: better than the default")
    ci95: tuple[float, float]
    p_value: float = Field(ge=0, le=1, description="two-sided; of the test that `method` names")
    distinguishable: bool = Field(description="whether the 95 % interval excludes 0")
    probability_better: float = Field(ge=0, le=1, description="share of bootstrap draws with a gain above 0, ties half")
    method: str
    n_rows: int
    n_seeds: int

    @property
    def verdict(self) -> str:
        """The comparison in one plain sentence."""
        low, high = self.ci95
        span = f"gain {self.value:+.4f}, 95 % interval {low:+.4f} to {high:+.4f}"
        if not self.distinguishable:
            return f"The best configuration is not distinguishable from the default on the test rows ({span})."
        return f"The best configuration is {'better' if low > 0 else 'worse'} than the default ({span})."


def interval(result: EvalResult, draws: int = DRAWS) -> tuple[float, float]:
    """95 % percentile-bootstrap interval of one model's score over rows: (low, high). Deterministic; below 1 s."""
    return interval_over_seeds([result], draws)


def interval_over_seeds(results: Sequence[EvalResult], draws: int = DRAWS) -> tuple[float, float]:
    """95 % interval of the mean score of one configuration, one result a seed, same rows in the same order.

    Percentile bootstrap over rows and over seeds, seed deviations widened as in `compare`; that may reach past what the
    metric can be, and is cut there ([0, 1]; losses from 0). With one result it holds for that model only. Where every
    row is right, or every row is wrong, no resample differs: Wilson's interval then.
    Deterministic; about 0.5 s for 3,000 rows x 5 seeds.
    """
    if (ends := _unanimous(results)) is not None:
        return ends
    observed = np.array([result.score for result in results])
    low, high = _ends(_hierarchical(_resampled(results, draws), observed, np.random.default_rng(SEED + 1)))
    most = 1.0 if results[0].metric.direction is Direction.MAXIMIZE else math.inf
    return max(low, 0.0), min(high, most)


def compare(
    best: Sequence[EvalResult],
    default: Sequence[EvalResult],
    metric: Metric,
    direction: Direction,
    shipped: int = 0,
    draws: int = DRAWS,
) -> Gain:
    """How much better `best` is than `default`, one result a seed, on the same rows in the same order.

    Interval: hierarchical paired bootstrap; each draw takes the same rows for every model, then seeds; seeds are
    paired by position where both have the same number. Seed deviations are widened by sqrt(n/(n-1)) x t/z, the
    small-sample correction of Hesterberg's expanded percentile interval (see `_hierarchical`); with one seed the
    interval says nothing about other seeds. p: McNemar's exact test on the pair of models at `shipped` where rows are
    right or wrong, else approximate randomisation (rows swapped between the two, all seeds at once).
    Raises ValueError if the row counts or references differ. About 3 s for 3,000 rows x 2 x 5 models.
    """
    _check_paired(best, default)
    sign = direction.sign
    resampled = [_resampled(side, draws) for side in (best, default)]
    observed = [np.array([result.score for result in side]) for side in (best, default)]
    rng = np.random.default_rng(SEED + 1)
    if len(best) == len(default):
        gains = sign * _hierarchical(resampled[0] - resampled[1], observed[0] - observed[1], rng)
    else:
        spread = [_hierarchical(r, o, rng) for r, o in zip(resampled, observed, strict=True)]
        gains = sign * (spread[0] - spread[1])
    low, high = _ends(gains)
    p_value, test = _p_value(best, default, metric, shipped, draws)
    return Gain(
        value=sign * (fmean(r.score for r in best) - fmean(r.score for r in default)),
        ci95=(low, high),
        p_value=p_value,
        distinguishable=low > 0 or high < 0,
        probability_better=float((gains > 0).mean() + 0.5 * (gains == 0).mean()),
        method=_method(len(best), len(default), draws, test),
        n_rows=len(best[0].items),
        n_seeds=min(len(best), len(default)),
    )


def _unanimous(results: Sequence[EvalResult]) -> tuple[float, float] | None:
    """Wilson's 95 % interval of 0 of n or n of n right rows; None where rows differ or are not right or wrong."""
    values = {item.value for result in results for item in result.items}
    if results[0].metric not in RIGHT_OR_WRONG or values not in ({0.0}, {1.0}):
        return None
    z_squared = NormalDist().inv_cdf(0.975) ** 2
    reach = z_squared / (len(results[0].items) + z_squared)
    return (0.0, reach) if values == {0.0} else (1.0 - reach, 1.0)


def seed_sd(scores: Sequence[float]) -> float | None:
    """Standard deviation over seeds (n - 1 in the denominator); None for fewer than two."""
    return stdev(scores) if len(scores) > 1 else None


def optimism(search_best: float, confirmed: Sequence[float], direction: Direction) -> float:
    """How much the best single search score flatters: its distance from the mean of the fresh-seed scores.

    Above 0: the search score was too good. The fresh scores must belong to the configuration that had it.
    """
    sign = direction.sign
    return sign * (search_best - fmean(confirmed))


def half_width(n_rows: int) -> float:
    """Half of the 95 % interval of a share (accuracy, exact match...) of about 0.8 measured on `n_rows` rows."""
    return NormalDist().inv_cdf(0.975) * math.sqrt(0.8 * 0.2 / n_rows)


def mcnemar(right_a: npt.NDArray[np.bool_], right_b: npt.NDArray[np.bool_]) -> float:
    """Two-sided exact p of equal error rates of two models on the same rows: sign test on the rows they split."""
    from scipy.stats import binomtest

    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return 1.0 if only_a + only_b == 0 else float(binomtest(only_a, only_a + only_b).pvalue)


def _resampled(results: Sequence[EvalResult], draws: int) -> Floats:
    """The score of every model on the same resampled rows: (draws, models)."""
    metric, classes = results[0].metric, _classes(results)
    terms = [tally(metric, result.items, classes) for result in results]
    sums = _row_sums(np.concatenate(terms, axis=1), _row_draws(len(results[0].items), draws))
    return np.stack([from_sums(metric, part) for part in np.split(sums, len(results), axis=1)], axis=1)


def _classes(results: Sequence[EvalResult]) -> tuple[str, ...]:
    return tuple(sorted(set().union(*(class_names(result.items) for result in results))))


def _row_draws(n_rows: int, draws: int) -> Iterator[Floats]:
    """How often each row is drawn, in chunks of (draws, rows)."""
    rng = np.random.default_rng(SEED)
    for n in _chunks(draws, n_rows):
        cells = rng.integers(n_rows, size=(n, n_rows)) + n_rows * np.arange(n)[:, None]
        yield np.bincount(cells.ravel(), minlength=n * n_rows).reshape(n, n_rows).astype(np.float64)


def _chunks(draws: int, n_rows: int) -> list[int]:
    size = max(1, CHUNK_CELLS // n_rows)
    return [min(size, draws - start) for start in range(0, draws, size)]


def _row_sums(terms: Floats, chunks: Iterator[Floats]) -> Floats:
    from scipy.sparse import csr_array

    sparse = csr_array(terms)
    if sparse.nnz < 0.2 * terms.size:  # one-hot class counts: many columns, few entries
        turned = csr_array(sparse.T)
        return np.concatenate([(turned @ chunk.T).T for chunk in chunks])
    return np.concatenate([chunk @ terms for chunk in chunks])


def _hierarchical(resampled: Floats, observed: Floats, rng: np.random.Generator) -> Floats:
    """Draws of the mean over seeds, (draws,), from scores on resampled rows (draws, seeds) and on all rows (seeds,).

    Rows move the mean as they were drawn; seeds are drawn on top, with their observed deviations widened (`compare`).
    Models of two seeds differ on a finite test split even if seeds did not matter; that part is in the resampled
    means already, so `ROW_SHARE` of it is taken out of the seeds' variance.
    """
    n_seeds, draws = len(observed), len(resampled)
    means = np.asarray(resampled.mean(axis=1), dtype=np.float64)
    variance = float(observed.var(ddof=1)) if n_seeds > 1 else 0.0
    if variance == 0.0:
        return means
    from scipy.stats import t

    by_rows = float((resampled - means[:, None]).var(axis=0).mean()) * n_seeds / (n_seeds - 1)
    own = math.sqrt(max(0.0, variance - ROW_SHARE * by_rows) / variance)
    widening = math.sqrt(n_seeds / (n_seeds - 1)) * t.ppf(0.975, n_seeds - 1) / NormalDist().inv_cdf(0.975)
    weights = rng.multinomial(n_seeds, [1 / n_seeds] * n_seeds, size=draws) / n_seeds
    return np.asarray(means + own * widening * (weights @ (observed - observed.mean())), dtype=np.float64)


def _ends(values: Floats) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _p_value(
    best: Sequence[EvalResult], default: Sequence[EvalResult], metric: Metric, shipped: int, draws: int
) -> tuple[float, str]:
    pair = [side[min(shipped, len(side) - 1)].items for side in (best, default)]
    if metric in RIGHT_OR_WRONG and all(item.value in (0, 1) and item.weight == 1 for items in pair for item in items):
        right = [np.array([item.value == 1 for item in items]) for items in pair]
        return mcnemar(right[0], right[1]), "McNemar's exact test on the shipped pair of models (rows right or wrong)"
    return _randomisation(best, default, draws), "approximate randomisation of rows between the two"


def _randomisation(best: Sequence[EvalResult], default: Sequence[EvalResult], draws: int) -> float:
    """Two-sided p: share of random row swaps whose difference of mean scores is at least the observed one."""
    metric, classes = best[0].metric, _classes([*best, *default])
    n = min(len(best), len(default))
    terms = [np.concatenate([tally(metric, r.items, classes) for r in side[:n]], axis=1) for side in (best, default)]
    rng = np.random.default_rng(SEED + 2)
    n_rows = len(terms[0])
    swaps = (rng.integers(2, size=(size, n_rows)).astype(float) for size in _chunks(draws, n_rows))
    differences = np.concatenate(
        [_mean_score(metric, terms, swap, n) for swap in chain([np.zeros((1, n_rows))], swaps)]
    )
    observed = abs(differences[0])
    return float((np.abs(differences) >= observed - 1e-12 * max(observed, 1.0)).mean())


def _mean_score(metric: Metric, terms: list[Floats], swap: Floats, n_models: int) -> Floats:
    """Difference of the two sides' mean scores after the swaps, (draws,)."""
    moved = swap @ (terms[1] - terms[0])
    sides = (terms[0].sum(axis=0) + moved, terms[1].sum(axis=0) - moved)
    scores = [np.mean([from_sums(metric, s) for s in np.split(side, n_models, axis=1)], axis=0) for side in sides]
    return np.asarray(scores[0] - scores[1], dtype=np.float64)


def _check_paired(best: Sequence[EvalResult], default: Sequence[EvalResult]) -> None:
    first = [item.reference for item in default[0].items]
    for result in (*best, *default):
        if [item.reference for item in result.items] != first:
            raise ValueError("compared results must have the same rows in the same order")
        if result.metric != default[0].metric:
            raise ValueError(f"compared results must have one metric, got {result.metric}, {default[0].metric}")


def _method(n_best: int, n_default: int, draws: int, test: str) -> str:
    levels = "rows only (one seed)" if min(n_best, n_default) == 1 else f"seeds ({n_best}) and rows"
    pairing = "" if n_best == n_default else ", seeds not paired"
    return f"interval: paired bootstrap over {levels}, {draws:,} draws{pairing}; p: {test}"

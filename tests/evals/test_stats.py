"""Intervals and tests: known cases, invariances, and coverage by simulation."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.metrics import score
from evals.spec import EvalResult, Item
from evals.stats import Gain, compare, half_width, interval, interval_over_seeds, mcnemar, optimism, seed_sd
from trainers.spec import Direction, Metric

UP, DOWN = Direction.MAXIMIZE, Direction.MINIMIZE


def right_or_wrong(right: Sequence[bool], metric: Metric = Metric.ACCURACY) -> EvalResult:
    items = tuple(Item(reference="a", prediction="a" if r else "b", value=float(r)) for r in right)
    return EvalResult(metric=metric, score=score(metric, items), items=items, seconds=0)


def losses(values: Sequence[float], metric: Metric = Metric.EVAL_LOSS) -> EvalResult:
    items = tuple(Item(reference="", prediction="", value=v, weight=1 + i % 7) for i, v in enumerate(values))
    return EvalResult(metric=metric, score=score(metric, items), items=items, seconds=0)


def test_mcnemar_by_hand() -> None:
    """Nine rows only A has right, one only B: 2 (C(10,0) + C(10,1)) / 2^10."""
    a = np.array([True] * 9 + [False] + [True] * 5)
    b = np.array([False] * 9 + [True] + [True] * 5)
    assert mcnemar(a, b) == pytest.approx(22 / 1024)
    assert mcnemar(a, a) == 1.0


def test_equal_models_are_not_distinguishable() -> None:
    """A model compared with itself gains exactly 0 with an empty interval, p of 1 and even odds."""
    results = [right_or_wrong([True, False, True] * 20), right_or_wrong([True, True, False] * 20)]
    gain = compare(results, results, Metric.ACCURACY, UP, draws=200)
    assert (gain.value, gain.ci95, gain.p_value, gain.probability_better) == (0.0, (0.0, 0.0), 1.0, 0.5)
    assert not gain.distinguishable
    assert "not distinguishable from the default" in gain.verdict


@pytest.mark.parametrize("metric", [Metric.EVAL_LOSS, Metric.PERPLEXITY])
def test_lower_loss_is_a_gain(metric: Metric) -> None:
    """For a minimised metric a gain above 0 means a lower score."""
    rng = np.random.default_rng(0)
    rows = rng.uniform(1, 3, 300)
    default = [losses(rows + rng.normal(0, 0.05, 300), metric) for _ in range(3)]
    best = [losses(rows - 0.5 + rng.normal(0, 0.05, 300), metric) for _ in range(3)]
    gain = compare(best, default, metric, DOWN, draws=500)
    assert gain.value == pytest.approx(np.mean([d.score - b.score for b, d in zip(best, default, strict=True)]))
    assert gain.ci95[0] > 0
    assert gain.distinguishable
    assert gain.p_value < 0.01
    assert gain.verdict.startswith("The best configuration is better")


def test_paired_rows_give_a_narrower_interval_than_the_scores_suggest() -> None:
    """A small gain on every row is seen although it is far below the spread between rows."""
    rows = np.random.default_rng(1).uniform(0, 10, 400)
    gain = compare([losses(rows - 0.05)], [losses(rows)], Metric.EVAL_LOSS, DOWN, draws=500)
    low, high = interval(losses(rows), draws=500)
    assert gain.distinguishable
    assert high - low > 10 * 0.05
    assert "one seed" in gain.method


def test_one_lucky_seed_does_not_make_a_gain() -> None:
    """Seeds that disagree in sign widen the interval over 0, whatever the number of rows."""
    rng = np.random.default_rng(2)
    default = [right_or_wrong(rng.random(2000) < 0.8) for _ in range(3)]
    best = [right_or_wrong(rng.random(2000) < p) for p in (0.9, 0.79, 0.8)]
    gain = compare(best, default, Metric.ACCURACY, UP, draws=500)
    assert gain.value > 0.02
    assert not gain.distinguishable


def test_f1_of_a_resample_is_the_f1_of_its_rows() -> None:
    """The fast path of the bootstrap agrees with scoring each resample's rows one by one."""
    from evals.stats import _resampled, _row_draws

    rng = np.random.default_rng(3)
    items = tuple(
        Item(reference=r, prediction=p, value=float(r == p))
        for r, p in zip(rng.choice(list("abcdefgh"), 60), rng.choice(list("abcdefgh"), 60), strict=True)
    )
    result = EvalResult(metric=Metric.F1_MACRO, score=score(Metric.F1_MACRO, items), items=items, seconds=0)
    fast = _resampled([result], 5)[:, 0]
    for value, counts in zip(fast, next(_row_draws(60, 5)), strict=True):
        rows = [item for item, n in zip(items, counts, strict=True) for _ in range(int(n))]
        assert value == pytest.approx(score(Metric.F1_MACRO, rows))


def test_different_numbers_of_seeds_are_compared_unpaired() -> None:
    """Three seeds against two is possible and says that seeds are not paired."""
    rng = np.random.default_rng(5)
    best = [right_or_wrong(rng.random(300) < 0.9) for _ in range(3)]
    default = [right_or_wrong(rng.random(300) < 0.5) for _ in range(2)]
    gain = compare(best, default, Metric.ACCURACY, UP, draws=500)
    assert "not paired" in gain.method
    assert gain.n_seeds == 2
    assert gain.value == pytest.approx(0.4, abs=0.08)


def test_results_on_different_rows_are_refused() -> None:
    """Pairing needs the same rows."""
    with pytest.raises(ValueError, match="same rows"):
        compare([right_or_wrong([True] * 5)], [right_or_wrong([True] * 6)], Metric.ACCURACY, UP)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.booleans(), min_size=5, max_size=60), st.integers(1, 3))
def test_interval_holds_the_score_and_is_deterministic(right: list[bool], n_seeds: int) -> None:
    """The interval of a share contains the share, lies in [0, 1] for one model, and repeats exactly."""
    results = [right_or_wrong(right)] * n_seeds
    low, high = interval_over_seeds(results, draws=400)
    assert low <= results[0].score + 1e-12
    assert high >= results[0].score - 1e-12
    assert interval_over_seeds(results, draws=400) == (low, high)
    assert -1e-12 <= low <= high <= 1 + 1e-12


def test_half_width_matches_the_published_table() -> None:
    """At a share of 0.8: 7.8 points for 100 rows, 2.5 for 1,000."""
    assert half_width(100) == pytest.approx(0.078, abs=5e-4)
    assert half_width(1000) == pytest.approx(0.0248, abs=5e-5)


def test_optimism_is_positive_when_the_search_score_flatters() -> None:
    """In both directions the search's best is compared with what fresh seeds gave."""
    assert optimism(0.9, [0.8, 0.84], UP) == pytest.approx(0.08)
    assert optimism(1.0, [1.2, 1.4], DOWN) == pytest.approx(0.3)
    assert seed_sd([0.5]) is None
    assert seed_sd([1.0, 3.0]) == pytest.approx(math.sqrt(2))


def coverage(n_studies: int, n_seeds: int, seed_sd_share: float, n_rows: int) -> float:
    """Share of simulated studies whose interval holds the true gain of 0.05."""
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(n_studies):
        easy = rng.normal(0, 0.2, n_rows)
        default, best = (
            [
                right_or_wrong(rng.random(n_rows) < np.clip(p + easy + rng.normal(0, seed_sd_share), 0, 1))
                for p in [p] * n_seeds
            ]
            for p in (0.45, 0.5)
        )
        gain = compare(best, default, Metric.ACCURACY, UP, draws=400)
        held += gain.ci95[0] <= 0.05 <= gain.ci95[1]
    return held / n_studies


def test_interval_covers_the_true_gain() -> None:
    """About 95 % of intervals hold the truth; 60 studies of 3 seeds must not fall below 85 %."""
    assert coverage(60, n_seeds=3, seed_sd_share=0.02, n_rows=200) >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("n_seeds", [1, 2, 3, 5])
@pytest.mark.parametrize("seed_sd_share", [0.0, 0.02, 0.05])
def test_interval_covers_the_true_gain_in_many_settings(n_seeds: int, seed_sd_share: float) -> None:
    """At least 90 % of 400 intervals hold the truth where there are two seeds or more, or seeds do not matter."""
    if n_seeds == 1 and seed_sd_share:
        pytest.skip("one seed promises nothing about other seeds")
    assert coverage(400, n_seeds, seed_sd_share, n_rows=300) >= 0.90


def test_gain_is_closed() -> None:
    """The gain goes to report.json as it is and comes back."""
    gain = compare([right_or_wrong([True] * 9 + [False])], [right_or_wrong([True] * 10)], Metric.ACCURACY, UP, draws=50)
    assert Gain.model_validate_json(gain.model_dump_json()) == gain


@pytest.mark.parametrize("right", [True, False])
def test_interval_of_unanimous_rows_is_not_a_point(right: bool) -> None:
    """0 of 45 right does not prove a share of 0: Wilson's bound is z² / (n + z²) = 0.0787."""
    low, high = interval(right_or_wrong([right] * 45, Metric.EXACT_MATCH))
    expected = (1 - 0.07865, 1.0) if right else (0.0, 0.07865)
    assert (low, high) == pytest.approx(expected, abs=1e-4)


def test_an_interval_stays_where_the_metric_can_be() -> None:
    """Few rows and seeds that disagree widen it past 0 and 1 otherwise."""
    rows = [[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    results = [
        EvalResult(
            metric=Metric.ACCURACY,
            score=sum(values) / 4,
            items=tuple(Item(reference="1", prediction=str(int(v)), value=v) for v in values),
            seconds=0.0,
        )
        for values in rows
    ]
    low, high = interval_over_seeds(results)
    assert 0.0 <= low < high <= 1.0

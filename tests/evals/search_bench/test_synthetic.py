"""Made-up functions."""

from random import Random

import pytest

from evals.search_bench.synthetic import Synthetic, branin, hartmann6, load_synthetic

PROBLEMS = {p.name: p for p in load_synthetic()}


@pytest.mark.parametrize("name", PROBLEMS)
def test_no_loss_is_below_the_optimum_and_half_are_above_the_median(name: str) -> None:
    """The optimum is 0; a draw of the space has regret 1 half of the time, where it does not fail."""
    problem, rng = PROBLEMS[name], Random(1)
    found = [problem.true_score(problem.space.sample(rng)) for _ in range(600)]
    losses = [loss for loss in found if loss is not None]
    assert min(losses) >= -1e-4
    assert sum(loss > problem.median for loss in losses) / len(losses) == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("name", [n for n in PROBLEMS if n.startswith("cliff40")])
def test_forty_percent_of_a_cliff_fails(name: str) -> None:
    """A failed run has no score; the default does not fail."""
    problem, rng = PROBLEMS[name], Random(2)
    outcomes = [problem.evaluate(problem.space.sample(rng), 0) for _ in range(1500)]
    assert sum(o.failed for o in outcomes) / len(outcomes) == pytest.approx(0.4, abs=0.05)
    assert all((o.score is None) == o.failed for o in outcomes)
    assert problem.true_score(problem.start) is not None


def test_known_optima() -> None:
    """Of Branin and Hartmann, as published."""
    assert branin({"x1": (3.14159265 + 5) / 15, "x2": 2.275 / 15}) == pytest.approx(0.0, abs=1e-4)
    best = (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)
    assert hartmann6({f"x{i}": v for i, v in enumerate(best, 1)}) == pytest.approx(0.0, abs=1e-3)


def test_noise_is_drawn_by_the_seed() -> None:
    """Equal seeds, equal scores; the true score has none."""
    problem = PROBLEMS["tuning-smooth"]
    assert isinstance(problem, Synthetic)
    config = problem.start
    assert problem.evaluate(config, 1) == problem.evaluate(config, 1)
    assert problem.evaluate(config, 1).score != problem.evaluate(config, 2).score
    assert problem.true_score(config) == problem.true_score(config)
    assert len({p.fingerprint for p in PROBLEMS.values()}) == len(PROBLEMS)

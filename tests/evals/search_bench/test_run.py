"""One method on one problem in one seed."""

from collections.abc import Callable
from typing import Any

import pytest

from evals.search_bench.problem import Offer
from evals.search_bench.run import Run, RunKey, run
from evals.search_bench.table import Table

Offering = Callable[..., Any]
BEST, FAILS = {"learning_rate": 1e-3, "lora_rank": 16}, {"learning_rate": 1e-2, "lora_rank": 16}


def key(trials: int = 6, start: int = 3, seed: int = 0, method: str = "test") -> RunKey:
    """Of a run on the grid."""
    return RunKey(problem="grid", method=method, seed=seed, start=start, trials=trials, version="1", data="d")


def test_all_methods_start_alike_and_see_everything(grid: Table, offering: Offering) -> None:
    """The common start is run before the first question; each question shows all trials so far."""
    one, other = offering(BEST, BEST, FAILS), offering(FAILS, BEST, FAILS)
    runs = [run(grid, method, key()) for method in (one, other)]
    assert runs[0].steps[:3] == runs[1].steps[:3]
    assert [len(shown) for shown in one.seen] == [3, 4, 5]
    assert [o.offer.source for o in one.seen[0]] == ["default", "start", "start"]
    assert one.seen[1][3].config == BEST
    assert [step.source for step in runs[0].proposals] == ["test"] * 3
    assert all(step.seconds == 0.0 for step in runs[0].steps[:3])


def test_equal_configurations_in_one_seed_have_equal_scores(grid: Table, offering: Offering) -> None:
    """Whenever they are tried; a second trial of it is another draw, and other seeds draw anew."""
    early = run(grid, offering(BEST, FAILS, BEST), key(start=1, trials=4))
    late = run(grid, offering(FAILS, BEST, BEST), key(start=1, trials=4))
    assert [s.score for s in early.proposals if not s.failed] == [s.score for s in late.proposals if not s.failed]
    firsts = {run(grid, offering(BEST), key(start=1, trials=2, seed=seed)).steps[1].score for seed in range(12)}
    assert firsts == {0.95, 0.97}


def test_repeats_and_failures_are_marked(grid: Table, offering: Offering) -> None:
    """Also a repeat of the start, and one that only snaps to an earlier configuration."""
    near = {"learning_rate": 1.1e-3, "lora_rank": 16}
    found = run(grid, offering(grid.start, BEST, near, FAILS), key(start=1, trials=5))
    assert [step.duplicate for step in found.proposals] == [True, False, True, False]
    assert [step.failed for step in found.proposals] == [False, False, False, True]
    assert found.proposals[3].score is None


def test_regret_is_that_of_the_best_observed_so_far(grid: Table, offering: Offering) -> None:
    """It never rises by a failure or a worse score."""
    found = run(grid, offering(BEST, FAILS, grid.start), key(start=1, trials=4))
    assert found.steps[0].regret > 0.0
    assert [step.regret for step in found.proposals] == [0.0, 0.0, 0.0]


def test_without_any_score_the_regret_is_1(grid: Table, offering: Offering) -> None:
    """Nothing was found."""
    grid.start = FAILS
    assert [s.regret for s in run(grid, offering(FAILS), key(start=1, trials=2)).steps] == [1.0, 1.0]


def test_a_method_that_stops_keeps_its_best(grid: Table, offering: Offering) -> None:
    """The curve goes on to the last trial."""
    found = run(grid, offering(BEST), key(start=1, trials=6))
    assert len(found.steps) == 2
    assert found.regrets == [found.steps[0].regret, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_what_a_proposal_knew_and_cost_is_kept(grid: Table, offering: Offering) -> None:
    """Prediction and tokens, through the form in which runs are stored."""
    method = offering(BEST, predicted_mean=0.9, predicted_sd=0.1, tokens=700)
    found = Run.model_validate_json(run(grid, method, key(start=1, trials=2)).model_dump_json())
    step = found.proposals[0]
    assert (step.predicted_mean, step.predicted_sd, step.tokens) == (0.9, 0.1, 700)
    assert step.seconds >= 0.0


def test_an_offer_outside_the_space_is_an_error_of_the_method(grid: Table) -> None:
    """It is not passed over in silence."""
    with pytest.raises((KeyError, ValueError)):
        run(grid, lambda seen: Offer(config={"beta": 1.0}, source="bad"), key())

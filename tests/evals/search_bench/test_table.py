"""A table of runs as a problem."""

import pytest

from evals.search_bench.table import Table
from trainers.space import CategoricalParameter, Space
from trainers.spec import Direction


@pytest.mark.parametrize(("rate", "listed"), [(1.1e-3, 1e-3), (3e-4, 1e-4), (3.3e-4, 1e-3), (5e-3, 1e-2), (9e-3, 1e-2)])
def test_what_is_not_listed_runs_as_the_nearest_listed_one(grid: Table, rate: float, listed: float) -> None:
    """Nearest by ratio on a log scale: 3e-4 lies just below the middle of 1e-4 and 1e-3."""
    config = {"learning_rate": rate, "lora_rank": 8}
    assert grid.snapped(config) == {"learning_rate": listed, "lora_rank": 8}
    assert grid.evaluate(config, 0).config == grid.snapped(config)
    assert grid.true_score(config) == grid.true_score(grid.snapped(config))


def test_one_of_the_repeats_is_drawn_by_the_seed(grid: Table) -> None:
    """The true score is their mean."""
    config = {"learning_rate": 1e-3, "lora_rank": 16}
    drawn = [grid.evaluate(config, seed).score for seed in range(30)]
    assert set(drawn) == {0.95, 0.97}
    assert drawn == [grid.evaluate(config, seed).score for seed in range(30)]
    assert grid.true_score(config) == pytest.approx(0.96)


def test_a_run_that_failed_has_no_score(grid: Table) -> None:
    """Nor a true one where all repeats failed."""
    config = {"learning_rate": 1e-2, "lora_rank": 16}
    outcome = grid.evaluate(config, 0)
    assert (outcome.failed, outcome.score) == (True, None)
    assert grid.true_score(config) is None


def words(scores: list[list[float]], choices: tuple[str, ...] = ("a", "b", "c"), **facts: object) -> Table:
    """One categorical parameter."""
    return Table(
        "words",
        "f",
        Space(parameters={"x": CategoricalParameter(choices=choices)}),
        Direction.MINIMIZE,
        {"x": choices},
        scores,
        **facts,  # type: ignore[arg-type]
    )


def test_repeats_may_differ_in_number() -> None:
    """One failed repeat among others is drawn too, and left out of the mean."""
    table = words([[1.0], [2.0, 4.0, float("nan")], [3.0, 5.0]])
    assert table.true_score({"x": "b"}) == 3.0
    assert {table.evaluate({"x": "b"}, seed).score for seed in range(40)} == {2.0, 4.0, None}
    assert (table.optimum, table.median) == (1.0, 3.0)


def test_a_table_needs_one_score() -> None:
    """All failed: refused."""
    with pytest.raises(ValueError, match="at least one run with a score"):
        words([[float("nan")]] * 3)


def test_the_fingerprint_tells_data_apart() -> None:
    """Equal data, equal fingerprint; another score or another space, another one."""
    same = words([[1.0], [2.0], [3.0]])
    assert same.fingerprint == words([[1.0], [2.0], [3.0]]).fingerprint
    assert same.fingerprint != words([[1.0], [2.0], [3.5]]).fingerprint
    assert same.fingerprint != words([[1.0], [2.0], [3.0]], choices=("a", "b", "d")).fingerprint

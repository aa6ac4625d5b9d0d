"""What a search is measured on: regret on one scale, and a start that all methods share."""

import pytest

from evals.search_bench.table import Table
from trainers.space import CategoricalParameter, IntParameter, is_ordered


def test_regret_is_0_at_the_optimum_and_1_at_the_median_or_worse(grid: Table) -> None:
    """Also where runs fail."""
    assert grid.regret({"learning_rate": 1e-3, "lora_rank": 16}) == 0.0
    assert grid.regret({"learning_rate": 1e-4, "lora_rank": 4}) == 1.0
    assert grid.regret({"learning_rate": 1e-2, "lora_rank": 16}) == 1.0
    assert grid.regret({"learning_rate": 1e-2, "lora_rank": 8}) == pytest.approx((0.96 - 0.71) / (0.96 - grid.median))


def test_every_method_begins_with_the_default_and_the_same_draws(grid: Table) -> None:
    """Equal for equal seeds, all of them listed configurations."""
    start = grid.common_start(4, seed=3)
    assert [offer.source for offer in start] == ["default", "start", "start", "start"]
    assert start[0].config == {"learning_rate": 1e-3, "lora_rank": 8}
    assert start == grid.common_start(4, seed=3)
    assert start[1:] != grid.common_start(4, seed=4)[1:]
    assert all(grid.snapped(offer.config) == offer.config for offer in start)


@pytest.mark.parametrize(
    ("choices", "ordered"),
    [((4, 8, 16), True), ((0.0, 0.1), True), ((8, 4), False), (("a", "b"), False), ((False, True), False)],
)
def test_rising_numbers_are_ordered(choices: tuple[object, ...], ordered: bool) -> None:
    """Words, switches and mixed-up numbers are not."""
    assert is_ordered(CategoricalParameter.model_validate({"choices": choices})) is ordered
    assert is_ordered(IntParameter(low=1, high=3))

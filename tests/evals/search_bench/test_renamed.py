"""Twins without names."""

import pytest

from evals.search_bench.renamed import Renamed
from evals.search_bench.synthetic import load_synthetic
from evals.search_bench.table import Table


def test_a_twin_has_the_scores_of_the_original_in_the_same_seed(grid: Table) -> None:
    """And its start, its noise, its snapping; only the names are gone."""
    twin = Renamed(grid)
    assert (twin.name, twin.family, twin.task) == ("grid-renamed", "grids-renamed", "")
    assert list(twin.space.parameters) == ["x1", "x2"]
    for seed in range(3):
        for mine, original in zip(twin.common_start(4, seed), grid.common_start(4, seed), strict=True):
            assert list(mine.config.values()) == list(original.config.values())
            assert twin.evaluate(mine.config, seed).score == grid.evaluate(original.config, seed).score
            assert twin.regret(mine.config) == grid.regret(original.config)
    assert twin.snapped({"x1": 1.1e-3, "x2": 8}) == {"x1": 1e-3, "x2": 8}
    assert twin.fingerprint == grid.fingerprint


@pytest.mark.parametrize("mixed", [p for p in load_synthetic() if p.name == "tuning-mixed"], ids=lambda p: p.name)
def test_words_and_conditions_are_hidden_too(mixed: object) -> None:
    """Choices that are words become v1, v2, ...; numbers stay, and so does what depends on what."""
    from evals.search_bench.problem import Problem

    assert isinstance(mixed, Problem)
    twin = Renamed(mixed)
    assert twin.space.parameters["x1"].model_dump()["choices"] == ("v1", "v2", "v3")
    assert twin.space.parameters["x5"].model_dump()["choices"] == (32, 64, 128, 256, 512)
    assert twin.space.conditions["x3"].model_dump() == {"parameter": "x1", "values": ("v2",)}
    with_momentum = {"x1": "v2", "x2": 0.01, "x3": 0.9, "x4": 3, "x5": 64, "x6": "v1"}
    shown = {"optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.9, "layers": 3, "width": 64}
    assert twin.true_score(with_momentum) == mixed.true_score(shown | {"scheduler": "constant"})

"""Curves of regret against trials."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evals.search_bench.plots import band, write_plots
from evals.search_bench.run import Run

MakeRun = Callable[..., Run]


def test_the_band_is_over_problems(finished_run: MakeRun) -> None:
    """Around the mean; nothing where all problems agree."""
    runs = [finished_run("a", f"p{i}", [0.9, 0.1 * i]) for i in range(6)]
    mean, low, high = band(runs)
    assert mean == pytest.approx([0.9, 0.25])
    assert (low[0], high[0]) == (pytest.approx(0.9), pytest.approx(0.9))
    assert 0.1 < low[1] < mean[1] < high[1] < 0.4


def test_the_band_of_one_problem_is_over_seeds(finished_run: MakeRun) -> None:
    """Else there would be none."""
    _, low, high = band([finished_run("a", "p", [0.2 * seed], seed) for seed in range(5)])
    assert low[0] < 0.4 < high[0]


@pytest.mark.parametrize("families", [1, 3])
def test_a_picture_is_written(finished_run: MakeRun, tmp_path: Path, families: int) -> None:
    """One panel, or one more per family; regrets of 0, methods that stop and many methods do no harm."""
    from matplotlib.image import imread

    runs = [
        finished_run(f"m{m}", f"p{f}", [0.5, 0.2 * m / 9, 0.0][: 3 - m % 2], family=f"f{f}", trials=3)
        for f in range(families)
        for m in range(9)
    ]
    write_plots(runs, tmp_path / "regret.png")
    height, width, _ = np.shape(imread(tmp_path / "regret.png"))
    assert (height > 700) == (families > 1)
    assert width > 600

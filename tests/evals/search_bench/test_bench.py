"""A whole benchmark: what is run, kept and summed up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.search_bench.bench import BenchSettings, bench
from evals.search_bench.optuna_methods import OptunaMethod
from evals.search_bench.problem import Method, Problem
from evals.search_bench.table import Table
from trainers.errors import InputError


class Counting:
    """Builds Optuna methods and counts them; gives up when asked for run number `dies_at`."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.built: list[tuple[str, str, int]] = []
        self._dies_at = dies_at

    def __call__(self, name: str, problem: Problem, seed: int) -> Method:
        """See `MethodBuilder`."""
        if len(self.built) == self._dies_at:
            raise KeyboardInterrupt
        self.built.append((name, problem.name, seed))
        return OptunaMethod(problem, "random", seed)


SETTINGS = BenchSettings(methods=("random", "tpe"), trials=4, seeds=3, start=2)


def compared(grid: Table, build: Counting, out: Path | None, settings: BenchSettings = SETTINGS) -> dict[str, Any]:
    """The results of a benchmark on the grid, without what time decides."""
    results = bench([grid], settings, build, lambda name: f"{name} 1", out).model_dump(mode="json")
    for numbers in (results["methods"], *results["families"].values(), *results["tables"].values()):
        for of_one in numbers.values():
            del of_one["seconds_per_proposal"], of_one["seconds_p95"]
    return results


def test_seeds_are_paired(grid: Table) -> None:
    """Each method runs on each problem in each seed; here the same sampler under two names gives the same numbers."""
    build = Counting()
    results = compared(grid, build, None)
    assert sorted(build.built) == [(name, "grid", seed) for name in ("random", "tpe") for seed in range(3)]
    assert results["methods"]["random"] == results["methods"]["tpe"]
    assert results["settings"] == SETTINGS.model_dump(mode="json")


def test_a_killed_benchmark_goes_on(grid: Table, tmp_path: Path) -> None:
    """Finished runs are read back, a line that was cut off is not; the results are those of an undisturbed one."""
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        compared(grid, Counting(dies_at=4), out)
    runs = out / "runs.jsonl"
    assert len(runs.read_text().splitlines()) == 4
    with runs.open("a") as file:
        file.write('{"key": {"prob')
    rest = Counting()
    assert compared(grid, rest, out) == compared(grid, Counting(), None)
    assert len(rest.built) == 2
    assert len(runs.read_text().splitlines()) == 6


def test_only_what_changed_is_run_again(grid: Table, tmp_path: Path) -> None:
    """More seeds add runs, other settings start anew, and old runs stay in the file."""
    compared(grid, Counting(), tmp_path)
    more, longer, again = Counting(), Counting(), Counting()
    compared(grid, more, tmp_path, SETTINGS.model_copy(update={"seeds": 4}))
    assert [seed for _, _, seed in more.built] == [3, 3]
    compared(grid, longer, tmp_path, SETTINGS.model_copy(update={"trials": 5}))
    assert len(longer.built) == 6
    compared(grid, again, tmp_path)
    assert again.built == []
    bench([grid], SETTINGS, again, lambda name: "2", tmp_path)
    assert len(again.built) == 6


def test_the_directory_holds_results_page_and_plot(grid: Table, tmp_path: Path) -> None:
    """Beside the runs."""
    results = bench([grid], SETTINGS, Counting(), lambda name: "1", tmp_path / "a" / "b")
    assert {p.name for p in (tmp_path / "a" / "b").iterdir()} == {
        "regret.png",
        "results.json",
        "results.md",
        "runs.jsonl",
    }
    assert json.loads((tmp_path / "a" / "b" / "results.json").read_text()) == results.model_dump(mode="json")
    assert (tmp_path / "a" / "b" / "results.md").read_text().startswith("# Search methods compared")


@pytest.mark.parametrize("make", ["file", "line"])
def test_a_directory_that_is_none_is_named(
    grid: Table, tmp_path: Path, make: str, offering: Callable[..., object]
) -> None:
    """A file in its place, or a file of something else in it."""
    out = tmp_path / "out"
    if make == "file":
        out.write_text("")
    else:
        out.mkdir()
        (out / "runs.jsonl").write_text('{"not": "a run"}\n')
    with pytest.raises(InputError, match="out"):
        compared(grid, Counting(), out)

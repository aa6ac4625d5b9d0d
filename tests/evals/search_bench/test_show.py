"""Results in a terminal and as a page."""

from collections.abc import Callable

import pytest
from rich.console import Console

from evals.search_bench.run import Run
from evals.search_bench.show import page, print_results
from evals.search_bench.summary import Results, summarise


@pytest.fixture
def results(finished_run: Callable[..., Run]) -> Results:
    """Two methods, two families, twins."""
    curves = {"tpe": 0.4, "new": 0.2}
    runs = [
        finished_run(method, f"{problem}{twin}", [0.8, share, share], family=f"{family}{twin}", tokens=120)
        for twin in ("", "-renamed")
        for problem, family in (("p", "cars"), ("q", "cars"), ("r", "boats"))
        for method, share in curves.items()
    ]
    return summarise([*runs, finished_run("default", "p", [0.8], trials=3, family="cars")], {"trials": 3, "seeds": 1})


def test_the_terminal_shows_methods_families_twins_and_ratios(results: Results) -> None:
    """Methods without proposals have dashes."""
    console = Console(width=140, record=True, color_system=None, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    print_results(results, console)
    shown = console.export_text()
    for words in ("all problems: 3 problems", "cars: 2 problems", "boats: 1 problems", "renamed twins"):
        assert words in shown
    assert "new / better of tpe and gp: @3 0.50" in shown
    assert "area 0.7" in shown
    assert "120" in shown
    (line,) = [x for x in shown.splitlines() if x.startswith("│ default")][:1]
    assert line.count(" - ") == 4


def test_the_page_has_every_section(results: Results) -> None:
    """Tables in Markdown with the plot, what was run, and the comparison with its losses."""
    text = page(results, "regret.png")
    assert "![regret against trials](regret.png)" in text
    assert "Trials 3, seeds 1." in text
    for head in ("All problems (3 problems)", "cars (2 problems)", "boats (1 problem)", "Renamed twins (3 problems)"):
        assert f"## {head}" in text
    assert "| new | 0.200 | 0.400 | 0.0% | 0.0% | 0.500 | 120 |" in text
    assert "## Against TPE and GP" in text
    assert any(line.startswith("| new | 3 | tpe | 0.50") for line in text.splitlines())


def test_a_page_without_yardsticks_has_no_comparison(finished_run: Callable[..., Run]) -> None:
    """Nor a section of families where there is one only."""
    text = page(summarise([finished_run("random", "p", [0.5, 0.4])]), "regret.png")
    assert "Against" not in text
    assert text.count("## ") == 1

"""From runs to numbers."""

from collections.abc import Callable

import pytest

from evals.search_bench.run import Run
from evals.search_bench.summary import checkpoints, compare_all, summarise

MakeRun = Callable[..., Run]


def test_every_problem_counts_the_same(finished_run: MakeRun) -> None:
    """Means over seeds first: a problem with more seeds does not weigh more."""
    runs = [finished_run("a", "p", [0.8, 0.8], seed) for seed in range(3)] + [finished_run("a", "q", [0.4, 0.2])]
    numbers = summarise(runs).methods["a"]
    assert numbers.regret == {"2": pytest.approx(0.5)}
    assert numbers.area == pytest.approx((0.6 + 0.5) / 2)
    assert (numbers.n_problems, numbers.n_runs) == (2, 4)


def test_regret_is_told_at_the_agreed_numbers_of_trials(finished_run: MakeRun) -> None:
    """3, 5, 8, 10, 15, 25; the last one too where it is another."""
    assert checkpoints(25) == [3, 5, 8, 10, 15, 25]
    assert checkpoints(12) == [3, 5, 8, 10, 12]
    assert checkpoints(2) == [2]
    curve = [1.0 / (i + 1) for i in range(25)]
    assert summarise([finished_run("a", "p", curve)]).methods["a"].regret == {
        str(n): pytest.approx(1 / n) for n in (3, 5, 8, 10, 15, 25)
    }


def test_shares_are_of_proposals(finished_run: MakeRun) -> None:
    """The common start counts in none of them; failures after ten trials are told apart."""
    one = finished_run("a", "p", [0.5] * 21, failed=12, duplicates=5, tokens=900)
    numbers = summarise([one]).methods["a"]
    assert numbers.failed_share == pytest.approx(12 / 20)
    assert numbers.failed_share_after_10 == pytest.approx(3 / 11)
    assert numbers.duplicate_share == pytest.approx(5 / 20)
    assert (numbers.seconds_per_proposal, numbers.seconds_p95, numbers.tokens_per_proposal) == (0.5, 0.5, 900)
    nothing = summarise([finished_run("default", "p", [0.5], trials=5)]).methods["default"]
    assert (nothing.failed_share, nothing.duplicate_share, nothing.seconds_per_proposal) == (None, None, None)
    assert nothing.regret["5"] == 0.5


def test_families_tables_and_twins_are_told_apart(finished_run: MakeRun) -> None:
    """A twin counts in its own family and in `renamed`, never in the overall means."""
    runs = [
        finished_run("tpe", "p", [0.6], family="f"),
        finished_run("tpe", "q", [0.2], family="g"),
        finished_run("tpe", "p-renamed", [0.9], family="f-renamed"),
        finished_run("tpe", "q-renamed", [0.9], family="g-renamed"),
    ]
    results = summarise(runs, {"seeds": 1})
    assert results.methods["tpe"].area == pytest.approx(0.4)
    assert {f: n["tpe"].area for f, n in results.families.items()} == {
        "f": 0.6,
        "f-renamed": 0.9,
        "g": 0.2,
        "g-renamed": 0.9,
    }
    assert list(results.tables) == ["p", "p-renamed", "q", "q-renamed"]
    assert results.renamed["tpe"].area == pytest.approx(0.9)
    assert results.settings == {"seeds": 1}
    assert summarise(runs[2:]).methods["tpe"].area == pytest.approx(0.9)  # twins alone are all there is


def pairs(finished_run: MakeRun, better: float = 0.5, n: int = 10) -> list[Run]:
    """`new` has `better` times the regret of tpe on every problem, gp a bit more than tpe."""
    regrets = [0.1 + 0.05 * i for i in range(n)]
    return [
        finished_run(method, f"p{i}", [factor * regret] * 3)
        for i, regret in enumerate(regrets)
        for method, factor in (("new", better), ("tpe", 1.0), ("gp", 1.1))
    ]


def test_a_method_is_compared_with_the_better_of_tpe_and_gp(finished_run: MakeRun) -> None:
    """Ratio of means, bootstrap interval, one-sided paired Wilcoxon, wins and losses; over problems."""
    tests = compare_all(pairs(finished_run))
    assert set(tests["new"]) == {"better", "tpe", "gp"}
    found = tests["new"]["better"]["3"]
    assert (found.against, found.wins, found.losses) == ("tpe", 10, 0)
    assert found.ratio == pytest.approx(0.5)
    assert found.ci95 == pytest.approx((0.5, 0.5))
    assert found.p_value == pytest.approx(2**-10)
    assert tests["new"]["gp"]["area"].ratio == pytest.approx(0.5 / 1.1)
    assert set(tests["tpe"]) == {"better", "gp"}


def test_a_worse_method_has_a_large_p(finished_run: MakeRun) -> None:
    """The test is one-sided."""
    found = compare_all(pairs(finished_run, better=1.3))["new"]["better"]["area"]
    assert found.p_value is not None
    assert found.p_value > 0.99
    assert (found.wins, found.losses) == (0, 10)


def test_the_interval_covers_what_varies(finished_run: MakeRun) -> None:
    """Wider than nothing where problems differ, around the ratio, the same every time."""
    runs = [r for i in range(8) for r in (finished_run("a", f"p{i}", [0.1 * i]), finished_run("tpe", f"p{i}", [0.5]))]
    found = compare_all(runs)["a"]["tpe"]["1"]
    assert found.ci95 is not None
    assert found.ratio is not None
    assert found.ci95[0] < found.ratio < found.ci95[1]
    assert compare_all(runs)["a"]["tpe"]["1"] == found


def test_what_cannot_be_compared_is_left_open(finished_run: MakeRun) -> None:
    """No yardstick, one problem, equal regrets, no regret at all."""
    assert compare_all([finished_run("random", "p", [0.5])]) == {}
    alone = compare_all([finished_run("a", "p", [0.2]), finished_run("tpe", "p", [0.5])])["a"]["better"]["1"]
    assert (alone.ratio, alone.ci95) == (pytest.approx(0.4), None)
    equal = compare_all(pairs(finished_run, better=1.0))["new"]["better"]["3"]
    assert (equal.p_value, equal.wins, equal.losses) == (None, 0, 0)
    solved = [finished_run(m, p, [0.0]) for m in ("a", "tpe") for p in ("p", "q")]
    assert compare_all(solved)["a"]["better"]["1"].ratio is None

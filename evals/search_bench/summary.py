"""From runs to the numbers that are reported: regret, shares, cost, and how sure the comparisons are.

Means are taken over seeds within a problem, then over problems, so that every problem counts the same.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from evals.search_bench.renamed import SUFFIX
from evals.search_bench.run import Run
from trainers.spec import Closed

CHECKPOINTS = (3, 5, 8, 10, 15, 25)
LATE = 10
"""Failures are counted apart after this many trials: by then a method can know where runs fail."""

BASELINES = ("tpe", "gp")
DRAWS = 10_000
Floats = npt.NDArray[np.float64]


class Numbers(Closed):
    """How one method did. Proposals are the trials after the common start; None where there were none."""

    regret: dict[str, float] = Field(description="mean normalised regret after so many trials: 0 optimum, 1 median")
    area: float = Field(description="mean regret over all trials")
    failed_share: float | None = Field(description="of the proposals")
    failed_share_after_10: float | None = Field(description="of the proposals after the tenth trial")
    duplicate_share: float | None = Field(description="proposals equal to an earlier trial of the run")
    seconds_per_proposal: float | None
    seconds_p95: float | None
    tokens_per_proposal: float | None
    n_problems: int
    n_runs: int


class Comparison(Closed):
    """A method against a yardstick at one number of trials, over problems."""

    against: str = Field(description="the yardstick; of tpe and gp the one with the lower mean regret there")
    ratio: float | None = Field(description="mean regret of the method / of the yardstick; None if that is 0")
    ci95: tuple[float, float] | None = Field(description="percentile bootstrap over problems, of the ratio")
    p_value: float | None = Field(description="one-sided Wilcoxon signed-rank over problems: less regret")
    wins: int = Field(description="problems with less regret than the yardstick")
    losses: int


class Results(Closed):
    """What `tunewright bench search --json` prints."""

    methods: dict[str, Numbers]
    families: dict[str, dict[str, Numbers]]
    tables: dict[str, dict[str, Numbers]]
    tests: dict[str, dict[str, dict[str, Comparison]]] = Field(
        description="method -> better, tpe or gp -> trials or area -> comparison"
    )
    renamed: dict[str, Numbers] = Field({}, description="as methods, over the renamed twins alone")
    renamed_tests: dict[str, dict[str, dict[str, Comparison]]] = {}
    settings: dict[str, Any] = {}


def summarise(runs: Sequence[Run], settings: dict[str, Any] | None = None) -> Results:
    """The numbers of finished runs; renamed twins are kept out of the overall means."""
    originals = [r for r in runs if not r.key.problem.endswith(SUFFIX)]
    twins = [r for r in runs if r.key.problem.endswith(SUFFIX)]
    return Results(
        methods=_by_method(originals or twins),
        families={family: _by_method(group) for family, group in grouped(runs, lambda r: r.family).items()},
        tables={name: _by_method(group) for name, group in grouped(runs, lambda r: r.key.problem).items()},
        tests=compare_all(originals or twins),
        renamed=_by_method(twins) if originals else {},
        renamed_tests=compare_all(twins) if originals and twins else {},
        settings=settings or {},
    )


def grouped(runs: Sequence[Run], of: Callable[[Run], str]) -> dict[str, list[Run]]:
    """Runs by what `of` says of each, in the order of the names."""
    groups: dict[str, list[Run]] = defaultdict(list)
    for r in runs:
        groups[of(r)].append(r)
    return dict(sorted(groups.items()))


def _by_method(runs: Sequence[Run]) -> dict[str, Numbers]:
    order = dict.fromkeys(r.key.method for r in runs)
    groups = grouped(runs, lambda r: r.key.method)
    return {name: _numbers(groups[name]) for name in order}


def _numbers(runs: Sequence[Run]) -> Numbers:
    curves = mean_curves(runs)
    over_problems = np.mean(list(curves.values()), axis=0)
    late = [step for r in runs for step in r.steps[max(LATE, r.key.start) :]]
    steps = [step for r in runs for step in r.proposals]
    seconds = [step.seconds for step in steps]
    return Numbers(
        regret={str(n): float(over_problems[n - 1]) for n in checkpoints(len(over_problems))},
        area=float(over_problems.mean()),
        failed_share=_mean([s.failed for s in steps]),
        failed_share_after_10=_mean([s.failed for s in late]),
        duplicate_share=_mean([s.duplicate for s in steps]),
        seconds_per_proposal=_mean(seconds),
        seconds_p95=float(np.percentile(seconds, 95)) if seconds else None,
        tokens_per_proposal=_mean([s.tokens for s in steps]),
        n_problems=len(curves),
        n_runs=len(runs),
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def checkpoints(trials: int) -> list[int]:
    """The numbers of trials at which regret is told; the last one too where it is not of `CHECKPOINTS`."""
    return sorted({n for n in CHECKPOINTS if n <= trials} | {trials})


def mean_curves(runs: Sequence[Run]) -> dict[str, Floats]:
    """Problem -> regret after each trial, (trials,), mean over seeds."""
    return {
        name: np.mean([r.regrets for r in group], axis=0)
        for name, group in grouped(runs, lambda r: r.key.problem).items()
    }


def compare_all(runs: Sequence[Run]) -> dict[str, dict[str, dict[str, Comparison]]]:
    """Every method against the better of tpe and gp, and against each; empty where neither was run."""
    curves = {name: mean_curves(group) for name, group in grouped(runs, lambda r: r.key.method).items()}
    yardsticks = [name for name in BASELINES if name in curves]
    if not yardsticks:
        return {}
    problems = sorted(set.intersection(*(set(by_problem) for by_problem in curves.values())))
    tables = {name: np.array([by_problem[p] for p in problems]) for name, by_problem in curves.items()}
    against: dict[str, list[str]] = {"better": yardsticks, **{name: [name] for name in yardsticks}}
    return {
        method: {label: _along(tables, method, names) for label, names in against.items() if names != [method]}
        for method in dict.fromkeys(r.key.method for r in runs)
    }


def _along(tables: dict[str, Floats], method: str, yardsticks: list[str]) -> dict[str, Comparison]:
    trials = tables[method].shape[1]
    places = {str(n): slice(n - 1, n) for n in checkpoints(trials)} | {"area": slice(0, trials)}
    return {
        label: _comparison(
            tables[method][:, place].mean(axis=1), {n: tables[n][:, place].mean(axis=1) for n in yardsticks}
        )
        for label, place in places.items()
    }


def _comparison(regret: Floats, yardsticks: dict[str, Floats]) -> Comparison:
    """`regret` and each yardstick hold one mean regret per problem. In each draw the better yardstick is taken anew."""
    better = min(yardsticks, key=lambda name: float(yardsticks[name].mean()))
    other = yardsticks[better]
    picks = np.random.default_rng(0).integers(len(regret), size=(DRAWS, len(regret)))
    lowest = np.min([values[picks].mean(axis=1) for values in yardsticks.values()], axis=0)
    usable = lowest > 0
    ratios = regret[picks].mean(axis=1)[usable] / lowest[usable]
    whole = len(regret) > 1 and usable.mean() > 0.99  # draws without any regret of the yardstick have no ratio
    low, high = np.percentile(ratios, [2.5, 97.5]) if whole else (0.0, 0.0)
    return Comparison(
        against=better,
        ratio=float(regret.mean() / other.mean()) if other.mean() > 0 else None,
        ci95=(float(low), float(high)) if whole else None,
        p_value=_wilcoxon(regret, other),
        wins=int((regret < other - 1e-12).sum()),
        losses=int((regret > other + 1e-12).sum()),
    )


def _wilcoxon(regret: Floats, other: Floats) -> float | None:
    """One-sided p of "no less regret than the other"; None where all pairs are equal."""
    from scipy.stats import wilcoxon

    if np.allclose(regret, other, atol=1e-12):
        return None
    return float(wilcoxon(regret, other, alternative="less", zero_method="zsplit").pvalue)

"""Regret against trials, drawn: every method with its 95 % band, over all problems and in each family."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evals.search_bench.renamed import SUFFIX
from evals.search_bench.run import Run
from evals.search_bench.summary import Floats, grouped, mean_curves

INK, GREY = "#1f2430", "#8a8f98"

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", INK, GREY)
"""Okabe and Ito's palette without yellow, told apart by colour-blind readers; then other dashes."""

DASHES = ("-", "--", ":")

STYLE = {
    "text.parse_math": False,
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    "grid.color": GREY,
    "savefig.dpi": 160,
}

COLUMNS = 3
PANEL = (3.3, 2.6)
"""Inches of one panel."""

FLOOR = 0.005
"""Least regret on the (log) axis where curves reach it: half a hundredth of the way from the optimum to the median."""

DRAWS = 2000


def write_plots(runs: Sequence[Run], path: Path) -> None:
    """One PNG: a panel over all problems (renamed twins apart), then one per family where there are several."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = _panels(runs)
    methods = list(dict.fromkeys(r.key.method for r in runs))
    floor = max(FLOOR, 0.4 * min(float(curve.min()) for curve in _means(panels, methods)))
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context(STYLE):
        size = (max(PANEL[0] * columns, 4.6), PANEL[1] * rows + 0.5)
        figure = Figure(figsize=size, layout="constrained")  # no pyplot: nothing global is touched, no display needed
        axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for ax, (title, group) in zip(axes, panels.items(), strict=False):
            _panel(ax, title, group, methods, floor)
        for ax in axes[len(panels) :]:
            ax.remove()
        figure.supylabel("mean normalised regret", fontsize=9.5)
        figure.supxlabel("trials (the common start included)", fontsize=9.5)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 2 * columns))
        figure.savefig(path, format="png", facecolor="white", metadata={"Software": None})


def band(runs: Sequence[Run]) -> tuple[Floats, Floats, Floats]:
    """Mean regret after each trial with the ends of its 95 % interval (percentile bootstrap).

    Problems are what is drawn again; where there is one only, its seeds.
    """
    curves = np.array(list(mean_curves(runs).values()))
    if len(curves) == 1:
        curves = np.array([r.regrets for r in runs])
    picks = np.random.default_rng(0).integers(len(curves), size=(DRAWS, len(curves)))
    weights = np.stack([np.bincount(pick, minlength=len(curves)) for pick in picks]) / len(curves)
    low, high = np.percentile(weights @ curves, [2.5, 97.5], axis=0)
    return curves.mean(axis=0), low, high


def _panels(runs: Sequence[Run]) -> dict[str, list[Run]]:
    originals = [r for r in runs if not r.key.problem.endswith(SUFFIX)]
    twins = [r for r in runs if r.key.problem.endswith(SUFFIX)]
    whole = {"all": originals, "renamed twins": twins}
    families = grouped(runs, lambda r: r.family)
    return {title: group for title, group in whole.items() if group} | (families if len(families) > 1 else {})


def _means(panels: dict[str, list[Run]], methods: Sequence[str]) -> Iterator[Floats]:
    for runs in panels.values():
        groups = grouped(runs, lambda r: r.key.method)
        yield from (np.mean(list(mean_curves(groups[m]).values()), axis=0) for m in methods if m in groups)


def _panel(ax: Any, title: str, runs: Sequence[Run], methods: Sequence[str], floor: float) -> None:
    groups = grouped(runs, lambda r: r.key.method)
    for i, method in enumerate(methods):
        if method not in groups:
            continue
        mean, low, high = (np.maximum(values, floor) for values in band(groups[method]))
        trials = np.arange(1, len(mean) + 1)
        colour, dash = COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]
        ax.fill_between(trials, low, high, color=colour, alpha=0.13, linewidth=0)
        ax.plot(trials, mean, color=colour, linestyle=dash, label=method)
    n = len({r.key.problem for r in runs})
    ax.set_title(f"{title} ({n} problem{'s' if n > 1 else ''})")
    ax.set_yscale("log")
    ax.set_yticks([1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005])
    ax.set_ylim(floor, 1.1)
    ax.yaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    longest = max(r.key.trials for r in runs)
    ax.set_xlim(1, max(longest, 2))
    ax.set_xticks(sorted({1, *(n for n in (5, 10, 15, 20, 25, 50, 100) if n < longest), longest}))

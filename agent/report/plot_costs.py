"""Plot of quality against each cost that the search weighed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent.report.compromises import COST_WORDS, joined
from agent.report.model import Compromise, Pareto, Report
from agent.report.style import COLOURS, GREY, INK, WIDTH, Plot, finished, new_figure, scale_of
from agent.report.wording import number
from trainers.spec import Direction, Tradeoff

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOG_FACTOR_COST = 8.0
"""Positive costs that span more than this factor are drawn on a log axis."""

UNITS = {
    Tradeoff.TRAIN_SECONDS: "training time (s)",
    Tradeoff.PEAK_MEMORY_MB: "peak memory (MB)",
    Tradeoff.ADAPTER_MB: "adapter size (MB)",
}

APART = (0.07, 0.12)
"""Shares of a panel's width and height within which two trial numbers would touch."""


def quality_against_costs(report: Report, pareto: Pareto) -> Plot:
    """A panel for each cost: the front with its trial numbers, filled where confirmed; default and best marked."""
    name, title = "quality_against_cost", "Quality against cost"
    n_panels = len(pareto.costs)
    figure = new_figure((WIDTH, 3.3) if n_panels == 1 else (2.3 * WIDTH, 3.4))
    panels = figure.subplots(1, n_panels, squeeze=False, sharey=True)[0]
    panels[0].set_yscale(scale_of([c.quality for c in (*pareto.front, *pareto.others)]))  # all panels share it
    for axes, cost in zip(panels, pareto.costs, strict=True):
        _panel(axes, pareto, cost)
        _numbers(axes, pareto.front, cost, above=report.direction is Direction.MAXIMIZE)
        axes.set_xlabel(UNITS[cost])
    panels[0].set_ylabel(f"validation {report.metric}")
    handles, labels = panels[0].get_legend_handles_labels()
    columns = 3 if n_panels == 1 else len(labels)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, handletextpad=0.4, columnspacing=1.0)
    ends = " to ".join(f"trial {c.trial_number} ({number(c.quality)})" for c in (pareto.front[0], pareto.front[-1]))
    words = joined([str(report.metric), *(COST_WORDS[cost] for cost in pareto.costs)])
    n = len(pareto.front)
    alt = f"{n} of {n + len(pareto.others)} configurations are on the front of {words}, from {ends}."
    return finished(figure, name, title, alt).model_copy(update={"wide": n_panels > 1})


def _panel(axes: "Axes", pareto: Pareto, cost: Tradeoff) -> None:
    every = (*pareto.front, *pareto.others)
    axes.set_xscale(scale_of([c.costs.of(cost) for c in every], LOG_FACTOR_COST))
    if axes.get_xscale() == "linear":
        axes.locator_params(axis="x", nbins=6)
    _marks(axes, pareto.others, cost, GREY, "others", False, s=20, zorder=3)
    if len(pareto.costs) == 1:
        line = sorted(pareto.front, key=lambda c: c.costs.of(cost))
        axes.step(*_xy(line, cost), where="post", color=COLOURS[0], linewidth=1.1, alpha=0.6, zorder=2)
    fresh, once = [c for c in pareto.front if c.confirmed], [c for c in pareto.front if not c.confirmed]
    _marks(axes, fresh, cost, COLOURS[0], "front, confirmed", False, s=46, zorder=3)
    _marks(axes, once, cost, COLOURS[0], "front, search only", True, s=46, zorder=3)
    _marks(axes, [c for c in every if c.is_default], cost, INK, "default", True, marker="D", s=120, zorder=4)
    _marks(axes, [c for c in every if c.is_best], cost, COLOURS[4], "handed back", True, marker="s", s=120, zorder=4)
    axes.margins(x=0.08, y=0.16)


def _numbers(axes: "Axes", front: Sequence[Compromise], cost: Tradeoff, above: bool) -> None:
    """Trial numbers on the better side of the points, marked ones first; one that would lie on another is left out."""
    places: list[tuple[float, float]] = []
    to_axes = axes.transData + axes.transAxes.inverted()
    for c in sorted(front, key=lambda c: not (c.is_best or c.is_default)):
        x, y = to_axes.transform((c.costs.of(cost), c.quality))
        if any(abs(x - other[0]) < APART[0] and abs(y - other[1]) < APART[1] for other in places):
            continue
        places.append((x, y))
        axes.annotate(
            str(c.trial_number), (c.costs.of(cost), c.quality), xytext=(0, 9 if above else -9),
            textcoords="offset points", ha="center", va="bottom" if above else "top", fontsize=8, color=INK,
        )  # fmt: skip


def _xy(points: Sequence[Compromise], cost: Tradeoff) -> tuple[list[float], list[float]]:
    return [c.costs.of(cost) for c in points], [c.quality for c in points]


def _marks(
    axes: "Axes", points: Sequence[Compromise], cost: Tradeoff, colour: str, label: str, hollow: bool, **look: Any
) -> None:
    if points:
        face, width = ("none", 1.4) if hollow else (colour, 0.0)
        place = _xy(points, cost)
        axes.scatter(*place, facecolors=face, edgecolors=colour, linewidths=width, label=label, **look)

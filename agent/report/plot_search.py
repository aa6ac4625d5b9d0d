"""Plots of the search: optimisation history, learning curves, parallel coordinates, importance."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent.report.importance import hyperparameter_importance
from agent.report.material import Material
from agent.report.model import Report, TrialRow
from agent.report.style import CARD, COLOURS, GREY, INK, WIDTH, Plot, finished, new_figure
from agent.report.wording import number, plain, shortened
from agent.study.nouns import Phase, TrialState
from trainers.space import CategoricalParameter, Parameter
from trainers.spec import CurvePoint, Direction, Scalar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_CURVES = 5
LOG_FACTOR = 30.0
"""Positive scores that span more than this factor are drawn on a log axis; otherwise one diverged trial hides all."""


def history(report: Report) -> Plot:
    """Score by trial, best so far, the default's level, failures at the lower edge, colour by source."""
    name, title = "history", "Optimisation history"
    rows = [row for row in report.trial_rows if row.phase is Phase.SEARCH]
    figure = history_figure(rows, report.metric, report.direction)
    if figure is None:
        return Plot(name=name, title=title, missing="No search trial was scored.")
    scored = _scored(rows)
    default = next((row.score for row in scored if row.number == 0), None)
    failed = sum(row.state is TrialState.FAILED for row in rows)
    better = "highest" if report.direction is Direction.MAXIMIZE else "lowest"
    alt = (
        f"Validation {report.metric} of {len(scored)} complete search trials by trial number; the {better} is "
        f"{number(_best_so_far(scored, report.direction)[-1])}, the default {number(default)}; {failed} failed."
    )
    return finished(figure, name, title, alt)


def history_figure(rows: Sequence[TrialRow], metric: str, direction: Direction) -> "Figure | None":
    """The search trials so far; None where none of them has a score."""
    scored = _scored(rows)
    if not scored:
        return None
    figure = new_figure()
    axes = figure.add_subplot()
    default = next((row.score for row in scored if row.number == 0), None)
    if default is not None:
        axes.axhline(default, color=GREY, linestyle="--", linewidth=1.2, label=f"default {number(default)}")
    best = _best_so_far(scored, direction)
    edges = [row.number for row in scored] + [max(row.number for row in rows)]
    axes.step(edges, [*best, best[-1]], where="post", color=INK, linewidth=1.1, alpha=0.7, label="best so far")
    for colour, source in zip(_cycle(COLOURS), dict.fromkeys(row.source for row in scored), strict=False):
        points = [(row.number, row.score) for row in scored if row.source == source]
        xs, ys = zip(*points, strict=True)
        axes.scatter(xs, ys, s=34, color=colour, label=source, zorder=3, edgecolors="none")
    _scale(axes, [row.score or 0.0 for row in scored])
    _unscored(axes, rows)
    axes.set(xlabel="search trial", ylabel=f"validation {metric}")
    _whole_numbers(axes.xaxis)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, handletextpad=0.4)
    return figure


def _scored(rows: Sequence[TrialRow]) -> list[TrialRow]:
    return [row for row in rows if row.score is not None and row.state is TrialState.COMPLETE]


def _best_so_far(scored: Sequence[TrialRow], direction: Direction) -> list[float]:
    better = max if direction is Direction.MAXIMIZE else min
    best: list[float] = []
    for row in scored:
        best.append(better([*best[-1:], row.score or 0.0]))
    return best


def _unscored(axes: "Axes", rows: Sequence[TrialRow]) -> None:
    """Failed and pruned trials as marks on the lower edge: they have a number but no score to compare."""
    edge = axes.get_xaxis_transform()
    for state, marker, label in ((TrialState.FAILED, "x", "failed"), (TrialState.PRUNED, "|", "pruned")):
        numbers = [row.number for row in rows if row.state is state]
        if numbers:
            axes.scatter(
                numbers, [0.02] * len(numbers), transform=edge, marker=marker, color="#c0392b", s=40, label=label,
                clip_on=False, zorder=4,
            )  # fmt: skip


def learning_curves(material: Material, report: Report) -> Plot:
    """Validation loss by step of the best search trials and the default; training loss where it is all there is."""
    name, title = "learning_curves", "Learning curves"
    chosen = _curves(material, report)
    field = "eval_loss" if any(p.eval_loss is not None for _, points in chosen for p in points) else "loss"
    lines = [(label, [(p.step, getattr(p, field)) for p in points]) for label, points in chosen]
    lines = [(label, [(x, y) for x, y in points if y is not None]) for label, points in lines]
    lines = [(label, points) for label, points in lines if points]
    if not lines:
        return Plot(name=name, title=title, missing="No learning curves were recorded.")
    figure = new_figure()
    axes = figure.add_subplot()
    for colour, (label, points) in zip(_cycle(COLOURS), lines, strict=False):
        is_default = label.startswith("default")
        axes.plot(
            *zip(*points, strict=True), label=label, marker="o", markersize=3.5,
            color=GREY if is_default else colour, linestyle="--" if is_default else "-",
        )  # fmt: skip
    _scale(axes, [y for _, points in lines for _, y in points])
    what = "validation loss" if field == "eval_loss" else "training loss"
    axes.set(xlabel="optimizer step", ylabel=f"{what} (nats)" if report.task != "preference" else what)
    _whole_numbers(axes.xaxis)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    ends = "; ".join(f"{label} ends at {number(points[-1][1])}" for label, points in lines)
    return finished(figure, name, title, f"{what.capitalize()} by optimizer step: {ends}.")


def _curves(material: Material, report: Report) -> list[tuple[str, tuple[CurvePoint, ...]]]:
    """(label, curve) of the default and the best-scored search trials that have one."""
    sign = -1 if report.direction is Direction.MAXIMIZE else 1
    search = [t for t in material.trials if t.phase is Phase.SEARCH and material.curves.get(t.trial_id)]
    default = [t for t in search if t.number == 0]
    rest = sorted((t for t in search if t.number and t.score is not None), key=lambda t: sign * (t.score or 0.0))
    return [
        (f"{'default' if t.number == 0 else f'trial {t.number}'} ({number(t.score)})", material.curves[t.trial_id])
        for t in [*default, *rest[: N_CURVES - len(default)]]
    ]


def parallel_coordinates(material: Material, report: Report) -> Plot:
    """One line a complete search trial through its hyperparameters to its score, from grey (worst) to orange (best)."""
    name, title = "parallel_coordinates", "Configurations and their scores"
    space = material.plan.space
    rows = [r for r in report.trial_rows if r.phase is Phase.SEARCH and r.state is TrialState.COMPLETE]
    rows = [r for r in rows if r.score is not None]
    free = [n for n in report.free_hyperparameters if any(n in r.config for r in rows)]
    if space is None or len(rows) < 2 or not free:
        return Plot(name=name, title=title, missing="Fewer than two configurations were scored.")
    figure = new_figure((max(WIDTH, 0.85 * (len(free) + 1)), 3.6))
    axes = figure.add_subplot()
    scores = [r.score or 0.0 for r in rows]
    low, high = min(scores), max(scores)
    up = report.direction is Direction.MAXIMIZE
    for row in sorted(rows, key=lambda r: (r.score or 0.0) * (1 if up else -1)):
        place = ((row.score or 0.0) - low) / (high - low) if high > low else 0.5
        quality = place if up else 1 - place
        ys = [_height(space.parameters[n], row.config[n]) if n in row.config else math.nan for n in free]
        axes.plot(
            range(len(free) + 1), [*ys, place], color=_shade(quality), linewidth=0.9 + 1.3 * quality,
            alpha=0.55 + 0.4 * quality,
        )  # fmt: skip
    for x, parameter_name in enumerate(free):
        _axis(axes, x, _marks(space.parameters[parameter_name]))
    _axis(axes, len(free), [(0.0, number(low)), (1.0, number(high))] if high > low else [(0.5, number(low))])
    labels = [*free, f"{report.metric}"]
    axes.set_xticks(range(len(labels)), [label.replace("_", "\n") for label in labels])
    axes.set(yticks=[], xlim=(-0.45, len(free) + 0.45), ylim=(-0.08, 1.08))
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
    alt = (
        f"{len(rows)} configurations as lines over {', '.join(free)} and the validation {report.metric}, from "
        f"{number(low)} to {number(high)}; the more orange a line, the better."
    )
    return finished(figure, name, title, alt)


def _shade(quality: float) -> tuple[float, ...]:
    """From grey at 0 to orange at 1, both readable on dark and light ground."""
    from matplotlib.colors import to_rgb

    return tuple((1 - quality) * a + quality * b for a, b in zip(to_rgb(GREY), to_rgb(COLOURS[4]), strict=True))


def _height(parameter: Parameter, value: Scalar) -> float:
    """Position of a value on its axis, in [0, 1]."""
    if isinstance(parameter, CategoricalParameter):
        last = len(parameter.choices) - 1
        return parameter.choices.index(value) / last if last else 0.5
    low, high, at = float(parameter.low), float(parameter.high), float(value)
    if parameter.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low) if high > low else 0.5


def _marks(parameter: Parameter) -> list[tuple[float, str]]:
    if isinstance(parameter, CategoricalParameter):
        return [(_height(parameter, choice), plain(choice)) for choice in parameter.choices]
    return [(0.0, plain(float(parameter.low))), (1.0, plain(float(parameter.high)))]


def _axis(axes: "Axes", x: int, marks: Sequence[tuple[float, str]]) -> None:
    axes.plot([x, x], [0, 1], color=GREY, linewidth=0.8, zorder=0)
    for y, text in marks:
        ground = {"facecolor": CARD, "edgecolor": "none", "pad": 1.2}
        axes.text(x, y, shortened(text, 12), fontsize=7.5, ha="center", va="center", color=INK, zorder=5, bbox=ground)


def importance(material: Material, report: Report) -> Plot:
    """Share of the score's variation that each hyperparameter explains."""
    name, title = "importance", "Which hyperparameters mattered"
    found = hyperparameter_importance(material, report.direction)
    if isinstance(found, str):
        return Plot(name=name, title=title, missing=found)
    figure = new_figure((WIDTH, 1.1 + 0.32 * len(found)))
    axes = figure.add_subplot()
    names = sorted(found, key=lambda n: found[n])
    bars = axes.barh(names, [found[n] for n in names], color=COLOURS[0], height=0.62)
    axes.bar_label(bars, [f"{found[n]:.2f}" for n in names], padding=3, fontsize=8.5, color=INK)
    axes.set(xlim=(0, max(1e-9, *found.values()) * 1.15), xlabel="relative importance (PED-ANOVA)")
    axes.grid(visible=False, axis="y")
    ranking = ", ".join(f"{n} {found[n]:.2f}" for n in reversed(names))
    return finished(figure, name, title, f"Relative importance of hyperparameters: {ranking}.")


def _scale(axes: "Axes", values: Sequence[float]) -> None:
    if values and min(values) > 0 and max(values) / min(values) > LOG_FACTOR:
        axes.set_yscale("log")
    axes.margins(y=0.12)


def _whole_numbers(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, nbins=8))


def _cycle(colours: Sequence[str]) -> list[str]:
    return list(colours) * 20

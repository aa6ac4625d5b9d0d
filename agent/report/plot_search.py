"""Plots of the search: optimisation history, learning curves, parallel coordinates, importance."""

import math
from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING

from matplotlib.colors import LinearSegmentedColormap

from agent.report.importance import hyperparameter_importance
from agent.report.material import Material
from agent.report.model import Report, TrialRow
from agent.report.style import CARD, COLOURS, GREY, INK, WIDTH, Plot, finished, new_axes, scale_of
from agent.report.wording import number, plain, ranked_search, shortened
from agent.study.nouns import Phase, TrialState
from trainers.space import CategoricalParameter, Parameter
from trainers.spec import CurvePoint, Direction, Scalar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_CURVES = 5


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
    figure, axes = new_axes()
    default = next((row.score for row in scored if row.number == 0), None)
    if default is not None:
        axes.axhline(default, color=GREY, linestyle="--", linewidth=1.2, label=f"default {number(default)}")
    best = _best_so_far(scored, direction)
    edges = [row.number for row in scored] + [max(row.number for row in rows)]
    axes.step(edges, [*best, best[-1]], where="post", color=INK, linewidth=1.1, alpha=0.7, label="best so far")
    for colour, source in zip(cycle(COLOURS), dict.fromkeys(row.source for row in scored), strict=False):
        points = [(row.number, row.score) for row in scored if row.source == source]
        xs, ys = zip(*points, strict=True)
        axes.scatter(xs, ys, s=34, color=colour, label=source, zorder=3, edgecolors="none")
    _unscored(axes, rows)
    _look(axes, [row.score or 0.0 for row in scored], xlabel="search trial", ylabel=f"validation {metric}")
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
    curves = _curves(material, report)
    field = "eval_loss" if any(p.eval_loss is not None for _, points in curves for p in points) else "loss"
    measured = [(label, [p for p in points if getattr(p, field) is not None]) for label, points in curves]
    lines = [(label, [(p.step, getattr(p, field)) for p in points]) for label, points in measured if points]
    if not lines:
        return Plot(name=name, title=title, missing="No learning curves were recorded.")
    figure, axes = new_axes()
    for colour, (label, points) in zip(cycle(COLOURS), lines, strict=False):
        is_default = label.startswith("default")
        axes.plot(
            *zip(*points, strict=True), label=label, marker="o", markersize=3.5,
            color=GREY if is_default else colour, linestyle="--" if is_default else "-",
        )  # fmt: skip
    what = "validation loss" if field == "eval_loss" else "training loss"
    ylabel = f"{what} (nats)" if report.task != "preference" else what
    _look(axes, [y for _, points in lines for _, y in points], xlabel="optimizer step", ylabel=ylabel)
    ends = "; ".join(f"{label} ends at {number(points[-1][1])}" for label, points in lines)
    return finished(figure, name, title, f"{what.capitalize()} by optimizer step: {ends}.")


def _curves(material: Material, report: Report) -> list[tuple[str, tuple[CurvePoint, ...]]]:
    """(label, curve) of the default and the best-scored search trials that have one."""
    sign = -report.direction.sign
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
    rows = _scored([row for row in report.trial_rows if row.phase is Phase.SEARCH])
    free = [n for n in report.free_hyperparameters if any(n in r.config for r in rows)]
    if space is None or len(rows) < 2 or not free:
        return Plot(name=name, title=title, missing="Fewer than two configurations were scored.")
    figure, axes = new_axes((max(WIDTH, 0.85 * (len(free) + 1)), 3.6))
    scores = [r.score or 0.0 for r in rows]
    low, high = min(scores), max(scores)
    shade = LinearSegmentedColormap.from_list("quality", [GREY, COLOURS[4]])
    for row in reversed(ranked_search(report)[: len(rows)]):
        place = ((row.score or 0.0) - low) / (high - low) if high > low else 0.5
        quality = place if report.direction is Direction.MAXIMIZE else 1 - place
        ys = [_height(space.parameters[n], row.config[n]) if n in row.config else math.nan for n in free]
        width, alpha = 0.9 + 1.3 * quality, 0.55 + 0.4 * quality
        axes.plot(range(len(free) + 1), [*ys, place], color=shade(quality), linewidth=width, alpha=alpha)
    for x, parameter_name in enumerate(free):
        _axis(axes, x, _marks(space.parameters[parameter_name]))
    _axis(axes, len(free), [(0.0, number(low)), (1.0, number(high))] if high > low else [(0.5, number(low))])
    labels = [*free, f"{report.metric}"]
    axes.set_xticks(range(len(labels)), [label.replace("_", "\n") for label in labels])
    axes.set(yticks=[], xlim=(-0.45, len(free) + 0.45), ylim=(-0.08, 1.08))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    alt = (
        f"{len(rows)} configurations as lines over {', '.join(free)} and the validation {report.metric}, from "
        f"{number(low)} to {number(high)}; the more orange a line, the better."
    )
    return finished(figure, name, title, alt)


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
    shares = hyperparameter_importance(material, report.direction)
    if isinstance(shares, str):
        return Plot(name=name, title=title, missing=shares)
    figure, axes = new_axes((WIDTH, 1.1 + 0.32 * len(shares)))
    names = sorted(shares, key=lambda n: shares[n])
    bars = axes.barh(names, [shares[n] for n in names], color=COLOURS[0], height=0.62)
    axes.bar_label(bars, fmt="{:.2f}", padding=3, fontsize=8.5, color=INK)
    axes.set(xlim=(0, max(1e-9, *shares.values()) * 1.15), xlabel="relative importance (PED-ANOVA)")
    axes.grid(visible=False, axis="y")
    ranking = ", ".join(f"{n} {shares[n]:.2f}" for n in reversed(names))
    return finished(figure, name, title, f"Relative importance of hyperparameters: {ranking}.")


def _look(axes: "Axes", values: Sequence[float], **labels: str) -> None:
    """Scale and labels of a plot of `values` by trial or step."""
    axes.set(yscale=scale_of(values), **labels)
    axes.margins(y=0.12)
    axes.locator_params(axis="x", integer=True, nbins=8)
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, handletextpad=0.4)

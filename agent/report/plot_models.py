"""Plots of the models: default against best, and how the shipped one does on the test rows."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from agent.report.material import Material
from agent.report.model import Report, Side
from agent.report.style import COLOURS, GREY, INK, WIDTH, Plot, finished, new_figure
from agent.report.wording import number, shortened, span
from evals.spec import Item
from trainers.spec import Direction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_CLASSES = 15
"""More classes than this do not fit a readable matrix; the ones with most errors are shown."""


def default_vs_best(report: Report) -> Plot:
    """Test scores with 95 % intervals, each seed as a dot, validation means beside them."""
    name, title = "default_vs_best", "Default and best on the test rows"
    sides = [("default", report.default, GREY)]
    if not report.best_is_default:
        sides.append(("best", report.best, COLOURS[0]))
    drawn = [(label, side, colour) for label, side, colour in sides if side.test_score is not None]
    if not drawn:
        return Plot(name=name, title=title, missing="The test rows were not scored.")
    figure = new_figure((WIDTH, 1.25 + 0.75 * len(drawn)))
    axes = figure.add_subplot()
    for y, (_, side, colour) in enumerate(reversed(drawn)):
        _interval(axes, y, side, colour)
    axes.set_yticks(range(len(drawn)), [label for label, _, _ in reversed(drawn)], fontsize=10.5)
    better = "higher" if report.direction is Direction.MAXIMIZE else "lower"
    axes.set(ylim=(-0.6, len(drawn) - 0.35), xlabel=f"{report.metric}, {better} is better")
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)
    _legend(axes)
    told = "; ".join(f"{label} {number(s.test_score)}, 95 % interval {span(s.ci95)}" for label, s, _ in drawn)
    return finished(figure, name, title, f"Test {report.metric}: {told}.")


def _interval(axes: "Axes", y: int, side: Side, colour: str) -> None:
    score = side.test_score or 0.0
    if side.ci95:
        axes.plot(side.ci95, [y, y], color=colour, linewidth=3, alpha=0.55, solid_capstyle="butt")
    axes.scatter(side.test_scores, [y - 0.17] * len(side.test_scores), s=14, color=colour, alpha=0.9)
    if side.validation.mean is not None:
        axes.scatter([side.validation.mean], [y], s=44, marker="D", facecolors="none", edgecolors=colour, zorder=3)
    axes.scatter([score], [y], s=60, color=colour, zorder=4)
    axes.annotate(
        number(score), (score, y), xytext=(0, 9), textcoords="offset points", ha="center", fontsize=9.5, color=INK
    )


def _legend(axes: "Axes") -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", color=INK, linewidth=3, markersize=7, label="test mean, 95 % interval"),
        Line2D([], [], marker="o", color=INK, linewidth=0, markersize=3.5, label="test, one seed"),
        Line2D(
            [], [], marker="D", color=INK, markerfacecolor="none", linewidth=0, markersize=6, label="validation mean"
        ),
    ]
    axes.figure.legend(handles=handles, loc="outside lower center", ncols=3, handletextpad=0.4, columnspacing=1.0)


def rows(material: Material, report: Report) -> Plot:
    """How the shipped model does row by row: classes confused, or the distribution of margins or row scores."""
    shipped_test = material.test.get(material.shipped.trial_id)
    if shipped_test is None:
        return Plot(name="rows", title="Row by row", missing="The test rows were not scored.")
    shipped = shipped_test.items
    if report.data and report.data.labels:
        return _confusion(shipped, report)
    tests = () if report.best_is_default else material.tests(material.default)
    return _histogram(shipped, tests[min(material.shipped_place, len(tests) - 1)].items if tests else (), report)


def _confusion(items: Sequence[Item], report: Report) -> Plot:
    classes, counts = confusion_counts(items, report.data.labels if report.data else ())
    matrix, shown = counts, classes
    note = ""
    if len(classes) > MAX_CLASSES:
        wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
        keep = np.sort(np.argsort(-wrong, kind="stable")[:MAX_CLASSES])
        matrix, shown = counts[np.ix_(keep, keep)], [classes[k] for k in keep]
        note = f" The {MAX_CLASSES} of {len(classes)} classes with most errors are shown."
    totals = np.array([counts[classes.index(c)].sum() for c in shown])
    share = matrix / np.maximum(totals, 1)[:, None]
    n = len(shown)
    figure = new_figure((max(4.2, 1.9 + 0.36 * n), max(3.4, 1.5 + 0.32 * n)))
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (true, predicted), value in np.ndenumerate(matrix):
        if value:
            dark = share[true, predicted] > 0.5
            axes.text(
                predicted,
                true,
                str(value),
                ha="center",
                va="center",
                fontsize=7.5,
                color="white" if dark else "#10203a",
            )
    axes.set_xticks(range(n), [shortened(c, 18) for c in shown], rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(n), [shortened(c, 18) for c in shown], fontsize=8)
    axes.set(xlabel="predicted", ylabel="true")
    axes.grid(visible=False)
    right = int(np.trace(counts))
    alt = f"Confusion matrix of the shipped model: {right} of {len(items)} test rows right. {_worst(classes, counts)}"
    title = "Classes confused on the test rows" + (f" ({MAX_CLASSES} of {len(classes)})" if note else "")
    return finished(figure, "confusion_matrix", title, alt.strip() + note)


def confusion_counts(items: Sequence[Item], labels: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Class names (those of `labels` first), and rows by (true, predicted) class."""
    seen = {item.reference for item in items} | {item.prediction for item in items}
    classes = [label for label in labels if label in seen]
    classes += sorted(seen - set(classes))
    index = {name: place for place, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for (true, predicted), n in Counter((item.reference, item.prediction) for item in items).items():
        counts[index[true], index[predicted]] = n
    return classes, counts


def _worst(classes: Sequence[str], counts: npt.NDArray[np.int64]) -> str:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return "No class is confused with another."
    true, predicted = divmod(int(wrong.argmax()), len(classes))
    return f"Most often confused: {classes[true]} taken for {classes[predicted]} ({wrong[true, predicted]} rows)."


def _histogram(best: Sequence[Item], default: Sequence[Item], report: Report) -> Plot:
    margins = all(item.margin is not None for item in best)
    name, title = ("margins", "Margins on the test pairs") if margins else ("row_scores", "Scores of the test rows")
    label = "log-probability ratio, chosen minus rejected (nats)" if margins else f"{report.metric} of a row"
    if not margins and report.metric == "perplexity":
        label = "nats per target token of a row"
    values = [
        (who, np.array([item.margin if margins else item.value for item in items], dtype=float), colour)
        for who, items, colour in (("default", default, GREY), ("best", best, COLOURS[0]))
        if items and not (margins and any(item.margin is None for item in items))
    ]
    if report.best_is_default:
        values = [("default", values[0][1], GREY)]
    figure = new_figure()
    axes = figure.add_subplot()
    edges = np.histogram_bin_edges(np.concatenate([v for _, v, _ in values]), bins=30)
    for who, numbers, colour in values:
        axes.hist(numbers, bins=list(edges), color=colour, alpha=0.55, label=f"{who}, median {np.median(numbers):.3g}")
    if margins:
        axes.axvline(0, color=INK, linewidth=1)
    axes.set(xlabel=label, ylabel="test pairs" if margins else "test rows")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    told = "; ".join(f"{who} median {np.median(v):.3g}" for who, v, _ in values)
    above = f" {np.mean(values[-1][1] > 0):.0%} of pairs are above 0." if margins else ""
    return finished(figure, name, title, f"Histogram of the {label}: {told}.{above}")

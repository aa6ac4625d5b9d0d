"""Plots of the models: default against best, and how the shipped one does on the test rows."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from agent.report.material import Material
from agent.report.model import Report, Side
from agent.report.style import COLOURS, GREY, INK, WIDTH, Plot, finished, new_axes
from agent.report.wording import better, number, shortened, span
from evals.spec import Item

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_CLASSES = 15
"""More classes than this do not fit a readable matrix; the ones with most errors are shown."""


def default_vs_best(report: Report) -> Plot:
    """Test scores with 95 % intervals, each seed as a dot, validation means beside them."""
    name, title = "default_vs_best", "Default and best on the test rows"
    both = [("default", report.default, GREY), ("best", report.best, COLOURS[0])]
    sides = [side for side in both[: 2 - report.best_is_default] if side[1].test_score is not None]
    if not sides:
        return Plot(name=name, title=title, missing="The test rows were not scored.")
    figure, axes = new_axes((WIDTH, 1.25 + 0.75 * len(sides)))
    for y, (_, side, colour) in enumerate(reversed(sides)):
        _interval(axes, y, side, colour)
    axes.set_yticks(range(len(sides)), [label for label, _, _ in reversed(sides)], fontsize=10.5)
    axes.set(ylim=(-0.6, len(sides) - 0.35), xlabel=f"{report.metric}, {better(report)}")
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.12)
    _legend(axes)
    scores = "; ".join(f"{label} {number(s.test_score)}, 95 % interval {span(s.ci95)}" for label, s, _ in sides)
    return finished(figure, name, title, f"Test {report.metric}: {scores}.")


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
    axes.plot([], [], "o-", color=INK, linewidth=3, markersize=7, label="test mean, 95 % interval")
    axes.plot([], [], "o", color=INK, markersize=3.5, label="test, one seed")
    axes.plot([], [], "D", color=INK, markerfacecolor="none", markersize=6, label="validation mean")
    axes.figure.legend(loc="outside lower center", ncols=3, handletextpad=0.4, columnspacing=1.0)


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
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    worst = np.sort(np.argsort(-wrong, kind="stable")[:MAX_CLASSES])
    matrix, names = counts[np.ix_(worst, worst)], [shortened(classes[k], 18) for k in worst]
    share = matrix / np.maximum(counts[worst].sum(axis=1), 1)[:, None]
    n = len(names)
    figure, axes = new_axes((max(4.2, 1.9 + 0.36 * n), max(3.4, 1.5 + 0.32 * n)))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (true, predicted), value in np.ndenumerate(matrix):
        if value:
            colour = "white" if share[true, predicted] > 0.5 else "#10203a"
            axes.text(predicted, true, str(value), ha="center", va="center", fontsize=7.5, color=colour)
    axes.set_xticks(range(n), names, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(n), names, fontsize=8)
    axes.set(xlabel="predicted", ylabel="true")
    axes.grid(visible=False)
    right = int(np.trace(counts))
    alt = f"Confusion matrix of the shipped model: {right} of {len(items)} test rows right. {_worst(classes, counts)}"
    title = "Classes confused on the test rows"
    if n < len(classes):
        title += f" ({n} of {len(classes)})"
        alt += f" The {n} of {len(classes)} classes with most errors are shown."
    return finished(figure, "confusion_matrix", title, alt)


def confusion_counts(items: Sequence[Item], labels: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Class names (those of `labels` first), and rows by (true, predicted) class."""
    names = {item.reference for item in items} | {item.prediction for item in items}
    classes = [label for label in labels if label in names]
    classes += sorted(names - set(classes))
    pairs = Counter((item.reference, item.prediction) for item in items)
    return classes, np.array([[pairs[true, predicted] for predicted in classes] for true in classes])


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
    label = "nats per target token of a row" if report.metric == "perplexity" else f"{report.metric} of a row"
    if margins:
        label = "log-probability ratio, chosen minus rejected (nats)"
    both = [("default", default, GREY), ("best", best, COLOURS[0])]
    values = [
        (who, np.array([item.margin if margins else item.value for item in items], dtype=float), colour)
        for who, items, colour in ([("default", best, GREY)] if report.best_is_default else both)
        if items and not (margins and any(item.margin is None for item in items))
    ]
    figure, axes = new_axes()
    edges = np.histogram_bin_edges(np.concatenate([v for _, v, _ in values]), bins=30)
    for who, numbers, colour in values:
        axes.hist(numbers, bins=list(edges), color=colour, alpha=0.55, label=f"{who}, median {np.median(numbers):.3g}")
    if margins:
        axes.axvline(0, color=INK, linewidth=1)
    axes.set(xlabel=label, ylabel="test pairs" if margins else "test rows")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    medians = "; ".join(f"{who} median {np.median(v):.3g}" for who, v, _ in values)
    above = f" {np.mean(values[-1][1] > 0):.0%} of pairs are above 0." if margins else ""
    return finished(figure, name, title, f"Histogram of the {label}: {medians}.{above}")

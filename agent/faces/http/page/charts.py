"""The geometry of the charts. Templates draw it as SVG that stretches with its box: x in percent, y in pixels."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from agent.desk.cards import StudyCard, TrialCard
from agent.faces.http.page.look import proposer
from agent.study.nouns import Phase, TrialState
from trainers.spec import CurvePoint, Direction

TOP, BOTTOM, LANE = 12, 258, 20
"""Pixels from the top of a chart to its plot, to its x axis, and of a lane for trials without a score."""
LANES = {TrialState.RUNNING: "running", TrialState.PRUNED: "stopped", TrialState.FAILED: "failed"}
MAX_POINTS = 240
"""Points of a drawn curve; more would not be seen."""
FEW = 8
"""So few scores are all shown, however far out one lies."""
Field = Literal["loss", "eval_loss", "learning_rate", "grad_norm"]


@dataclass(frozen=True)
class Scale:
    """Values of a domain as shares from 0 to 1."""

    low: float
    high: float

    def share(self, value: float) -> float:
        """Where a value lies; outside of the domain, at its nearer end."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def x(self, value: float) -> str:
        """The same across, in percent."""
        return f"{100 * self.share(value):.2f}%"

    def y(self, value: float, bottom: float = BOTTOM) -> float:
        """The same upwards, in pixels from the top of the chart."""
        return round(bottom - self.share(value) * (bottom - TOP), 1)

    def ticks(self, n: int) -> list[tuple[float, str]]:
        """About `n` round numbers of the domain, with their labels."""
        rough = (self.high - self.low) / n
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
        digits = min(7, max(0, -math.floor(math.log10(step))))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [(i * step, f"{i * step:.{digits}f}") for i in range(first, last + 1)]

    def whole(self, n: int) -> list[tuple[float, str]]:
        """The same for counted things."""
        return [(value, f"{value:.0f}") for value, _ in self.ticks(n) if value == round(value)]


def around(values: Iterable[float], room: float) -> Scale:
    """A scale with `room` (a share) on both sides of the values."""
    shown = list(values) or [0.0, 1.0]
    low, high = min(shown), max(shown)
    margin = (high - low or abs(high) or 1.0) * room
    return Scale(low - margin, high + margin)


def robust(values: Sequence[float], always: Iterable[float]) -> Scale:
    """A scale without values so far out that all others would look alike; those are drawn at its edge."""
    ordered = sorted(values)
    if len(ordered) >= FEW:
        low, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.25, 0.75))
        reach = 2.5 * (high - low)
        ordered = [v for v in ordered if low - reach <= v <= high + reach]
    return around([*ordered, *always], 0.08)


@dataclass(frozen=True)
class Point:
    """A trial in the plot; `beyond` is -1 or 1 where its score lies below or above what is shown."""

    trial: TrialCard
    x: str
    y: float
    beyond: int = 0


@dataclass(frozen=True)
class ScoresChart:
    """Score by trial: who proposed it, the best so far, the default, what runs, failed or was stopped."""

    x: Scale
    y: Scale
    bottom: float
    """Of the scores; the lanes lie below it."""
    points: tuple[Point, ...]
    lanes: tuple[tuple[str, float], ...]
    best_so_far: Mapping[int, float]
    best: str
    """The same as a path in a box 1000 wide."""
    default: float | None
    confirm: float | None
    """Where the confirmation begins."""
    sources: tuple[str, ...]


def best_so_far(card: StudyCard, trials: Sequence[TrialCard]) -> dict[int, float]:
    """Search trial with a score: the best score up to it."""
    better = max if card.direction is Direction.MAXIMIZE else min
    scores = {t.trial: t.score for t in trials if t.phase is Phase.SEARCH and t.score is not None}
    return dict(zip(scores, accumulate(scores.values(), better), strict=True))


def scores_chart(card: StudyCard, trials: Sequence[TrialCard]) -> ScoresChart:
    """The plot of a study's trials."""
    names = [(state, name) for state, name in LANES.items() if any(t.state is state for t in trials)]
    bottom = BOTTOM - LANE * len(names) - (6 if names else 0)
    lanes = {state: bottom + 6 + LANE * (i + 0.5) for i, (state, _) in enumerate(names)}
    last = max([card.trials_limit - 1, 1, *(t.trial for t in trials)])
    values = [t.score for t in trials if t.score is not None]
    always = [v for v in (card.default, card.best.score if card.best else None) if v is not None]
    x, y = Scale(-0.5, last + 0.5), robust(values, always)
    confirm = next((t.trial for t in trials if t.phase is Phase.CONFIRM), None)
    best = best_so_far(card, trials)
    return ScoresChart(
        x=x,
        y=y,
        bottom=bottom,
        points=tuple(_point(t, x, y, bottom, lanes) for t in trials if t.score is not None or t.state in lanes),
        lanes=tuple((name, lanes[state]) for state, name in names),
        best_so_far=best,
        best=_steps(best, x, y, bottom, max((t.trial for t in trials if t.phase is Phase.SEARCH), default=0)),
        default=None if card.default is None else y.y(card.default, bottom),
        confirm=None if confirm is None else confirm - 0.5,
        sources=tuple(dict.fromkeys(proposer(t) for t in trials if t.score is not None)),
    )


def _point(trial: TrialCard, x: Scale, y: Scale, bottom: float, lanes: Mapping[TrialState, float]) -> Point:
    if trial.score is None:
        return Point(trial, x.x(trial.trial), lanes[trial.state])
    beyond = (trial.score > y.high) - (trial.score < y.low)
    return Point(trial, x.x(trial.trial), y.y(trial.score, bottom), beyond)


def _steps(best: Mapping[int, float], x: Scale, y: Scale, bottom: float, end: int) -> str:
    """Straight on to the next trial, then up or down to its score."""
    if not best:
        return ""
    path = ""
    for trial, score in best.items():
        across, up = 1000 * x.share(trial), y.y(score, bottom)
        path += f"H{across:.1f}V{up}" if path else f"M{across:.1f} {up}"
    return f"{path}H{1000 * x.share(end):.1f}"


@dataclass(frozen=True)
class Curve:
    """A trial's curve: `points` of a polyline in a box 1000 wide, and a few of its numbers."""

    trial: int
    points: tuple[tuple[float, float], ...]
    first: float
    lowest: float
    last: float
    logged: int
    last_step: int


@dataclass(frozen=True)
class CurvesChart:
    """A measured value by optimizer step, a line for each trial."""

    x: Scale
    y: Scale
    curves: tuple[Curve, ...]


def curves_chart(curves: Mapping[int, Sequence[CurvePoint]], field: Field) -> CurvesChart:
    """The curves of `field` that trials have."""
    measured = {trial: _measured(curve, field) for trial, curve in curves.items()}
    measured = {trial: points for trial, points in measured.items() if points}
    every = [point for points in measured.values() for point in points]
    x = Scale(1, max([step for step, _ in every] + [2]))
    y = around((value for _, value in every), 0.05)
    return CurvesChart(x, y, tuple(_curve(trial, points, x, y) for trial, points in measured.items()))


def _curve(trial: int, points: Sequence[tuple[int, float]], x: Scale, y: Scale) -> Curve:
    thinned = [*points[:: math.ceil(len(points) / MAX_POINTS)], points[-1]]
    drawn = dict.fromkeys((round(1000 * x.share(step), 1), y.y(value)) for step, value in thinned)
    values = [value for _, value in points]
    return Curve(trial, tuple(drawn), values[0], min(values), values[-1], len(points), points[-1][0])


def _measured(curve: Iterable[CurvePoint], field: Field) -> list[tuple[int, float]]:
    return [(point.step, value) for point in curve if (value := getattr(point, field)) is not None]


def fields(curves: Mapping[int, Sequence[CurvePoint]], offered: Sequence[Field]) -> list[Field]:
    """Those of the `offered` fields that some curve has measured."""
    return [field for field in offered if any(_measured(curve, field) for curve in curves.values())]


@dataclass(frozen=True)
class Interval:
    """A row of an interval chart: a value with its interval, or what came of it as a dot."""

    name: str
    kind: Literal["ours", "theirs"]
    value: float | None
    ends: tuple[float, float] | None = None
    dot: float | None = None


@dataclass(frozen=True)
class IntervalChart:
    """Intervals on one axis; `line` is drawn through all rows."""

    x: Scale
    rows: tuple[Interval, ...]
    line: float | None


def interval_chart(rows: Sequence[Interval], line: float | None = None) -> IntervalChart:
    """The chart of the rows that have a number."""
    shown = tuple(row for row in rows if row.value is not None or row.dot is not None)
    values = [v for row in shown for v in (*(row.ends or ()), row.value, row.dot)]
    return IntervalChart(around([v for v in [*values, line] if v is not None], 0.12), shown, line)

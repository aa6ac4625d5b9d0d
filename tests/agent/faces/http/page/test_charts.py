"""The geometry of the charts: round ticks, nothing outside of its box, no point lost."""

from hypothesis import assume, given
from hypothesis import strategies as st

from agent.desk.cards import TrialCard
from agent.faces.http.page import charts
from agent.faces.http.page.charts import Interval, Scale
from agent.faces.http.page.study_pages import ordered
from trainers.spec import CurvePoint, Direction

VALUES = st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6)


def card(trial, score=None, state="COMPLETE", source="gp", phase="search"):
    """A trial in a line."""
    return TrialCard(
        trial=trial, phase=phase, state=state, source=source, score=score, reason=None, seconds=1.0, config={}, seed=1
    )


class Study:
    """What the plot of trials takes of a study's card."""

    direction, trials_limit, default, best = Direction.MAXIMIZE, 4, None, None


@given(VALUES, VALUES, st.integers(2, 10))
def test_ticks_are_round_few_and_inside(low, high, n):
    """They lie in the domain, in order, and no two read alike."""
    assume(high - low > 1e-3 * max(1, abs(low), abs(high)))
    ticks = Scale(low, high).ticks(n)
    room = 1e-6 * (high - low)
    assert all(low - room <= value <= high + room for value, _ in ticks)
    assert len({label for _, label in ticks}) == len(ticks) <= n + 1


@given(st.lists(VALUES, min_size=1, max_size=40))
def test_every_score_has_a_point_in_the_box(scores):
    """However far out it lies; one beyond the edge says so."""
    chart = charts.scores_chart(Study, [card(i, score) for i, score in enumerate(scores)])
    assert [p.trial.trial for p in chart.points] == list(range(len(scores)))
    assert all(charts.TOP <= p.y <= charts.BOTTOM for p in chart.points)
    assert all((p.beyond != 0) == (not chart.y.low <= p.trial.score <= chart.y.high) for p in chart.points)


def test_one_score_far_out_does_not_flatten_the_others():
    """It is drawn at the edge instead."""
    chart = charts.scores_chart(Study, [card(i, 0.8 + i / 1000) for i in range(12)] + [card(12, -500.0)])
    assert chart.y.low > 0
    assert chart.points[-1].beyond == -1


def test_trials_without_a_score_have_lanes_below_the_plot():
    """One for each state there is; those that wait are not drawn."""
    trials = [card(0, 0.5), card(1, state="FAILED"), card(2, state="RUNNING"), card(3, state="WAITING")]
    chart = charts.scores_chart(Study, trials)
    assert [name for name, _ in chart.lanes] == ["running", "failed"]
    assert [p.trial.trial for p in chart.points] == [0, 1, 2]
    assert all(chart.bottom < y < charts.BOTTOM for _, y in chart.lanes)


def test_the_best_so_far_follows_the_direction_and_leaves_confirmation_out():
    """Up for accuracy, down for a loss."""
    trials = [card(0, 0.5), card(1, 0.4), card(2, 0.6), card(3, 0.9, phase="confirm", source="confirm")]
    assert charts.best_so_far(Study, trials) == {0: 0.5, 1: 0.5, 2: 0.6}
    down = type("Down", (Study,), {"direction": Direction.MINIMIZE})
    assert charts.best_so_far(down, trials) == {0: 0.5, 1: 0.4, 2: 0.4}


def test_a_long_curve_is_thinned_but_keeps_its_end_and_its_numbers():
    """Lowest and last are those of all points; steps that did not measure it are left out."""
    points = [CurvePoint(step=i, loss=1 / i) for i in range(1, 5001)] + [CurvePoint(step=5001, eval_loss=0.1)]
    (curve,) = charts.curves_chart({3: points}, "loss").curves
    assert len(curve.points) <= charts.MAX_POINTS + 1
    assert (curve.logged, curve.last_step, curve.lowest) == (5000, 5000, 1 / 5000)
    assert charts.fields({3: points}, ("loss", "eval_loss", "grad_norm")) == ["loss", "eval_loss"]


def test_an_interval_chart_holds_all_its_numbers():
    """Ends, values, dots and the line."""
    chart = charts.interval_chart([Interval("a", "ours", 0.5, (0.4, 0.6), 0.9), Interval("b", "theirs", None)], 0.1)
    assert [row.name for row in chart.rows] == ["a"]
    assert chart.x.low < 0.1 < 0.9 < chart.x.high


def test_trials_are_sorted_by_a_column_those_without_a_value_last():
    """Either way round; an unknown column is the trial's number."""
    trials = [card(0, 0.2), card(1, state="FAILED"), card(2, 0.9)]
    assert [t.trial for t in ordered(trials, "score")] == [0, 2, 1]
    assert [t.trial for t in ordered(trials, "-score")] == [2, 0, 1]
    assert [t.trial for t in ordered(trials, "what")] == [0, 1, 2]

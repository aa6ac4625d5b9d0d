"""What the templates of a study, a trial and a report need, from the desk's cards."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from agent.desk.cards import Explanation, StudyCard, TrialCard
from agent.desk.desk import Desk
from agent.faces.http.page import charts, look
from agent.faces.http.page.charts import Field, Interval
from agent.faces.http.page.reading import difference, sentence
from agent.report.wording import number
from agent.study.nouns import EventKind, StudyEvent, TrialState
from trainers.spec import Closed, CurvePoint

Z95 = 1.96
RECENT = 600
"""Events, those of training included, of which the latest are shown."""


class View(Closed):
    """How a page of charts is looked at. All of it stands in the address, so it outlives a reload."""

    sort: str = "trial"
    """A column of the table of trials; from high to low with "-" before it."""
    field: Field = "loss"
    tables: str = ""
    """Charts that are shown as tables, their names with commas between."""
    events: str = "latest"

    def change(self, **fields: str) -> str:
        """The query of this view with some fields changed."""
        changed = self.model_copy(update=fields).model_dump(exclude_defaults=True)
        return f"?{urlencode(changed)}"

    def shows_table(self, chart: str) -> bool:
        """Whether a chart is shown as a table."""
        return chart in self.tables.split(",")

    def flip(self, chart: str) -> str:
        """The query with a chart and its table changed for each other."""
        names = [name for name in self.tables.split(",") if name and name != chart]
        return self.change(tables=",".join(names if self.shows_table(chart) else [*names, chart]))

    def sorted_by(self, column: str, down_first: bool) -> str:
        """The query that sorts by a column, or the other way round where it does already."""
        ways = [f"-{column}", column] if down_first else [column, f"-{column}"]
        return self.change(sort=ways[1] if self.sort == ways[0] else ways[0])


def study_page(desk: Desk, study: str, view: View) -> dict[str, Any]:
    """All of a study. Raises InputError where there is none."""
    card, trials, curves = desk.status(study), desk.trials(study), desk.curves(study)
    return {
        "card": card,
        "trials": trials,
        "ordered": ordered(trials, view.sort),
        "budget": desk.budget(study),
        "scores": charts.scores_chart(card, trials),
        "result": result_chart(card),
        "events": latest_events(desk, card, view.events == "all"),
        "view": view,
        "running": {trial.trial for trial in trials if trial.state is TrialState.RUNNING},
        **_curves(curves, view.field, ("loss", "eval_loss")),
    }


def trial_page(desk: Desk, study: str, place: int, view: View) -> dict[str, Any]:
    """All of a trial. Raises InputError where there is none."""
    trial, trials = desk.explain(study, place), desk.trials(study)
    return {
        "trial": trial,
        "row": next(row for row in trials if row.trial == place),
        "numbers": {row.trial for row in trials},
        "prediction": prediction_chart(trial),
        "verdict": verdict(trial),
        "compared": desk.compare(study, place, 0) if place and trial.outcome is not None else None,
        "call": desk.llm_call(study, place) if trial.llm_model else None,
        "view": view,
        **_curves({place: trial.curve}, view.field, ("loss", "eval_loss", "learning_rate", "grad_norm")),
    }


def _curves(curves: dict[int, tuple[CurvePoint, ...]], field: Field, offered: Sequence[Field]) -> dict[str, Any]:
    measured = charts.fields(curves, offered)
    if field not in measured:
        field = measured[0] if measured else "loss"
    return {
        "curves": charts.curves_chart(curves, field),
        "field": field,
        "fields": {name: look.TABLES.curves[name] for name in measured},
    }


def ordered(trials: Sequence[TrialCard], sort: str) -> list[TrialCard]:
    """Trials by a column, "-" before it from high to low; those without a value stand last either way."""
    column, down = sort.removeprefix("-"), sort.startswith("-")
    some = [trial for trial in trials if _key(trial, column) is not None]
    some.sort(key=lambda trial: (_key(trial, column), trial.trial), reverse=down)
    return some + [trial for trial in trials if _key(trial, column) is None]


def _key(trial: TrialCard, column: str) -> Any:
    keys = {
        "source": look.source(look.proposer(trial)).name,
        "score": trial.score,
        "predicted": trial.predicted_mean,
        "state": trial.state,
        "seconds": trial.seconds,
    }
    return keys.get(column, trial.trial)


def latest_events(desk: Desk, card: StudyCard, every: bool) -> list[StudyEvent]:
    """Events without the steps of training, newest first; the latest of them, or every one."""
    kinds = [kind for kind in EventKind if kind is not EventKind.PROGRESS]
    after = 0 if every else max(0, card.last_event - RECENT)
    events = desk.store.events(card.study, after, kinds=kinds)[::-1]
    return events if every else events[: look.EVENTS_SHOWN]


def result_chart(card: StudyCard) -> charts.IntervalChart | None:
    """Default and best on the test rows."""
    r = card.result
    if r is None:
        return None
    default = Interval("default", "theirs", r.default_test, r.default_ci95)
    best = Interval("best (default)" if r.best_is_default else "best", "ours", r.best_test, r.best_ci95)
    return charts.interval_chart([default, best])


def prediction_chart(trial: Explanation) -> charts.IntervalChart:
    """What was expected of a trial, and what came."""
    mean, sd = trial.predicted_mean, trial.predicted_sd
    ends = (mean - Z95 * sd, mean + Z95 * sd) if mean is not None and sd else None
    line = trial.default_scored if trial.trial else None
    return charts.interval_chart([Interval("", "ours", mean, ends, trial.outcome)], line)


def verdict(trial: Explanation) -> str:
    """The prediction and the outcome in a sentence."""
    if trial.outcome is None:
        return sentence(trial.outcome_words)
    mean = trial.predicted_mean
    if mean is None:
        return f"Scored {number(trial.outcome)}. Its proposer makes no predictions."
    off = trial.outcome - mean
    within = "within" if abs(off) <= Z95 * (trial.predicted_sd or 0) else "outside"
    interval = f"; {within} the 95 % interval" if trial.predicted_sd else ""
    return f"Expected {number(mean)}, scored {number(trial.outcome)} ({difference(off)}){interval}."

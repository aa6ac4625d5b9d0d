"""What the LLAMBO prompts are told of trials and pools, and the forms their replies must have."""

from collections.abc import Sequence

from agent.llm.messages import JsonSchema
from agent.llm.reply_json import object_schema
from agent.search.llambo.scale import Scale
from agent.study.nouns import History, Trial, TrialState
from prompts.history import number_text
from trainers.spec import Closed, Config, Scalar

MAX_ROWS = 60
"""Longer histories are cut to the best half and the latest half of this."""


class Candidates(Closed):
    """Configurations, each with "why"."""

    candidates: tuple[dict[str, Scalar | None], ...]


class Prediction(Closed):
    """The predicted grade of one configuration: its 10 %, 50 % and 90 % points."""

    id: str
    low: float
    middle: float
    high: float


class Predictions(Closed):
    """Of a pool."""

    predictions: tuple[Prediction, ...]


class Rating(Closed):
    """How likely one configuration is in the best quarter, in percent."""

    id: str
    good: float


class Ratings(Closed):
    """Of a pool."""

    ratings: tuple[Rating, ...]


def pool_schema(name: str, ids: Sequence[str], numbers: Sequence[str]) -> JsonSchema:
    """JSON schema of `Predictions` or `Ratings` for a pool with these ids: a list called `name` of `numbers` each."""
    number = {"type": "integer", "minimum": 0, "maximum": 100}
    item = object_schema({"id": {"type": "string", "enum": list(ids)}} | dict.fromkeys(numbers, number))
    return {"title": name.capitalize(), **object_schema({name: {"type": "array", "items": item, "maxItems": len(ids)}})}


def table(names: Sequence[str], rows: Sequence[tuple[str, Config, str | None]], last: str | None = None) -> str:
    """CSV of (id, configuration, outcome) rows; "(none)" where there are no rows."""
    if not rows:
        return "(none)"
    lines = [",".join(["id", *names, *([last] if last else [])])]
    for row_id, config, outcome in rows:
        values = [number_text(config[name]) if name in config else "-" for name in names]
        lines.append(",".join([row_id, *values, *([outcome] if outcome is not None else [])]))
    return "\n".join(lines)


def graded_table(names: Sequence[str], history: History, scale: Scale) -> str:
    """Finished trials with their grade, or the way they failed; early stopped ones have no comparable score."""
    rows = [(str(t.number), t.config, _grade(t, scale)) for t in _rows_of(history, scale)]
    return table(names, rows, "grade")


def labelled_table(names: Sequence[str], history: History, scale: Scale) -> str:
    """Finished trials as good or bad."""
    trials = [t for t in _rows_of(history, scale) if t.state is not TrialState.PRUNED]
    rows = [
        (str(t.number), t.config, "good" if t.score is not None and scale.is_good(t.score) else "bad") for t in trials
    ]
    return table(names, rows, "label")


def pending_table(names: Sequence[str], history: History) -> str:
    """Trials that are running or waiting; "" where there are none."""
    rows = [(str(t.number), t.config, None) for t in history.pending]
    return table(names, rows) if rows else ""


def _rows_of(history: History, scale: Scale) -> list[Trial]:
    over = [t for t in history.trials if t not in history.pending]
    if len(over) <= MAX_ROWS:
        return over
    best = sorted(history.complete, key=lambda t: -scale.grade(t.score or 0.0))[: MAX_ROWS // 2]
    ids = {t.trial_id for t in (*best, *over[-MAX_ROWS // 2 :])}
    return [t for t in over if t.trial_id in ids]


def _grade(trial: Trial, scale: Scale) -> str:
    if trial.state is TrialState.COMPLETE and trial.score is not None:
        return f"{scale.grade(trial.score):.0f}"
    return str(trial.reason or trial.state.lower())

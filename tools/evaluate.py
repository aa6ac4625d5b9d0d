"""Scoring a saved adapter on labelled data that the user names."""

import tempfile
from pathlib import Path

from pydantic import Field

from evals.judge import evaluate
from evals.spec import EvalResult, EvalSpec
from evals.stats import interval
from tools.data.detect import canonical_rows, detect_columns
from tools.data.load_data import load_table
from tools.data.table import Row, Table, canonical_jsonl
from trainers.errors import InputError
from trainers.saved import load_reference, load_saved, read_facts
from trainers.spec import TERMS, Closed, Columns, Metric


class Evaluation(Closed):
    """A score with its interval and what it was measured on."""

    adapter: Path
    data: str
    metric: Metric
    score: float
    ci95: tuple[float, float]
    n_rows: int
    seconds: float
    others: dict[str, float] = Field({}, description="further metrics of the same predictions")
    columns: Columns = Field(Columns(), description="what was read from the data")


def evaluate_adapter(
    adapter: Path, data: str, metric: str | None, max_rows: int | None, *, roots: tuple[Path, ...]
) -> Evaluation:
    """Score `adapter` on all rows of `data`, read by the columns of its training data where there are those, else as in
    planning.

    `metric` defaults to that of the adapter's task. Costs one load of the base model and one pass over the rows.
    Raises InputError for a directory that is no adapter, a metric of another task, or unusable data.
    """
    if max_rows is not None and max_rows < 1:
        raise InputError("max_rows", f"must be 1 or more, got {max_rows}.", "Leave it out to score all rows.")
    facts = read_facts(adapter)
    own_metric = _metric(metric, TERMS[facts.task].metrics)
    table = load_table(data, "data", roots)
    detected = detect_columns(table, facts.task, _columns(facts.columns, table))
    rows, _ = canonical_rows(table.rows, detected, "data")
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "rows.jsonl"
        file.write_bytes(canonical_jsonl(_indexed(rows, facts.labels) if facts.labels else rows))
        saved = load_saved(adapter)
        spec = EvalSpec(
            task=facts.task,
            metric=own_metric,
            file=file,
            labels=facts.labels,
            max_seq_length=facts.max_seq_length,
            max_rows=max_rows,
        )
        result: EvalResult = evaluate(saved.model, saved.tokenizer, spec, load_reference(saved.facts))
    return Evaluation(
        adapter=adapter,
        data=data,
        metric=own_metric,
        score=result.score,
        ci95=interval(result),
        n_rows=len(result.items),
        seconds=result.seconds,
        columns=detected.columns,
        others=result.others,
    )


def _columns(trained: Columns, table: Table) -> Columns:
    """The columns of training, if the table has all of them; else none, and what its columns are is found out."""
    return trained if {column for _, column in trained if column} <= set(table.columns) else Columns()


def _indexed(rows: list[Row], labels: tuple[str, ...]) -> list[Row]:
    """Rows with the class's index in place of its name. Raises InputError for classes the adapter does not know."""
    index = {label: number for number, label in enumerate(labels)}
    if unknown := sorted({str(row["label"]) for row in rows} - set(index)):
        rule = "every label must be one the adapter was trained on; "
        rule += f"{unknown[0]!r} (one of {len(unknown):,}) is not."
        hint = f"It knows {', '.join(labels[:10])}{' ...' if len(labels) > 10 else ''}."
        raise InputError("data", rule, hint)
    return [{**row, "label": index[str(row["label"])]} for row in rows]


def _metric(name: str | None, possible: tuple[Metric, ...]) -> Metric:
    if name is not None and name not in possible:
        rule = f"must be one of {', '.join(possible)} for this adapter, got {name!r}."
        raise InputError("metric", rule, "Choose one.")
    return Metric(name or possible[0])

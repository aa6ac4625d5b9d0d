"""The labels themselves: well formed, consistent with the spec, varied, and split as documented."""

import json
from collections import Counter
from pathlib import Path

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from evals.requests.labelled import LabelledRequest, load_part, load_rows
from trainers.spec import Choices, Columns, Intent, Loss, Metric, Search, Task, TaskSpec

DEVELOP, TEST = load_part("develop"), load_part("test")
ROWS = DEVELOP + TEST
KINDS = {
    *("terse", "verbose", "typo", "language", "contradiction", "missing_data", "out_of_scope", "unsafe_path"),
    *("injection", "edit", "hyperparameters", "intent", "budget", "columns", "objective", "data", "constraints"),
    *("adapter", "loss", "output", "agent", "units", "bad_value", "negation", "correction"),
}


def leaves(model: type[BaseModel], path: str = "") -> dict[str, object]:
    """Dotted path to annotation of every field that is not a model itself."""
    found: dict[str, object] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= leaves(field.annotation, f"{path}{name}.")
        else:
            found[f"{path}{name}"] = field.rebuild_annotation()  # the type with its bounds
    return found


LEAVES = leaves(TaskSpec)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_labels_are_fields_and_values_of_the_spec(row: LabelledRequest) -> None:
    """Every gold path is a leaf of the spec and its value passes that leaf's type and bounds."""
    for field, value in row.gold.items():
        assert field in LEAVES
        plain = value.model_dump() if isinstance(value, BaseModel) else value
        if isinstance(value, Choices) and not field.startswith("search."):
            plain = value.choices  # of a field that holds several words
        TypeAdapter(LEAVES[field]).validate_python(plain)
    assert set(row.ask) <= set(LEAVES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_labels_do_not_contradict_each_other(row: LabelledRequest) -> None:
    """A field is stated or asked, never both; direction follows the metric; a loss comes with its task."""
    gold = row.gold
    assert "intent" in gold
    assert not set(gold) & set(row.ask)
    if "objective.metric" in gold and "objective.direction" not in row.ask:
        assert gold["objective.direction"] == Metric(gold["objective.metric"]).direction
    if "loss" in gold:
        assert gold["task"] == Task.PREFERENCE


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_data_is_stated_asked_or_refused(row: LabelledRequest) -> None:
    """Only a train or plan request without data asks for it, and an unsupported one says nothing else."""
    needs_data = row.gold["intent"] in (Intent.TRAIN, Intent.PLAN) and row.refusal is None
    assert needs_data == ("data.train" in row.gold or "data.train" in row.ask) or row.refusal == "unsafe_path"
    assert (row.refusal == "unsupported_task") == (row.gold == {"intent": "unsupported"})
    assert row.refusal in (None, "unsupported_task", "unsafe_path")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_names_and_paths_are_copied_from_the_request(row: LabelledRequest) -> None:
    """What the user names is labelled letter by letter."""
    said = "\n".join(row.texts)
    for field, value in row.gold.items():
        if field == "base_model" or field == "output.dir" or field.startswith("data."):
            assert str(value) in said


def test_ids_and_requests_are_unique() -> None:
    """No id and no request occurs twice, so that nothing of the test part is in the development part."""
    assert len({row.id for row in ROWS}) == len(ROWS)
    assert len({tuple(row.texts) for row in ROWS}) == len(ROWS)


def test_a_third_of_every_kind_is_kept_for_testing() -> None:
    """At least 225 rows; every kind is in both parts, in the documented proportion."""
    every, kept = Counter(row.kind for row in ROWS), Counter(row.kind for row in TEST)
    assert len(ROWS) >= 225
    assert len(TEST) == pytest.approx(len(ROWS) / 3, abs=2)
    assert set(every) == KINDS
    assert all(abs(kept[kind] - n / 3) < 1.5 and 0 < kept[kind] < n for kind, n in every.items())


def test_labels_cover_the_vocabulary() -> None:
    """Each intent, loss, metric, hyperparameter and column role is stated somewhere."""
    said = {(field, str(value)) for row in ROWS for field, value in row.gold.items()}
    fields = {field for field, _ in said}
    assert {("intent", str(i)) for i in Intent} <= said
    assert {("loss", str(loss)) for loss in Loss} <= said
    assert {("objective.metric", str(metric)) for metric in Metric} <= said
    assert {f"search.{name}" for name in Search.model_fields} <= fields
    assert {f"data.columns.{name}" for name in Columns.model_fields} <= fields
    read = {field for field in LEAVES if not field.startswith("search.")} - {"warm_start"}  # a flag's or a file's
    assert read <= fields


def test_rows_of_a_file_are_loaded(tmp_path: Path) -> None:
    """A file in the documented format loads; `kind` may be left out."""
    row = {"id": "x", "request": "status?", "gold": {"intent": "status"}, "ask": [], "refusal": None}
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([row]), encoding="utf-8")
    (loaded,) = load_rows(path)
    assert (loaded.kind, loaded.texts) == ("other", ["status?"])


@pytest.mark.parametrize("words", [{}, {"request": "a", "turns": ["a", "b"]}], ids=["neither", "both"])
def test_a_row_has_a_request_or_turns(words: dict[str, object]) -> None:
    """Neither and both are refused."""
    with pytest.raises(ValidationError, match="either request or turns"):
        LabelledRequest.model_validate({"id": "x", "gold": {"intent": "train"}, **words})


def test_unknown_part_names_the_parts() -> None:
    """Only the two shipped parts exist."""
    with pytest.raises(ValueError, match="develop, test"):
        load_part("train")

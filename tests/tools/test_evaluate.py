"""Scoring a saved adapter: on the columns that it was trained on."""

from pathlib import Path
from typing import Any

import pytest

from tests.trainers.conftest import SpecFactory, bert, classification, fruit_or_car, write  # noqa: F401
from tools.data.columns import Undecided
from tools.evaluate import evaluate_adapter
from trainers.base import Resident
from trainers.fit import fit
from trainers.saved import read_facts
from trainers.spec import Columns

NAMES = ("fruit", "car")


@pytest.fixture
def adapter(classification: SpecFactory) -> Path:  # noqa: F811
    """One that tells fruit from cars, trained on columns `body` and `topic`."""
    spec = classification(columns=Columns(text="body", label="topic"))
    fit(spec, Resident(), lambda point, of: None).save(spec.output_dir / "adapter")
    return spec.output_dir / "adapter"


def rows(**more: Any) -> list[dict[str, Any]]:
    """Labelled rows, with further columns."""
    return [{"body": row["text"], "topic": NAMES[row["label"]], **more} for row in fruit_or_car(40, seed=3)]


def test_columns_are_those_of_training(adapter: Path, tmp_path: Path) -> None:
    """Although another column looks more like a label, and another like a text."""
    data = write(tmp_path / "more.jsonl", rows(label="car", text="a text of some words that say nothing"))
    result = evaluate_adapter(adapter, str(data), "accuracy", None, roots=(tmp_path,))
    assert (result.columns, result.n_rows) == (Columns(text="body", label="topic"), 40)
    assert result.score > 0.9


def test_without_those_columns_they_are_found_out(adapter: Path, tmp_path: Path) -> None:
    """As in planning."""
    renamed = [{"text": row["body"], "label": row["topic"]} for row in rows()]
    data = write(tmp_path / "renamed.jsonl", renamed)
    result = evaluate_adapter(adapter, str(data), "accuracy", None, roots=(tmp_path,))
    assert result.columns == Columns(text="text", label="label")


def test_an_adapter_of_before_knows_no_columns(adapter: Path, tmp_path: Path) -> None:
    """Its facts are read all the same."""
    facts = adapter / "tunewright.json"
    facts.write_text(read_facts(adapter).model_dump_json(exclude={"columns"}), encoding="utf-8")
    assert read_facts(adapter).columns == Columns()
    data = write(tmp_path / "more.jsonl", rows(label="bus"))
    with pytest.raises(Undecided):
        evaluate_adapter(adapter, str(data), "accuracy", None, roots=(tmp_path,))

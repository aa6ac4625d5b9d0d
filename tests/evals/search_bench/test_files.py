"""Tables read from files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evals.search_bench.files import load_tables
from trainers.errors import InputError
from trainers.space import CategoricalParameter, FloatParameter
from trainers.spec import Direction

Write = Callable[..., Path]
RATE = {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}


def row(rate: float = 1e-3, rank: object = 8, objective: object = 1.0, status: str = "ok") -> dict[str, Any]:
    """One run."""
    return {"learning_rate": rate, "lora_rank": rank, "objective": objective, "status": status}


def test_a_table_is_read(write_table: Write) -> None:
    """Rows with equal hyperparameters are repeats; a diverged run has failed."""
    (table,) = load_tables(write_table(description="LoRA on mail"))
    assert (table.name, table.task, table.direction) == ("tiny-a", "LoRA on mail", Direction.MINIMIZE)
    best = {"learning_rate": 1e-3, "lora_rank": 16}
    assert table.true_score(best) == pytest.approx(0.805)
    assert table.optimum == pytest.approx(0.805)
    assert table.evaluate({"learning_rate": 1e-2, "lora_rank": 16}, 0).failed
    assert table.start == {"learning_rate": 1e-3, "lora_rank": 8}


def test_a_grid_is_searched_over_what_was_run(write_table: Write) -> None:
    """Each hyperparameter becomes the list of its values, in order; a default that was not run moves to the nearest."""
    rows = [row(rate) for rate in (3e-3, 1e-4, 1e-3)]
    space = {"learning_rate": RATE | {"default": 2e-3}, "lora_rank": {"type": "categorical", "choices": [4, 8]}}
    (table,) = load_tables(write_table(rows=rows, space=space))
    assert table.space.parameters["learning_rate"] == CategoricalParameter(choices=(1e-4, 1e-3, 3e-3), default=1e-3)
    assert table.space.parameters["lora_rank"] == CategoricalParameter(choices=(8,))


def test_scattered_runs_are_searched_over_the_whole_range(write_table: Write) -> None:
    """`grid` false: any value may be asked for, and runs as the nearest."""
    (table,) = load_tables(write_table(grid=False))
    assert isinstance(table.space.parameters["learning_rate"], FloatParameter)
    assert table.snapped({"learning_rate": 1.2e-3, "lora_rank": 8})["learning_rate"] == 1e-3


def test_the_family_is_what_names_of_one_source_share(write_table: Write) -> None:
    """Or what the table says; curve files and other text beside the tables are left alone."""
    write_table("sft-gpt2-mail")
    write_table("sft-qwen-mail")
    write_table("dpo-x", source="elsewhere")
    directory = write_table("other", family="own", source="third")
    (directory / "sft-gpt2-mail.curves.csv").write_text("step,loss\n")
    (directory / "README.md").write_text("about")
    assert {t.name: t.family for t in load_tables(directory)} == {
        "dpo-x": "dpo-x",
        "other": "own",
        "sft-gpt2-mail": "sft",
        "sft-qwen-mail": "sft",
    }


@pytest.mark.parametrize(
    ("rows", "head", "said"),
    [
        ([row(rate=5.0)], {}, "line 2 must hold values of the space: '5.0' is out of range"),
        ([row(), row(rank=5)], {}, "line 3 must hold values of the space: '5' is none of"),
        ([row(objective="high")], {}, "could not convert"),
        ([row(objective="", status="diverged")], {}, "at least one run with an objective"),
        ([], {}, "at least one run"),
        (None, {"objective": {"direction": "up"}}, "objective.direction"),
        (None, {"space": {}}, "space"),
        (None, {"space": {"depth": {"type": "int", "low": 1, "high": 3}}}, "must have the column 'depth'"),
    ],
    ids=["range", "choice", "number", "all failed", "empty", "direction", "no space", "column"],
)
def test_a_bad_table_is_named_with_its_fault(
    write_table: Write, rows: list[dict[str, Any]] | None, head: dict[str, Any], said: str
) -> None:
    """The file, the line or field, and the rule."""
    directory = write_table(rows=rows, **head)
    with pytest.raises(InputError, match="tiny-a") as told:
        load_tables(directory)
    assert said in str(told.value)


def test_a_missing_half_is_named(write_table: Write, tmp_path: Path) -> None:
    """No directory, no table in it, a head without its rows, a head that is no JSON."""
    with pytest.raises(InputError, match="must be a directory"):
        load_tables(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"at least one NAME\.json"):
        load_tables(tmp_path / "empty")
    directory = write_table()
    (directory / "tiny-a.csv").unlink()
    with pytest.raises(InputError, match=r"needs tiny-a\.csv"):
        load_tables(directory)
    (directory / "tiny-a.json").write_text("{")
    with pytest.raises(InputError, match="not the head of a table"):
        load_tables(directory)

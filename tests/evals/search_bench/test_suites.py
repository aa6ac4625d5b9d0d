"""Which problems are run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from evals.search_bench.suites import load_problems
from trainers.errors import InputError


def test_suites_are_joined_filtered_and_twinned(write_table: Callable[..., Path]) -> None:
    """By patterns of names; a suite given twice counts once."""
    write_table("tiny-a")
    directory = write_table("tiny-b")
    found = load_problems(["tables", "synthetic", "tables"], [directory], ["tiny-*", "branin"], renamed=True)
    names = ["tiny-a", "tiny-b", "branin"]
    assert [p.name for p in found] == [*names, *(f"{name}-renamed" for name in names)]


@pytest.mark.parametrize(
    ("suites", "only", "said"),
    [
        (["tables"], [], "needs a directory"),
        (["imagenet"], [], "must be of tables, hpobench"),
    ],
)
def test_what_cannot_be_run_is_told(suites: list[str], only: list[str], said: str) -> None:
    """An unknown suite, no tables."""
    with pytest.raises(InputError) as told:
        load_problems(suites, (), only)
    assert said in str(told.value)


def test_patterns_that_match_nothing_are_told(write_table: Callable[..., Path]) -> None:
    """With names that there are."""
    with pytest.raises(InputError, match=r"nothing\* matches none") as told:
        load_problems(["tables"], [write_table()], ["nothing*"])
    assert "tiny-a" in str(told.value)


def test_two_problems_of_one_name_are_refused(write_table: Callable[..., Path]) -> None:
    """Their runs could not be told apart."""
    directory = write_table("tiny-a")
    with pytest.raises(InputError, match="'tiny-a' is there twice"):
        load_problems(["tables"], [directory, directory])

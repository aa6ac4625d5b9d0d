"""Cutting splits: a stratified, seeded partition with duplicates on one side."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tools.data.split_data import EVALUATION_SHARE, MAX_EVALUATION_ROWS, cut, grouped, shuffled
from tools.data.table import Row

BOTH = ("validation", "test")
LABELS = st.lists(st.sampled_from("abc"), min_size=1, max_size=120)


def rows_of(labels: list[str]) -> list[Row]:
    return [{"text": f"text {i}", "label": label} for i, label in enumerate(labels)]


def cut_all(labels: list[str], groups: list[int] | None = None, seed: int = 0) -> dict[str, list[int]]:
    rows = rows_of(labels)
    return cut(rows, labels, groups or list(range(len(rows))), seed, BOTH)


@given(LABELS, st.data(), st.integers(0, 5))
def test_cut_is_a_partition_with_groups_on_one_side(labels: list[str], data: st.DataObject, seed: int) -> None:
    """Every row is in exactly one split, and no group is in two."""
    groups = data.draw(st.lists(st.integers(0, 30), min_size=len(labels), max_size=len(labels)))
    parts = cut_all(labels, groups, seed)
    assert sorted([*parts["train"], *parts["validation"], *parts["test"]]) == list(range(len(labels)))
    sides = [{groups[i] for i in split} for split in (parts["train"], parts["validation"], parts["test"])]
    assert all(a.isdisjoint(b) for a, b in ((sides[0], sides[1]), (sides[0], sides[2]), (sides[1], sides[2])))


@given(LABELS, st.integers(0, 5))
def test_each_class_has_its_share(labels: list[str], seed: int) -> None:
    """Without duplicates a class's share of validation and test is 15 % to within two rows, and train has some."""
    parts = cut_all(labels, seed=seed)
    for label, n_rows in Counter(labels).items():
        for split in (parts["validation"], parts["test"]):
            n_split = sum(labels[i] == label for i in split)
            assert abs(n_split - EVALUATION_SHARE * n_rows) < 2
            assert n_split >= 1 or n_rows < 5
        assert any(labels[i] == label for i in parts["train"])


def test_same_seed_same_cut_whatever_the_order_of_the_file() -> None:
    """The cut depends on the rows and the seed; another seed gives another one."""
    rows = rows_of(["a", "b"] * 50)
    labels = [str(r["label"]) for r in rows]
    first = cut(rows, labels, list(range(100)), 3, BOTH)
    again = cut(rows[::-1], labels[::-1], list(range(100)), 3, BOTH)
    other = cut(rows, labels, list(range(100)), 4, BOTH)
    assert [rows[i] for i in first["test"]] == [rows[::-1][i] for i in again["test"]]
    assert set(first["test"]) != set(other["test"])


def test_evaluation_splits_are_capped() -> None:
    """Of 30,000 rows 2,000 are enough to judge on."""
    parts = cut_all(["a"] * 30_000)
    assert (len(parts["validation"]), len(parts["test"])) == (MAX_EVALUATION_ROWS, MAX_EVALUATION_ROWS)


def test_only_wanted_splits_are_cut() -> None:
    """A split the user gave is not cut from train again."""
    rows = rows_of(["a", "b"] * 50)
    parts = cut(rows, [str(r["label"]) for r in rows], list(range(100)), 0, ["validation"])
    assert {split: len(rows) for split, rows in parts.items()} == {"validation": 15, "train": 85}


@given(st.integers(0, 100))
def test_shuffled_order_depends_on_content_only(seed: int) -> None:
    """The same rows in any order come out the same, so the first rows of a split are a fair sample."""
    rows = rows_of(["a", "b"] * 10)
    assert shuffled(rows, seed) == shuffled(rows[::-1], seed)


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_linked_rows_share_a_group(links: list[tuple[int, int]]) -> None:
    """Groups are the connected components of the links, no larger."""
    groups = grouped(20, links)
    assert all(groups[a] == groups[b] for a, b in links)
    reach = [{i} for i in range(20)]
    for _ in range(20):
        for a, b in links:
            reach[a] |= reach[b]
            reach[b] |= reach[a]
    assert all((j in reach[i]) == (groups[i] == groups[j]) for i in range(20) for j in range(20))

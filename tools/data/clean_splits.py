"""Train, validation and test without leaks between them: repeats removed, missing splits cut, everything counted."""

from collections import Counter
from dataclasses import dataclass

from tools.data.data_profile import DuplicateProfile
from tools.data.duplicates import (
    Twins,
    affordable,
    exact_twins,
    longest_shared_span,
    near_links,
    twins_across,
    whole_text,
)
from tools.data.split_data import EVALUATION_SHARE, MAX_EVALUATION_ROWS, cut, grouped, shuffled
from tools.data.table import Row
from tools.data.tasks.rows import TaskRows
from trainers.errors import InputError

MIN_TRAIN_ROWS = 10
TEMPLATED_SHARE = 0.3
"""Where near duplicates of evaluation rows are a larger share of train, rows are made from templates: they stay."""
SPANS_MEASURED = 200


def clean_splits(
    rows: dict[str, list[Row]], task: TaskRows, seed: int, notes: list[str]
) -> tuple[dict[str, list[Row]], str, DuplicateProfile]:
    """(rows of the three splits in seeded order, how they came about, duplicates found); `notes` is added to.

    `rows` holds the canonical rows of "train" and of the splits that are given. First train loses its exact repeats
    and what given splits hold too; then the missing splits are cut from it; then it loses what those hold. Raises
    InputError where too little is left.
    """
    source = rows["train"]
    user_splits = {split: shuffled(part, seed) for split, part in rows.items() if split != "train"}
    notes += [f"{s} has {len(rows)} rows: its scores are coarse" for s, rows in user_splits.items() if len(rows) < 100]
    repeats = exact_twins([whole_text(row) for row in source])
    distinct = shuffled([row for i, row in enumerate(source) if i not in repeats], seed)
    train, before = _without_leaks(distinct, user_splits, task, notes)
    _check_enough(train, source)
    links = _near_links(train, task, notes)
    how = "given by the user"
    cuts: dict[str, list[Row]] = {}
    if missing := [split for split in ("validation", "test") if split not in user_splits]:
        groups = _groups(train, links, task, notes)
        strata = [str(row[task.strata]) if task.strata else "" for row in train]
        parts = cut(train, strata, groups, seed, missing)
        cuts = {split: [train[i] for i in parts[split]] for split in missing}
        train, how = [train[i] for i in parts["train"]], _how(missing, user_splits, task, seed)
    if empty := [split for split, rows in cuts.items() if not rows]:
        rule = f"{empty[0]} must have rows; almost all rows of train are duplicates of each other."
        raise InputError("data.train", rule, "Give more varied rows, or separate files.", code="too_few_rows")
    clean, after = _without_leaks(train, cuts, task, notes)
    _check_enough(clean, source)
    also_in = {**before.also_in, **after.also_in}
    duplicates = DuplicateProfile(
        exact_within_train=len(repeats),
        near_within_train=len({later for _, later in links}),
        train_rows_also_in_validation=also_in["validation"],
        train_rows_also_in_test=also_in["test"],
        longest_shared_span=max(before.longest_span, after.longest_span),
        removed_from_train=len(repeats) + before.n_removed + after.n_removed,
    )
    return {"train": clean, **user_splits, **cuts}, how, duplicates


def _check_enough(left: list[Row], source: list[Row]) -> None:
    if len(left) < MIN_TRAIN_ROWS:
        rule = f"train must have {MIN_TRAIN_ROWS} rows that are in no other split and not repeats; {len(left)} of "
        hint = "Give more rows, or other validation and test data."
        raise InputError("data.train", f"{rule}{len(source)} are left.", hint, code="too_few_rows")


def _how(missing: list[str], user_splits: dict[str, list[Row]], task: TaskRows, seed: int) -> str:
    stratified = f"stratified by {task.strata}, " if task.strata else ""
    how = f"{' and '.join(missing)} cut from train: {stratified}seed {seed}, {EVALUATION_SHARE:.0%} each, at most "
    how += f"{MAX_EVALUATION_ROWS:,} rows each, duplicates on one side"
    return how + (f"; {' and '.join(user_splits)} given by the user" if user_splits else "")


def _near_links(rows: list[Row], task: TaskRows, notes: list[str]) -> list[tuple[int, int]]:
    texts = [task.judged_text(row) for row in rows]
    if affordable(texts):
        return near_links(texts)
    notes.append("near duplicates were not looked for: too much text; exact ones were")
    return []


def _groups(rows: list[Row], links: list[tuple[int, int]], task: TaskRows, notes: list[str]) -> list[int]:
    """Group numbers that keep duplicates together; near duplicates only while no group swallows the data."""
    exact = list(exact_twins([task.judged_text(row) for row in rows]).items())
    groups = grouped(len(rows), [*exact, *links])
    if rows and max(Counter(groups).values()) > max(10, 0.05 * len(rows)):
        notes.append("many rows are variations of one template: only exact duplicates are kept on one side of the cut")
        return grouped(len(rows), exact)
    return groups


@dataclass(frozen=True)
class _Leaks:
    """Training rows that other splits hold too: how many for each split, and how many were removed."""

    also_in: dict[str, int]
    n_removed: int
    longest_span: int


def _without_leaks(
    train: list[Row], others: dict[str, list[Row]], task: TaskRows, notes: list[str]
) -> tuple[list[Row], _Leaks]:
    """(train without rows that the other splits hold too, counts). Rows made from templates stay (TEMPLATED_SHARE)."""
    own = [task.judged_text(row) for row in train]
    judged = {split: [task.judged_text(row) for row in rows] for split, rows in others.items()}
    near = affordable([*own, *(text for texts in judged.values() for text in texts)])
    across = {split: twins_across(own, texts, near=near) for split, texts in judged.items()}
    removed = {i for twins in across.values() for i in twins.exact}
    near_rows = {i for twins in across.values() for i in twins.near}
    if len(near_rows) > TEMPLATED_SHARE * len(train):
        notes.append(
            f"{len(near_rows)} training rows resemble rows of {' or '.join(others)}, as rows made from templates do: "
            "they stay in train, so scores say little about other wording"
        )
    else:
        removed |= near_rows
    span = _longest_span(own, judged["test"], across["test"], removed) if "test" in others else 0
    also_in = {split: len(twins.exact) + len(twins.near) for split, twins in across.items()}
    return [row for i, row in enumerate(train) if i not in removed], _Leaks(also_in, len(removed), span)


def _longest_span(train: list[str], test: list[str], twins: Twins, removed: set[int]) -> int:
    """Words of the longest run that a removed train row shares with test, over the first SPANS_MEASURED such rows."""
    pairs = [(i, j) for i, j in {**twins.near, **twins.exact}.items() if i in removed][:SPANS_MEASURED]
    return max((longest_shared_span(train[i], test[j]) for i, j in pairs), default=0)

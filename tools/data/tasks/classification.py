"""Rows of classification: a text and the name of its class."""

import re
from collections import Counter

from tools.data import column_names as names
from tools.data.columns import Detected, could_be_label, has_pair, label_columns, listed, texts_by_content, which_column
from tools.data.duplicates import normalised
from tools.data.table import SAMPLE_ROWS, Row, Table
from tools.data.tasks.rows import Classes, Flaw, TaskRows, is_blank, not_text
from trainers.errors import InputError
from trainers.spec import Columns, Task

IMBALANCE = 5.0
"""Class weights are set where the largest class has more than this many times the rows of the smallest."""


def _by_table(table: Table) -> str | None:
    """A label with few values beside a text, and no prompt with its completion."""
    label = label_columns(table)
    if not label or has_pair(table):
        return None
    text = names.by_role(table.columns, names.TEXT) or texts_by_content(table, label[0])
    return "the rows have a text and a label with few values" if text else None


def _columns(table: Table, wish: Columns) -> Detected:
    """The label by name or by its few values, the text by name or by its words."""
    label, label_why = (wish.label, "given by the user") if wish.label else _find_label(table, wish)
    if wish.text:
        text, text_why = wish.text, "given by the user"
    elif wish.prompt:
        text, text_why = wish.prompt, "given by the user as the prompt"
    else:
        text, text_why = _find_text(table, label)
    return Detected(Task.CLASSIFICATION, Columns(text=text, label=label), {"text": text_why, "label": label_why})


def _canonical(row: Row, detected: Detected) -> Row | Flaw:
    """Text and label name; both must be there, and the label one value."""
    columns = detected.columns
    text, label = row.get(str(columns.text)), row.get(str(columns.label))
    if is_blank(label):
        return Flaw(f"every row needs a label; column {columns.label!r} is empty")
    if isinstance(label, list | dict):
        rule = f"a label must be one value (multi-label data is not supported); {columns.label!r} is a list"
        return Flaw(rule, "Give each row one label.", "multi_label")
    if is_blank(text):
        return Flaw(f"every row needs a text; column {columns.text!r} is empty")
    return not_text("text", columns.text, text) or {"text": str(text), "label": label_name(label)}


def _judged_text(row: Row) -> str:
    return normalised(str(row["text"]))


def _check(rows: list[Row]) -> None:
    """Labels must repeat."""
    n_rows = len({(str(row["text"]), str(row["label"])) for row in rows})
    n_labels = len({row["label"] for row in rows})
    if joint := _joint_labels({str(row["label"]) for row in rows}):
        rule = f"a row must have one label (multi-label data is not supported); {joint!r} joins several."
        raise InputError("data.columns.label", rule, "Give each row one label.", code="multi_label")
    if n_labels > max(2, n_rows / 2):
        rule = f"labels must repeat; there are {n_labels:,} different ones in {n_rows:,} different rows."
        raise InputError("data.columns.label", rule, "Name the label column.", code="too_many_classes")


def _joint_labels(labels: set[str]) -> str | None:
    """A label that joins others by a mark ("billing|urgent"), where those stand alone too or in other joints."""
    for mark in "|;,+&":
        parts = {label: [part.strip() for part in label.split(mark)] for label in labels if mark in label}
        counts = Counter(part for several in parts.values() for part in several)
        if parts and all(part and (part in labels or counts[part] > 1) for part in counts):
            return min(parts)
    return None


def _classes(splits: dict[str, list[Row]], notes: list[str]) -> Classes:
    """InputError for one class, and for classes of other splits that are not in train."""
    labels_of: dict[str, set[str]] = {}
    for row in splits["train"]:
        labels_of.setdefault(_judged_text(row), set()).add(str(row["label"]))
    if n_conflicts := sum(len(different) > 1 for different in labels_of.values()):
        notes.append(f"{n_conflicts} texts occur in train with more than one label; all of them are kept")
    counts = Counter(str(row["label"]) for row in splits["train"])
    labels = tuple(sorted(counts, key=_label_order))
    if len(labels) < 2:
        rule = f"classification needs two classes or more; every label in train is {labels[0]!r}."
        hint = "Check the label column, or add the other class."
        raise InputError("data.columns.label", rule, hint, code="one_class")
    for split in ("validation", "test"):
        if unseen := sorted({str(row["label"]) for row in splits[split]} - set(labels)):
            some = ", ".join(map(repr, unseen[:5])) + (f" and {len(unseen) - 5:,} more" if len(unseen) > 5 else "")
            rule = f"every class of {split} must be in train; {some} {'is' if len(unseen) == 1 else 'are'} not."
            hint = "Add training rows of it or remove those rows."
            raise InputError(f"data.{split}", rule, hint, code="unseen_class")
    if rare := [label for label in labels if counts[label] < 5]:
        fewer = f"{len(rare):,} classes have" if len(rare) > 1 else "one class has"
        notes.append(f"{fewer} fewer than 5 training rows, such as {rare[0]!r}")
    ordered = {label: counts[label] for label in labels}
    return Classes(labels, ordered, _class_weights(ordered))


def label_name(value: object) -> str:
    """A class's name: `1`, `1.0`, `"1"` and `"1.0"` are one class; booleans are `true` and `false`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    name = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    return re.sub(r"\A(-?\d+)\.0+\Z", r"\1", name)  # pandas writes whole numbers so, beside an empty cell


def _find_label(table: Table, wish: Columns) -> tuple[str, str]:
    others = tuple(c for c in (wish.text, wish.prompt) if c)
    hits = label_columns(table, *others)
    if len(marks := _marks(table, others)) > 1 and set(hits) <= set(marks):
        rule = f"a row must have one label (multi-label data is not supported); {listed(marks)} are marks of 0 and 1."
        raise InputError("data.columns.label", rule, "Name one of them as the label.", code="multi_label")
    if len(hits) > 1 and (same := _same_classes(table, hits)):
        return same, f"named like a label; {listed(hits)} name the same classes"
    if len(hits) == 1:
        return hits[0], f"named like a label, {_n_distinct(table, hits[0])} values"
    few = [c for c in table.without(*others) if could_be_label(table, c)]
    if len(few) == 1 and not hits:
        return few[0], f"the only column with few, short values ({_n_distinct(table, few[0])})"
    if not (hits or few):
        rule = f"classification needs a column whose values repeat; {_no_labels(table, others)}."
        raise InputError("data.columns.label", rule, "Name the label column, or choose another task.")
    raise which_column(table, "label", hits or few, (hits or few)[0])


def _marks(table: Table, others: tuple[str, ...]) -> list[str]:
    """Columns of 0 and 1 alone, as one class each."""
    return [c for c in table.without(*others) if {str(cell) for cell in table.cells(c)} == {"0", "1"}]


def _n_distinct(table: Table, column: str) -> int:
    return len({str(row.get(column)) for row in table.rows})


def _no_labels(table: Table, others: tuple[str, ...]) -> str:
    """Why no column of the table can be the label: the one that is named like it, or the columns there are."""
    for column in names.by_role(table.without(*others), names.LABEL):
        cells = table.cells(column, len(table.rows))
        if any(isinstance(cell, list) for cell in cells):
            return f"{column!r} holds lists: several labels a row are not supported"
        if not cells:
            return f"column {column!r} of {table.source.name} is empty"
        if not any(isinstance(c, list | dict) for c in cells):
            different = f"{column!r} has {len({str(c) for c in cells}):,} different values in {len(cells):,} rows"
            numbers = all(re.fullmatch(r"\s*-?\d+(?:\.\d+)?\s*", str(cell)) for cell in cells)
            return f"{different}: to predict a number (regression) is not supported" if numbers else different
    return f"{table.source.name} has {listed(table.columns)}"


def _same_classes(table: Table, hits: list[str]) -> str | None:
    """Of columns that name the same classes (such as label 3 and label_text "happy") the one with words."""
    rows = table.rows[:SAMPLE_ROWS]
    joint = len({tuple(str(row.get(c)) for c in hits) for row in rows})
    if any(len({str(row.get(c)) for row in rows}) != joint for c in hits):
        return None
    return max(hits, key=lambda c: (names.folded(c) in names.LABEL_STRINGS, len("".join(map(str, table.cells(c))))))


def _find_text(table: Table, label: str) -> tuple[str, str]:
    hits = names.by_role(table.without(label), names.TEXT)
    if len(hits) == 1 and table.mean_words(hits[0]) > 0:
        return hits[0], f"named like a text, {table.mean_words(hits[0]):.0f} words on average"
    long = hits or texts_by_content(table, label)
    if len(long) == 1:
        return long[0], f"the only column with free text ({table.mean_words(long[0]):.0f} words on average)"
    if not long:
        rule = f"classification needs a column of texts; {table.source.name} has {listed(table.columns)}"
        raise InputError("data.columns.text", rule + ".", "Name the text column.")
    raise which_column(table, "text", long, max(long, key=table.mean_words))


def _label_order(label: str) -> tuple[int, float, str]:
    """Numbers by value, then names by letters."""
    try:
        return 0, float(label), label
    except ValueError:
        return 1, 0.0, label


def _class_weights(counts: dict[str, int]) -> tuple[float, ...]:
    """Inverse class frequencies scaled to a mean of 1; empty where the classes are near enough in size (IMBALANCE)."""
    if max(counts.values()) <= IMBALANCE * min(counts.values()):
        return ()
    inverse = [1 / count for count in counts.values()]
    return tuple(round(weight * len(inverse) / sum(inverse), 6) for weight in inverse)


CLASSIFICATION = TaskRows(
    task=Task.CLASSIFICATION,
    strata="label",
    by_columns=lambda wish: "a label column was named" if wish.label else None,
    by_table=_by_table,
    plausible=lambda table: bool(label_columns(table)),
    columns=_columns,
    canonical=_canonical,
    judged_text=_judged_text,
    length=lambda row, count: count(str(row["text"])),
    check=_check,
    classes=_classes,
)
"""`{"text", "label"}`; the label is a name first, and its index once all classes are known."""

"""From the data a spec names to canonical splits and everything a plan may know of them. Changes nothing on disk."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tools.data.canonical_rows import canonical_rows
from tools.data.clean_splits import clean_splits
from tools.data.columns import Detected, detect_columns
from tools.data.control_tokens import escape_control_tokens
from tools.data.data_profile import DataProfile, SourceProfile, SplitProfile
from tools.data.duplicates import judged_text
from tools.data.lengths import control_tokens, measure_lengths
from tools.data.load_data import load_table
from tools.data.table import Row, Table, canonical_jsonl
from trainers.errors import InputError
from trainers.spec import Constraints, Data, Task

MIN_ROWS = 20
"""Of the train source: with fewer no split of it can be judged."""
SPLITS = ("train", "validation", "test")
IMBALANCE = 5.0
"""Class weights are set where the largest class has more than this many times the rows of the smallest."""


@dataclass(frozen=True)
class Profiled:
    """The profile, and the canonical rows of each split ("train", "validation", "test") it describes."""

    profile: DataProfile
    rows: dict[str, list[Row]]


@dataclass(frozen=True)
class _Read:
    """Canonical rows of the given splits, labels as names, in file order."""

    detected: Detected
    sources: tuple[SourceProfile, ...]
    rows: dict[str, list[Row]]
    notes: tuple[str, ...]


def profile(
    data: Data,
    task: Task | None,
    *,
    roots: tuple[Path, ...],
    tokenizer_file: Path | None,
    tokenizer_name: str,
    max_positions: int | None,
    constraints: Constraints,
    seed: int,
) -> Profiled:
    """Read, check, clean, cut and measure the data. The same data and seed give the same rows and fingerprints.

    `task` None: taken from the columns. Raises InputError for data that breaks a rule (param `data.*`), UnsafePath, and
    `tools.data.columns.Undecided` where only the user can tell. Cost: about 1 s for 10,000 short rows.
    """
    read = _read(data, task, roots, seed)
    notes = list(read.notes)
    task = read.detected.task
    if task is Task.CLASSIFICATION:
        _check_repeating(read.rows["train"])
    splits, how, duplicates = clean_splits(read.rows, task, seed, notes)
    if task is Task.CLASSIFICATION:
        _note_conflicts(splits["train"], notes)
    splits, n_control = escape_control_tokens(splits, control_tokens(tokenizer_file), notes)
    labels, counts = _classes(splits, task, notes)
    if labels:
        index = {label: i for i, label in enumerate(labels)}
        splits = {s: [{**row, "label": index[str(row["label"])]} for row in rows] for s, rows in splits.items()}
    lengths, length_notes = measure_lengths(
        splits["train"],
        task,
        tokenizer_file=tokenizer_file,
        tokenizer_name=tokenizer_name,
        max_positions=max_positions,
        max_seq_length=constraints.max_seq_length,
        seed=seed,
    )
    digests = {s: hashlib.sha256(canonical_jsonl(rows)).hexdigest() for s, rows in splits.items()}
    found = DataProfile(
        task=task,
        sources=read.sources,
        columns=read.detected.columns,
        column_evidence=read.detected.evidence,
        labels=labels,
        label_counts=counts,
        class_weights=_class_weights(counts),
        lengths=lengths,
        duplicates=duplicates,
        splits=SplitProfile(
            **{s: len(splits[s]) for s in SPLITS}, how=how, **{f"{s}_sha256": digests[s] for s in SPLITS}
        ),
        special_token_rows=n_control,
        notes=(*notes, *length_notes),
    )
    return Profiled(found, splits)


def _read(data: Data, task: Task | None, roots: tuple[Path, ...], seed: int) -> _Read:
    table = load_table(data.train, "data.train", roots, seed=seed)
    if len(table.rows) < MIN_ROWS:
        rule = f"at least {MIN_ROWS} rows are needed, got {len(table.rows)} in {data.train}."
        raise InputError("data.train", rule, "Add rows.", code="too_few_rows")
    detected = detect_columns(table, task, data.columns)
    sources, notes = [table.source], list(table.notes)
    raw = {"train": table.rows}
    for split, name in (("validation", data.validation), ("test", data.test)):
        if name is not None:
            other = _other_table(name, split, data, table, roots, seed)
            _same_columns(other, detected, f"data.{split}")
            raw[split] = other.splits.get(split, other.rows) if other.source.format == "hub" else other.rows
            sources.append(other.source)
            notes += other.notes
        elif split in table.splits:
            raw[split] = table.splits[split]
    rows = {}
    for split, given in raw.items():
        canonical = canonical_rows(given, detected, f"data.{split}")
        rows[split] = canonical.rows
        notes += canonical.notes
    return _Read(detected, tuple(sources), rows, tuple(notes))


def _other_table(name: str, split: str, data: Data, train: Table, roots: tuple[Path, ...], seed: int) -> Table:
    param = f"data.{split}"
    table = train if name == data.train and train.source.format == "hub" else load_table(name, param, roots, seed=seed)
    if table.source.format != "hub" and table.source.sha256 == train.source.sha256:
        rule = f"{split} must hold other rows than train; {name} is the same data as {data.train}."
        raise InputError(param, rule, f"Leave {split} out: it is then cut from train.", code="same_data")
    return table


def _same_columns(table: Table, detected: Detected, param: str) -> None:
    votes = detected.votes
    needed = [c for _, c in detected.columns if c] + ([votes.first, votes.second, *votes.voters] if votes else [])
    if missing := [column for column in needed if column not in table.columns]:
        rule = f"it must have the columns of train; {table.source.name} lacks {', '.join(missing)}"
        hint = f"Rename its columns (it has {', '.join(table.columns[:12])})."
        raise InputError(param, rule + ".", hint, code="unknown_column")


def _note_conflicts(rows: list[Row], notes: list[str]) -> None:
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(judged_text(row, Task.CLASSIFICATION), set()).add(str(row["label"]))
    if n_conflicts := sum(len(found) > 1 for found in labels.values()):
        notes.append(f"{n_conflicts} texts occur in train with more than one label; all of them are kept")


def _classes(splits: dict[str, list[Row]], task: Task, notes: list[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """(class names in index order, train rows of each). InputError for one class, no real classes, or unseen ones."""
    if task is not Task.CLASSIFICATION:
        return (), {}
    counts = Counter(str(row["label"]) for row in splits["train"])
    labels = tuple(sorted(counts, key=_label_order))
    if len(labels) < 2:
        rule = f"classification needs two classes or more; every label in train is {labels[0]!r}."
        hint = "Check the label column, or add the other class."
        raise InputError("data.columns.label", rule, hint, code="one_class")
    for split in ("validation", "test"):
        if unseen := sorted({str(row["label"]) for row in splits[split]} - set(labels)):
            shown = ", ".join(map(repr, unseen[:5])) + (f" and {len(unseen) - 5:,} more" if len(unseen) > 5 else "")
            rule = f"every class of {split} must be in train; {shown} {'is' if len(unseen) == 1 else 'are'} not."
            raise InputError(
                f"data.{split}", rule, "Add training rows of it or remove those rows.", code="unseen_class"
            )
    if rare := [label for label in labels if counts[label] < 5]:
        fewer = f"{len(rare):,} classes have" if len(rare) > 1 else "one class has"
        notes.append(f"{fewer} fewer than 5 training rows, such as {rare[0]!r}")
    return labels, {label: counts[label] for label in labels}


def _check_repeating(rows: list[Row]) -> None:
    n_rows, n_labels = len({(str(row["text"]), str(row["label"])) for row in rows}), len({row["label"] for row in rows})
    if n_labels > max(2, n_rows / 2):
        rule = f"labels must repeat; there are {n_labels:,} different ones in {n_rows:,} different rows."
        raise InputError("data.columns.label", rule, "Name the label column.", code="too_many_classes")


def _label_order(label: str) -> tuple[int, float, str]:
    """Numbers by value, then names by letters."""
    try:
        return 0, float(label), label
    except ValueError:
        return 1, 0.0, label


def _class_weights(counts: dict[str, int]) -> tuple[float, ...]:
    """Inverse class frequencies scaled to a mean of 1; empty where the classes are near enough in size (IMBALANCE)."""
    if not counts or max(counts.values()) <= IMBALANCE * min(counts.values()):
        return ()
    inverse = [1 / count for count in counts.values()]
    return tuple(round(weight * len(inverse) / sum(inverse), 6) for weight in inverse)

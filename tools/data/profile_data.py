"""From the data a spec names to canonical splits and everything a plan may know of them. Changes nothing on disk."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tools.data.clean_splits import clean_splits
from tools.data.columns import Detected
from tools.data.data_profile import DataProfile, SourceProfile, SplitProfile
from tools.data.detect import canonical_rows, detect_columns
from tools.data.lengths import control_tokens, measure_lengths
from tools.data.load_data import load_table
from tools.data.table import Row, Table, canonical_jsonl
from tools.data.tasks import TASKS
from trainers.data import escaped_row
from trainers.errors import InputError
from trainers.spec import Constraints, Data, Task

MIN_ROWS = 20
"""Of the train source: with fewer no split of it can be judged."""
TEMPLATE_SHARE = 0.5
"""Where more training rows than this hold control tokens, the user has put a chat template there on purpose."""
NO_CONSTRAINTS = Constraints()
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Profiled:
    """The profile, and the canonical rows of each split ("train", "validation", "test") it describes."""

    profile: DataProfile
    rows: dict[str, list[Row]]


def profile(
    data: Data,
    task: Task | None,
    *,
    roots: tuple[Path, ...],
    tokenizer_file: Path | None = None,
    tokenizer_name: str = "words",
    max_positions: int | None = None,
    constraints: Constraints = NO_CONSTRAINTS,
    seed: int = 0,
) -> Profiled:
    """Read, check, clean, cut and measure the data. The same data and seed give the same rows and fingerprints.

    `task` None: taken from the columns. Raises InputError for data that breaks a rule (param `data.*`), UnsafePath, and
    `tools.data.columns.Undecided` where only the user can tell. Cost: about 1 s for 10,000 short rows.
    """
    notes: list[str] = []
    detected, sources, rows = _read(data, task, roots, seed, notes)
    task_rows = TASKS[detected.task]
    task_rows.check(rows["train"])
    splits, how, duplicates = clean_splits(rows, task_rows, seed, notes)
    classes = task_rows.classes(splits, notes)
    splits, n_control = escape_control_tokens(splits, control_tokens(tokenizer_file), notes)
    if classes.labels:
        index = {label: i for i, label in enumerate(classes.labels)}
        splits = {s: [{**row, "label": index[str(row["label"])]} for row in rows] for s, rows in splits.items()}
    lengths, length_notes = measure_lengths(
        splits["train"],
        task_rows.length,
        tokenizer_file=tokenizer_file,
        tokenizer_name=tokenizer_name,
        max_positions=max_positions,
        max_seq_length=constraints.max_seq_length,
        seed=seed,
    )
    digests = {s: hashlib.sha256(canonical_jsonl(rows)).hexdigest() for s, rows in splits.items()}
    data_profile = DataProfile(
        task=detected.task,
        sources=sources,
        columns=detected.columns,
        column_evidence=detected.evidence,
        labels=classes.labels,
        label_counts=classes.counts,
        class_weights=classes.weights,
        lengths=lengths,
        duplicates=duplicates,
        splits=SplitProfile(
            **{s: len(splits[s]) for s in SPLITS}, how=how, **{f"{s}_sha256": digests[s] for s in SPLITS}
        ),
        special_token_rows=n_control,
        notes=(*notes, *length_notes),
    )
    return Profiled(data_profile, splits)


def escape_control_tokens(
    splits: dict[str, list[Row]], tokens: tuple[str, ...], notes: list[str]
) -> tuple[dict[str, list[Row]], int]:
    """Control tokens inside the data, of which `<|im_end|>` would end a turn in the middle of a row.

    (splits with a space put after the first character of each control token, number of training rows concerned).

    Labels stay as they are, and so do rows that are templated on purpose (TEMPLATE_SHARE); a note says which of the
    two was done.
    """
    clean = {split: [escaped_row(row, tokens, leave="label") for row in rows] for split, rows in splits.items()}
    n_rows_of = {split: sum(a != b for a, b in zip(rows, clean[split], strict=True)) for split, rows in splits.items()}
    if (n_train := n_rows_of["train"]) > TEMPLATE_SHARE * len(splits["train"]):
        notes.append(f"{n_train} training rows hold control tokens of the tokenizer; taken for a chat template, kept")
        return splits, n_train
    if n_rows := sum(n_rows_of.values()):
        notes.append(f"{n_rows} rows hold control tokens of the tokenizer as text; a space was put into each")
    return clean, n_train


def _read(
    data: Data, task: Task | None, roots: tuple[Path, ...], seed: int, notes: list[str]
) -> tuple[Detected, tuple[SourceProfile, ...], dict[str, list[Row]]]:
    """(columns, sources, canonical rows of the given splits in file order, labels as names); `notes` is added to."""
    table = load_table(data.train, "data.train", roots, seed=seed)
    if len(table.rows) < MIN_ROWS:
        rule = f"at least {MIN_ROWS} rows are needed, got {len(table.rows)} in {data.train}."
        raise InputError("data.train", rule, "Add rows.", code="too_few_rows")
    detected = detect_columns(table, task, data.columns)
    sources = [table.source]
    notes += table.notes
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
    for split, table_rows in raw.items():
        rows[split], dropped = canonical_rows(table_rows, detected, f"data.{split}")
        notes += dropped
    return detected, tuple(sources), rows


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

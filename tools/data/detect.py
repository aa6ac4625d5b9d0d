"""Which task a table is for, which column is what (by usual names, then by what the cells hold), and its rows for it.

Columns the user named are taken as they are or refused; nothing similar is put in their place. What stays open after
names and content becomes a question (`Undecided`), never a guess.
"""

import difflib
from collections import Counter
from dataclasses import replace

from tools.data.columns import Detected, Undecided, listed
from tools.data.table import Row, Table
from tools.data.tasks import TASKS
from tools.data.tasks.rows import Flaw, LeftOut
from trainers.errors import InputError
from trainers.spec import Columns, Task


def detect_columns(table: Table, task: Task | None, wish: Columns) -> Detected:
    """Task and columns of a table. Cost: a few passes over at most 2,000 rows.

    Raises InputError for a given column that the table lacks (with near names), or where the columns cannot serve
    the task; Undecided where more than one reading is left.
    """
    _check_given(table, wish)
    task, why = (task, "given by the user") if task is not None else _infer_task(table, wish)
    detected = TASKS[task].columns(table, wish)
    _check_apart(detected.columns)
    return replace(detected, evidence={"task": why, **detected.evidence})


def canonical_rows(rows: list[Row], detected: Detected, param: str) -> tuple[list[Row], tuple[str, ...]]:
    """(rows in the form of `trainers.spec.TrainSpec`, labels still as names; notes), in the given order.

    Rows that say nothing are dropped and counted in the notes. InputError, with count and first row, where a needed
    cell is missing, and where no row is left.
    """
    task, canonical = TASKS[detected.task], list[Row]()
    problems: dict[Flaw, list[int]] = {}
    dropped: Counter[LeftOut] = Counter()
    for number, row in enumerate(rows, 1):
        converted = task.canonical(row, detected)
        if isinstance(converted, LeftOut):
            dropped[converted] += 1
        elif isinstance(converted, Flaw):
            problems.setdefault(converted, []).append(number)
        else:
            canonical.append(converted)
    for flaw, numbers in problems.items():
        rule = f"{flaw.rule} in {len(numbers):,} of {len(rows):,} rows, first in row {numbers[0]:,}."
        raise InputError(param, rule, flaw.hint, code=flaw.code)
    counted = [f"{n:,} of {len(rows):,} rows dropped: {why.value}" for why, n in dropped.items()]
    if rows and not canonical:
        raise InputError(param, f"no row is left: {'; '.join(counted)}.", "Give other data.", code="too_few_rows")
    return canonical, tuple(f"{param}: {count}" for count in counted)


def _check_given(table: Table, wish: Columns) -> None:
    for role, column in wish:
        if column is None or column in table.columns:
            continue
        folded = {c.casefold(): c for c in table.columns}
        near = difflib.get_close_matches(column.casefold(), list(folded), n=3, cutoff=0.6)
        hint = f"Did you mean {' or '.join(folded[n] for n in near)}?" if near else f"Columns: {listed(table.columns)}."
        rule = (
            f"the column must be in {table.source.name}; it has no column {column!r} (it has {listed(table.columns)})."
        )
        raise InputError(f"data.columns.{role}", rule, hint, code="unknown_column")


def _check_apart(columns: Columns) -> None:
    roles: dict[str, str] = {}
    for role, column in columns:
        if column is not None and (other := roles.setdefault(column, role)) != role:
            rule = f"{other} and {role} must be different columns; both are {column!r}."
            raise InputError(f"data.columns.{role}", rule, f"Name the {role} column.", code="same_column")


def _infer_task(table: Table, wish: Columns) -> tuple[Task, str]:
    reasons = [(task, rows.by_columns(wish)) for task, rows in TASKS.items()]
    if not any(why for _, why in reasons):
        reasons = [(task, rows.by_table(table)) for task, rows in TASKS.items()]
    for task, why in reasons:
        if why:
            return task, why
    *others, last = Task
    question = f"Is {table.source.name} for {', '.join(others)} or {last} tuning? Its columns: {listed(table.columns)}."
    raise Undecided("task", question, next((task for task, rows in TASKS.items() if rows.plausible(table)), None))

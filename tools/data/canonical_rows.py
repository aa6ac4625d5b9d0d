"""From table rows to the canonical rows that trainers and evals read (`trainers.spec.TrainSpec`)."""

from collections import Counter
from dataclasses import dataclass

from tools.data.columns import Detected
from tools.data.table import Row
from tools.data.tasks import TASKS
from tools.data.tasks.rows import LeftOut
from trainers.errors import InputError


@dataclass(frozen=True)
class Canonical:
    """Rows in canonical form, labels still as names; and what was left out."""

    rows: list[Row]
    notes: tuple[str, ...] = ()


def canonical_rows(rows: list[Row], detected: Detected, param: str) -> Canonical:
    """Canonical rows in the given order; those that say nothing are dropped and counted in the notes.

    InputError, with count and first row, where a needed cell is missing, and where no row is left.
    """
    task, canonical = TASKS[detected.task], list[Row]()
    problems: dict[str, list[int]] = {}
    dropped: Counter[LeftOut] = Counter()
    for number, row in enumerate(rows, 1):
        converted = task.canonical(row, detected)
        if isinstance(converted, LeftOut):
            dropped[converted] += 1
        elif isinstance(converted, str):
            problems.setdefault(converted, []).append(number)
        else:
            canonical.append(converted)
    for problem, numbers in problems.items():
        rule = f"{problem} in {len(numbers):,} of {len(rows):,} rows, first in row {numbers[0]:,}."
        raise InputError(param, rule, "Fill in or remove those rows.", code="missing_cells")
    counted = [f"{n:,} of {len(rows):,} rows dropped: {why.value}" for why, n in dropped.items()]
    if rows and not canonical:
        raise InputError(param, f"no row is left: {'; '.join(counted)}.", "Give other data.", code="too_few_rows")
    return Canonical(canonical, tuple(f"{param}: {count}" for count in counted))

"""Tables in a directory: NAME.csv with one row per run, NAME.json with the space and the direction.

The JSON holds `name`, `objective` ({"direction": "minimize" or "maximize"}), `space` (per hyperparameter type, low,
high, log; or choices) and `grid`: true means that only the listed configurations exist. The CSV has a column per
hyperparameter, `objective` (empty where the run failed) and `status` (ok, or why not); other columns are not read. Rows
with equal hyperparameters are repeats. Files named NAME.curves.csv are left alone.
"""

import csv
import itertools
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evals.search_bench.problem import Problem
from evals.search_bench.table import Table
from trainers.errors import InputError
from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Parameter, Space
from trainers.spec import Config, Direction, Scalar

FORMAT = "A table is NAME.json and NAME.csv as `evals/search_bench/files.py` describes them."


class _Objective(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")
    direction: Direction


class _Head(BaseModel):
    """NAME.json; what else stands there is for people."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: str
    description: str = ""
    objective: _Objective
    space: dict[str, Parameter] = Field(min_length=1)
    grid: bool
    source: str = ""
    family: str | None = None


def load_tables(directory: Path) -> list[Problem]:
    """Every table in `directory`, by name. Raises InputError for a missing, empty or malformed one.

    The family of a table is its `family`, else what the names of the tables with its `source` begin with in common.
    """
    if not directory.is_dir():
        raise InputError("--tables", f"must be a directory of tables, got {directory}.", FORMAT)
    heads = [(path, _head(path)) for path in sorted(directory.glob("*.json"))]
    if not heads:
        raise InputError("--tables", f"must hold at least one NAME.json, {directory} has none.", FORMAT)
    by_source: dict[str, list[str]] = defaultdict(list)
    for _, head in heads:
        by_source[head.source].append(head.name)
    return [_table(path, head, head.family or _common_start(by_source[head.source])) for path, head in heads]


def _common_start(names: list[str]) -> str:
    words = [name.split("-") for name in names]
    shared = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*words, strict=False))
    return "-".join(column[0] for column in shared) or names[0]


def _head(path: Path) -> _Head:
    try:
        return _Head.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(str(part) for part in first["loc"])
        raise InputError("--tables", f"{path} is not the head of a table: {where} {first['msg']}.", FORMAT) from None


def _table(path: Path, head: _Head, family: str) -> Table:
    rows = _rows(path.with_suffix(".csv"), head)
    axes = {name: sorted({config[name] for config, _ in rows}, key=_rank(head, name)) for name in head.space}
    space = Space(parameters={n: _axis(p, axes[n]) if head.grid else p for n, p in head.space.items()})
    repeats: dict[tuple[Scalar, ...], list[float]] = defaultdict(list)
    for config, score in rows:
        repeats[tuple(config.values())].append(score)
    if not any(math.isfinite(score) for _, score in rows):
        raise InputError("--tables", f"{path.stem} must have at least one run with an objective, got none.", FORMAT)
    return Table(
        head.name,
        family,
        space,
        head.objective.direction,
        {name: [key[i] for key in repeats] for i, name in enumerate(head.space)},
        list(repeats.values()),
        log=frozenset(n for n, p in head.space.items() if not isinstance(p, CategoricalParameter) and p.log),
        task=head.description,
    )


def _rank(head: _Head, name: str) -> Callable[[Any], float]:
    parameter = head.space[name]
    return parameter.choices.index if isinstance(parameter, CategoricalParameter) else float


def _axis(parameter: Parameter, values: list[Scalar]) -> Parameter:
    """The values that occur, in order; a declared default moves to the nearest of them."""
    default: Scalar | None = parameter.default
    if default is not None and default not in values:
        numbers = [v for v in values if not isinstance(v, str)]
        default = min(numbers, key=lambda v: abs(float(v) - float(default or 0)), default=None)
    return CategoricalParameter(choices=tuple(values), default=default)


def _rows(path: Path, head: _Head) -> list[tuple[Config, float]]:
    """(configuration, score or NaN) of every run."""
    if not path.is_file():
        raise InputError("--tables", f"{path.stem}.json needs {path.name} beside it, there is none.", FORMAT)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        missing = [c for c in (*head.space, "objective", "status") if c not in columns]
        if missing:
            raise InputError("--tables", f"{path} must have the column {missing[0]!r}, got {list(columns)}.", FORMAT)
        rows = [_row(path, line, row, head) for line, row in enumerate(reader, start=2)]
    if not rows:
        raise InputError("--tables", f"{path} must have at least one run, got none.", FORMAT)
    return rows


def _row(path: Path, line: int, row: dict[str, str], head: _Head) -> tuple[Config, float]:
    try:
        config = {name: _value(parameter, row[name]) for name, parameter in head.space.items()}
        ok = row["status"] == "ok" and row["objective"] != ""
        score = float(row["objective"]) if ok else float("nan")
    except (ValueError, TypeError) as error:
        raise InputError("--tables", f"{path} line {line} must hold values of the space: {error}.", FORMAT) from None
    return config, score


def _value(parameter: Parameter, text: str) -> Scalar:
    if isinstance(parameter, FloatParameter):
        value: Scalar = float(text)
    elif isinstance(parameter, IntParameter):
        value = int(text)
    else:
        equal = [choice for choice in parameter.choices if str(choice) == text]
        if not equal:
            raise ValueError(f"{text!r} is none of {list(parameter.choices)}")
        value = equal[0]
    if not parameter.accepts(value):
        raise ValueError(f"{text!r} is out of range")
    return value

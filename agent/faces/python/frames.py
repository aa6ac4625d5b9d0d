"""Tables in memory: rows that Python hands in become a file, trials come out as a pandas data frame."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.desk.cards import TrialCard
from agent.errors import InputError

if TYPE_CHECKING:
    from pandas import DataFrame

TRIAL_COLUMNS = ("phase", "state", "source", "score", "seconds")
FURTHER_COLUMNS = ("predicted_mean", "predicted_sd", "reason", "seed")


def data_name(data: "str | os.PathLike[str] | DataFrame | Sequence[Mapping[str, Any]]", home: Path) -> str:
    """What a plan calls `data`: a path or id as it is, rows by the file that they are written to.

    That file lies under `home/files`, JSON Lines named by the hash of its bytes: the same rows are the same file, and
    so the same plan. It can be read by its owner only and stays until somebody removes it. Raises InputError for
    anything that is no table.
    """
    if isinstance(data, str | os.PathLike):
        return os.fspath(data)
    lines = _lines(data)
    path = home / "files" / f"rows-{hashlib.sha256(lines).hexdigest()[:16]}.jsonl"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(lines)
        unfinished.replace(path)
    return str(path)


def _lines(data: Any) -> bytes:
    """One JSON object a row, UTF-8."""
    try:
        rows = _rows(data)
        return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows).encode()
    except (TypeError, ValueError) as error:
        raise InputError("data", f"cannot be written as rows: {error}.", "Give texts, numbers or lists.") from error


def _rows(data: Any) -> list[dict[str, Any]]:
    if hasattr(data, "to_json") and hasattr(data, "columns"):  # pandas, without importing it
        text = data.to_json(orient="records", force_ascii=False, date_format="iso", double_precision=15)
        rows: list[dict[str, Any]] = json.loads(text)
    else:
        rows = [dict(row) for row in data if isinstance(row, Mapping)] if isinstance(data, list | tuple) else []
    if not rows or (isinstance(data, list | tuple) and len(rows) < len(data)):
        rule = f"must be a path, an id or a table with rows, got {type(data).__name__}."
        raise InputError("data", rule, "Give a path, a hub id, a pandas data frame or a list of dicts.")
    return rows


def trials_frame(trials: Sequence[TrialCard]) -> "DataFrame":
    """One row a trial, its hyperparameters as `params_NAME`; a hyperparameter that is not active is missing."""
    import pandas as pd

    names = dict.fromkeys(name for trial in trials for name in trial.config)
    rows = [
        trial.model_dump(mode="json") | {f"params_{name}": value for name, value in trial.config.items()}
        for trial in trials
    ]
    columns = ["trial", *TRIAL_COLUMNS, *(f"params_{name}" for name in names), *FURTHER_COLUMNS]
    numbers = ("score", "seconds", "predicted_mean", "predicted_sd")
    frame = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(numbers, float))
    return frame.rename(columns={"trial": "number"})

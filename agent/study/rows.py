"""What the parts of the store share: transactions, queries, and how rows become models."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from agent.errors import StoreConflict
from agent.study.nouns import Proposal, Rung, Trial, costs_of
from trainers.spec import TrainResult

Row = Mapping[str, Any]
M = TypeVar("M", bound=BaseModel)


class Rows(ABC):
    """Access to the database; `agent/study/store.py` implements it over sqlite-utils."""

    @abstractmethod
    def tx(self) -> AbstractContextManager[None]:
        """One write transaction, durable when the block ends; an inner `tx()` joins the outer one."""

    @abstractmethod
    def write(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """Run one statement in the open transaction, or in one of its own; its cursor."""

    def write_one(self, sql: str, parameters: tuple[Any, ...], refusal: str) -> None:
        """`write` of exactly one row. Raises StoreConflict with `refusal` where there is no such row."""
        if self.write(sql, parameters).rowcount != 1:
            raise StoreConflict(refusal)

    @abstractmethod
    def query(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Row]:
        """The rows of a SELECT."""

    def models(self, kind: type[M], sql: str, parameters: tuple[Any, ...] = (), *, json_in: str = "") -> list[M]:
        """The rows of a SELECT as models, whose fields its columns are named after; those of `json_in` hold JSON."""
        rows = [dict(row) for row in self.query(sql, parameters)]
        for row in rows:
            row |= {name: json.loads(row[name]) for name in json_in.split() if row[name] is not None}
        return [kind.model_validate(row) for row in rows]


def now() -> str:
    """The current time as stored: UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def elapsed_seconds(since: str, until: str) -> float:
    """Seconds from one stored time to another, never below 0 (clocks may be set back)."""
    return max(0.0, (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())


TRIALS = """
    SELECT trials.*, coalesce((SELECT sum(seconds) FROM attempts WHERE trial_id = trials.id), 0.0) AS seconds
    FROM trials
"""


def trial_from(row: Row) -> Trial:
    """A row of `TRIALS` as a model."""
    result = TrainResult.model_validate_json(row["result"]) if row["result"] else None
    fields = {name: row[name] for name in Trial.model_fields if name in row}
    fields |= {"trial_id": row["id"], "study_id": str(row["study_id"])}
    fields |= {"proposal": Proposal.model_validate_json(row["proposal"])}
    if row["rung"]:
        fields |= {"score": None, "rung": Rung.model_validate_json(row["rung"])}
    if result:
        fields |= {"costs": costs_of(result), "deviations": result.deviations}
    return Trial.model_validate(fields)

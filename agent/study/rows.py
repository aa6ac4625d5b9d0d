"""What the parts of the store share: a transaction, a query, and how rows become models."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from agent.study.nouns import Proposal, Rung, Trial, costs_of
from trainers.spec import CurvePoint, TrainResult

Row = Mapping[str, Any]


class Cursor(Protocol):
    """The part of a database cursor that writes look at."""

    rowcount: int
    lastrowid: int | None


class Transaction(Protocol):
    """An open write transaction."""

    def execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> Cursor:
        """Run one statement."""
        ...


class Rows(ABC):
    """Access to the database; `agent/study/store.py` implements it over sqlite-utils."""

    @abstractmethod
    def tx(self) -> AbstractContextManager[Transaction]:
        """One write transaction, durable when the block ends; an inner `tx()` joins the outer one."""

    @abstractmethod
    def query(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Row]:
        """The rows of a SELECT."""


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
    return Trial(
        trial_id=row["id"],
        study_id=str(row["study_id"]),
        number=row["number"],
        phase=row["phase"],
        state=row["state"],
        proposal=Proposal.model_validate_json(row["proposal"]),
        seed=row["seed"],
        attempts=row["attempts"],
        score=None if row["rung"] else row["score"],
        rung=Rung.model_validate_json(row["rung"]) if row["rung"] else None,
        reason=row["reason"],
        error=row["error"],
        seconds=row["seconds"],
        costs=costs_of(result) if result else None,
        adapter_dir=row["adapter_dir"],
        deviations=result.deviations if result else (),
    )


def point_from(row: Row) -> CurvePoint:
    """A row of `metrics` as a model."""
    return CurvePoint(
        step=row["step"],
        loss=row["loss"],
        eval_loss=row["eval_loss"],
        learning_rate=row["learning_rate"],
        grad_norm=row["grad_norm"],
    )

"""What the parts of the store share: transactions, queries, and how rows become models."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from agent.errors import StoreConflict, TunewrightError

Row = Mapping[str, Any]
M = TypeVar("M", bound=BaseModel)


class StoreFull(TunewrightError):
    """The disk that holds the database has no space left; what was stored before is intact."""

    code = "store_full"


class Rows:
    """Access to the database, from several threads."""

    def __init__(self, path: Path, database: Any) -> None:
        """Use `Store.open`."""
        self._path, self._database = path, database
        self._lock = threading.RLock()
        self._depth = 0

    @contextmanager
    def tx(self) -> Iterator[None]:
        """One write transaction, durable when the block ends; an inner `tx()` joins the outer one.

        `BEGIN IMMEDIATE`, because a transaction that reads first cannot wait for the write lock. Raises StoreFull when
        the disk is full and StoreConflict when the database refuses the change.
        """
        with self._lock:
            if self._depth == 0:
                self._guarded("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self._guarded("COMMIT")
            except BaseException:
                if self._depth == 1 and self._database.conn.in_transaction:
                    with suppress(Exception):
                        self._database.conn.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def write(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """Run one statement in the open transaction, or in one of its own; its cursor."""
        with self.tx():
            return self._guarded(sql, parameters)

    def write_one(self, sql: str, parameters: tuple[Any, ...], refusal: str) -> None:
        """`write` of exactly one row. Raises StoreConflict with `refusal` where there is no such row."""
        if self.write(sql, parameters).rowcount != 1:
            raise StoreConflict(refusal)

    def query(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Row]:
        """The rows of a SELECT."""
        with self._lock:
            cursor = self._database.conn.execute(sql, parameters)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def models(self, kind: type[M], sql: str, parameters: tuple[Any, ...] = (), *, json_in: str = "") -> list[M]:
        """The rows of a SELECT as models, whose fields its columns are named after; those of `json_in` hold JSON."""
        rows = [dict(row) for row in self.query(sql, parameters)]
        for row in rows:
            row |= {name: json.loads(row[name]) for name in json_in.split() if row[name] is not None}
        return [kind.model_validate(row) for row in rows]

    def _guarded(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """Execute, with SQLite's refusals turned into our errors."""
        import sqlite3

        try:
            return self._database.conn.execute(sql, parameters)
        except sqlite3.IntegrityError as error:
            raise StoreConflict(f"the database refused a change: {error}.") from error
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise StoreFull(
                    f"no space is left for {self._path}. Nothing stored before is lost; free some space, then resume."
                ) from error
            raise StoreConflict(f"the database could not be written: {error} ({self._path}).") from error


def now() -> str:
    """The current time as stored: UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def elapsed_seconds(since: str, until: str) -> float:
    """Seconds from one stored time to another, never below 0 (clocks may be set back)."""
    return max(0.0, (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())

"""What happened and what it cost: events, LLM calls, ledger entries, test openings, artifacts. Part of `Store`."""

import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from agent.errors import InputError
from agent.llm.calls import LlmCall
from agent.study.nouns import EventKind, StudyEvent
from agent.study.rows import Row, Rows, now
from evals.spec import EvalResult
from trainers.spec import Closed

Account = Literal["wall_seconds", "llm_tokens", "llm_usd"]
MAX_SEQ = 2**62
"""Above any number of an event; the database cannot hold twice that."""

EVENTS = "SELECT seq, at, kind, trial_id, data FROM events"


class Opening(Closed):
    """One opening of the sealed test split; counted before the rows are read."""

    opening: int
    at: str
    trial_ids: tuple[str, ...]
    results: dict[str, EvalResult] | None = Field(None, description="None: the opening gave nothing (it was cut off)")


class Journal(Rows):
    """Append-only records of a study."""

    def log_event(
        self, study_id: str, kind: EventKind, trial_id: str | None = None, data: dict[str, Any] | None = None
    ) -> StudyEvent:
        """Store one event; `data` must be JSON without NaN or infinities."""
        at, data = now(), data or {}
        sql = "INSERT INTO events (study_id, at, kind, trial_id, data) VALUES (?, ?, ?, ?, ?)"
        row = self.write(sql, (study_id, at, kind, trial_id, json.dumps(data, allow_nan=False)))
        return StudyEvent(seq=row.lastrowid, at=at, kind=kind, trial_id=trial_id, data=data)

    def events(
        self,
        study_id: str,
        after: int = 0,
        kind: EventKind | None = None,
        limit: int | None = None,
        kinds: Sequence[EventKind] = (),
    ) -> list[StudyEvent]:
        """The events of a study with `seq` above `after`, in order, at most `limit`; only these kinds, if any.

        Raises InputError for an `after` that no event can have.
        """
        if not 0 <= after <= MAX_SEQ:
            raise InputError("after", f"must be the number of an event, got {after}.", "0 begins at the first.")
        names = json.dumps([kind] if kind is not None else list(kinds))
        of_kinds = "json_array_length(?) = 0 OR kind IN (SELECT value FROM json_each(?))"
        sql = f"{EVENTS} WHERE study_id = ? AND seq > ? AND ({of_kinds}) ORDER BY seq LIMIT ?"
        values = (study_id, after, names, names, -1 if limit is None else limit)
        return self.models(StudyEvent, sql, values, json_in="data")

    def events_before(self, study_id: str, before: int | None, limit: int) -> list[StudyEvent]:
        """The latest events of a study, newest first, at most `limit`; with `before`, of those with a lower `seq`."""
        sql = f"{EVENTS} WHERE study_id = ? AND seq < coalesce(?, seq + 1) ORDER BY seq DESC LIMIT ?"
        return self.models(StudyEvent, sql, (study_id, before, limit), json_in="data")

    def last_progress(self, study_id: str, trial_id: str) -> StudyEvent | None:
        """What a trial last told of its training; None before it did."""
        sql = f"{EVENTS} WHERE study_id = ? AND kind = ? AND trial_id = ? ORDER BY seq DESC LIMIT 1"
        return next(iter(self.models(StudyEvent, sql, (study_id, EventKind.PROGRESS, trial_id), json_in="data")), None)

    def last_seq(self, study_id: str) -> int:
        """The sequence number of the study's latest event; 0 before the first."""
        return int(self.query("SELECT coalesce(max(seq), 0) AS n FROM events WHERE study_id = ?", (study_id,))[0]["n"])

    def log_llm_call(self, call: LlmCall, study_id: str | None = None) -> int:
        """Store one call of the planner LLM; its id. Without a study: a call made while planning."""
        columns = "prompt_name prompt_sha256 text reply model prompt_tokens completion_tokens cost_usd seconds error"
        names = columns.split()
        marks = ", ".join("?" for _ in names)
        sql = f"INSERT INTO llm_calls (study_id, at, {', '.join(names)}) VALUES (?, ?, {marks})"  # noqa: S608
        return int(self.write(sql, (study_id, now(), *(getattr(call, name) for name in names))).lastrowid)

    def llm_calls(self, study_id: str | None = None) -> list[Row]:
        """The LLM calls of a study (None: those made outside any study) in order, one mapping a row."""
        return self.query("SELECT * FROM llm_calls WHERE study_id IS ? ORDER BY id", (study_id and int(study_id),))

    def llm_spending(self, study_id: str) -> tuple[int, float]:
        """(tokens, dollars) of a study's recorded calls, plus what is reserved for calls without a record yet."""
        calls = self.query(
            "SELECT coalesce(sum(coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0)), 0) AS tokens,"
            " coalesce(sum(cost_usd), 0.0) AS usd FROM llm_calls WHERE study_id = ?",
            (study_id,),
        )[0]
        open_tokens, open_usd = self.balance(study_id, "llm_tokens"), self.balance(study_id, "llm_usd")
        return int(calls["tokens"] + open_tokens), float(calls["usd"] + open_usd)

    def llm_replies_unusable(self, study_id: str) -> int:
        """Replies of a study's calls that came and could not be used."""
        sql = "SELECT count(*) AS n FROM llm_calls WHERE study_id = ? AND error IS NOT NULL AND completion_tokens > 0"
        return int(self.query(sql, (study_id,))[0]["n"])

    def reserve(self, study_id: str, account: Account, entry: str, amount: float) -> None:
        """Set `amount` aside before it is spent; a repeated entry changes nothing."""
        self.write(
            "INSERT INTO ledger (study_id, account, entry, reserved, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (study_id, account, entry, amount, now()),
        )

    def reconcile(self, study_id: str, account: Account, entry: str, used: float) -> None:
        """Replace a reservation by what was really used; may be called again as use grows."""
        self.write_one(
            "UPDATE ledger SET used = ?, at = ? WHERE study_id = ? AND account = ? AND entry = ?",
            (used, now(), study_id, account, entry),
            f"nothing was reserved as {entry!r} in {account} of study {study_id}.",
        )

    def balance(self, study_id: str, account: Account) -> float:
        """Used so far, reservations that were never reconciled counted in full."""
        rows = self.query(
            "SELECT coalesce(sum(coalesce(used, reserved)), 0.0) AS total FROM ledger"
            " WHERE study_id = ? AND account = ?",
            (study_id, account),
        )
        return float(rows[0]["total"])

    def record_opening(self, study_id: str, trial_ids: Sequence[str]) -> int:
        """Count an opening of the test split, before it happens; its id."""
        sql = "INSERT INTO test_openings (study_id, at, trial_ids) VALUES (?, ?, ?)"
        return int(self.write(sql, (study_id, now(), json.dumps(list(trial_ids)))).lastrowid)

    def record_test_results(self, opening: int, results: dict[str, EvalResult]) -> None:
        """Store what an opening gave: trial id to scores with their rows."""
        text = json.dumps({trial_id: result.model_dump(mode="json") for trial_id, result in results.items()})
        self.write_one(
            "UPDATE test_openings SET results = ? WHERE id = ? AND results IS NULL",
            (text, opening),
            f"opening {opening} of the test split has its results already.",
        )

    def test_openings(self, study_id: str) -> list[Opening]:
        """All openings of a study's test split, in order."""
        sql = "SELECT id AS opening, at, trial_ids, results FROM test_openings WHERE study_id = ? ORDER BY id"
        return self.models(Opening, sql, (study_id,), json_in="trial_ids results")

    def add_artifact(self, study_id: str, kind: str, path: str, trial_id: str | None = None) -> None:
        """Note a file or directory that is handed out (adapter, report); noting it again renews its time."""
        self.write(
            "INSERT INTO artifacts (study_id, trial_id, kind, path, created_at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (study_id, kind, path) DO UPDATE SET trial_id = excluded.trial_id,"
            " created_at = excluded.created_at",
            (study_id, trial_id, kind, path, now()),
        )

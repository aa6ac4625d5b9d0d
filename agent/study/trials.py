"""Trials, their attempts and learning curves, as rows. Part of `agent.study.store.Store`."""

import math
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from agent.study.nouns import Phase, Proposal, Rung, Trial, costs_of
from agent.study.rows import Row, Rows, elapsed_seconds, now
from tools.attempt import Failed, Finished, Started
from trainers.errors import InputError
from trainers.spec import CurvePoint, FailureReason, TrainResult

INTERRUPTIONS = (FailureReason.LOST, FailureReason.PREEMPTED, FailureReason.GPU_LOST)
"""Failures that say nothing about the configuration: the trial is run again and the budget is not charged for it."""

TRIALS = """
    SELECT trials.*, coalesce((SELECT sum(seconds) FROM attempts WHERE trial_id = trials.id), 0.0) AS seconds
    FROM trials
"""


class TrialRows(Rows):
    """Every write about a running attempt names it, and is refused once the trial has moved on (fencing)."""

    def add_trials(self, study_id: str, phase: Phase, proposals: Sequence[tuple[Proposal, int]]) -> list[Trial]:
        """Store (proposal, seed) pairs as WAITING trials, numbered on from the last; all of them or none."""
        with self.tx():
            sql = "SELECT coalesce(max(number), -1) + 1 AS n FROM trials WHERE study_id = ?"
            first = int(self.query(sql, (study_id,))[0]["n"])
            numbers = range(first, first + len(proposals))
            for number, (proposal, seed) in zip(numbers, proposals, strict=True):
                self.write(
                    "INSERT INTO trials (id, study_id, number, phase, state, proposal, seed)"
                    " VALUES (?, ?, ?, ?, 'WAITING', ?, ?)",
                    (f"{study_id}-{number}", study_id, number, phase, proposal.model_dump_json(), seed),
                )
        return [self.trial(f"{study_id}-{number}") for number in numbers]

    def trial(self, trial_id: str) -> Trial:
        """One trial. Raises InputError where there is none of that id."""
        rows = self.query(f"{TRIALS} WHERE id = ?", (trial_id,))
        if not rows:
            study, _, _ = trial_id.partition("-")
            raise InputError("trial", f"no trial {trial_id!r}.", f"See `tunewright show {study}` for those there are.")
        return _trial(rows[0])

    def trials(self, study_id: str, phase: Phase | None = None) -> list[Trial]:
        """The trials of a study (of one phase) by number."""
        sql = f"{TRIALS} WHERE study_id = ? AND phase = coalesce(?, phase) ORDER BY number"
        return [_trial(row) for row in self.query(sql, (study_id, phase))]

    def count_trials(self, study_id: str, phase: Phase) -> int:
        """How many trials of one phase a study has, in whatever state."""
        sql = "SELECT count(*) AS n FROM trials WHERE study_id = ? AND phase = ?"
        return int(self.query(sql, (study_id, phase))[0]["n"])

    def start_attempt(self, trial_id: str, device: str) -> str:
        """Take a WAITING trial up; the new attempt's id ("1-0-2": second attempt of trial 0 of study 1)."""
        with self.tx():
            self.write_one(
                "UPDATE trials SET state = 'RUNNING', attempts = attempts + 1 WHERE id = ? AND state = 'WAITING'",
                (trial_id,),
                f"trial {trial_id} is not waiting to be run; its state is {self._state(trial_id)}.",
            )
            number = self.trial(trial_id).attempts
            attempt_id = f"{trial_id}-{number}"
            self.write(
                "INSERT INTO attempts (id, trial_id, number, state, device, started_at)"
                " VALUES (?, ?, ?, 'RUNNING', ?, ?)",
                (attempt_id, trial_id, number, device, now()),
            )
        return attempt_id

    def record_started(self, started: Started) -> None:
        """Note the process that carries out an attempt."""
        update = "UPDATE attempts SET pid = ?, load_seconds = ?"
        self._of_running(update, (started.pid, started.load_seconds), started.attempt_id)

    def record_points(self, attempt_id: str, points: Sequence[CurvePoint]) -> None:
        """Add points to an attempt's learning curve; a step measured twice keeps all its values."""
        with self.tx():
            self._of_running("UPDATE attempts SET state = state", (), attempt_id)
            self._insert_points(attempt_id, points)

    def finish_attempt(self, finished: Finished) -> Trial:
        """Record a complete attempt. A score that is not finite makes it a failed one (NAN)."""
        if not math.isfinite(finished.validation.score):
            message = f"the validation {finished.validation.metric} is {finished.validation.score}"
            return self.fail_attempt(
                Failed(
                    attempt_id=finished.attempt_id, reason=FailureReason.NAN, message=message, seconds=finished.seconds
                )
            )
        adapter = None if finished.adapter_dir is None else str(finished.adapter_dir)
        result = finished.train.model_dump_json(exclude={"curve"}) if finished.train else None
        validation = finished.validation.model_dump_json(exclude={"items"})
        seconds = self._wall_seconds(finished.attempt_id, finished.seconds)
        change = "state = 'COMPLETE', score = ?, adapter_dir = ?, result = ?, validation = ?"
        values = (finished.validation.score, adapter, result, validation)
        with self.tx():
            trial = self._end(finished.attempt_id, "COMPLETE", seconds, change, values)
            self._insert_points(finished.attempt_id, finished.train.curve if finished.train else ())
        return trial

    def fail_attempt(self, failed: Failed, run_again: bool = False) -> Trial:
        """Record a failed attempt; the trial is FAILED, or WAITING if it is to be run again."""
        seconds = self._wall_seconds(failed.attempt_id, failed.seconds)
        why = (failed.reason, failed.message)
        if run_again:
            return self._end(failed.attempt_id, "FAILED", seconds, "state = 'WAITING'", (), why)
        change = "state = 'FAILED', reason = ?, error = ?"
        return self._end(failed.attempt_id, "FAILED", seconds, change, why, why)

    def prune_attempt(self, attempt_id: str, rung: Rung) -> Trial:
        """Record that an attempt was stopped at a rung for good: the trial is PRUNED and is not run again."""
        seconds, values = self._wall_seconds(attempt_id, 0.0), (rung.eval_loss, rung.model_dump_json())
        return self._end(attempt_id, "COMPLETE", seconds, "state = 'PRUNED', score = ?, rung = ?", values)

    def interrupt_attempts(self, study_id: str) -> list[Trial]:
        """Put every RUNNING trial of a study back to WAITING: its owner died, or was told to stop.

        The attempts are closed as INTERRUPTED (LOST), at the last sign of life of the study's owner.
        """
        running = [attempt for attempt in self.attempts(study_id) if attempt["state"] == "RUNNING"]
        beats = "SELECT max(at) AS at FROM ledger WHERE study_id = ? AND account = 'wall_seconds'"
        last_sign = self.query(beats, (study_id,))[0]["at"] or now()
        times = [elapsed_seconds(attempt["started_at"], last_sign) for attempt in running]
        why = (FailureReason.LOST, "the study was interrupted")
        with self.tx():
            return [
                self._end(row["id"], "INTERRUPTED", seconds, "state = 'WAITING'", (), why)
                for row, seconds in zip(running, times, strict=True)
            ]

    def interruptions(self, trial_id: str) -> int:
        """How often the trial's worker was lost while its study went on."""
        marks = ", ".join("?" for _ in INTERRUPTIONS)
        sql = f"SELECT count(*) AS n FROM attempts WHERE trial_id = ? AND state = 'FAILED' AND reason IN ({marks})"  # noqa: S608
        return int(self.query(sql, (trial_id, *INTERRUPTIONS))[0]["n"])

    def attempts(self, study_id: str) -> list[Row]:
        """The attempts of a study in the order they began: id, trial_id, state, reason, seconds, pid and so on."""
        return self.query(
            "SELECT attempts.* FROM attempts JOIN trials ON trials.id = trial_id"
            " WHERE study_id = ? ORDER BY attempts.started_at, attempts.id",
            (study_id,),
        )

    def forget_adapter(self, trial_id: str) -> None:
        """The trial's adapter was deleted."""
        self.write("UPDATE trials SET adapter_dir = NULL WHERE id = ?", (trial_id,))

    def curves(self, study_id: str) -> dict[str, tuple[CurvePoint, ...]]:
        """Trial id to the learning curve of its last attempt, for trials that have one."""
        rows = self.query(
            "SELECT trials.id AS trial_id, metrics.* FROM metrics"
            " JOIN trials ON metrics.attempt_id = trials.id || '-' || trials.attempts"
            " WHERE study_id = ? ORDER BY trials.number, step",
            (study_id,),
        )
        by_trial = groupby(rows, key=itemgetter("trial_id"))
        return {trial_id: tuple(map(_point, points)) for trial_id, points in by_trial}

    def curve(self, trial_id: str, after: int = -1) -> tuple[CurvePoint, ...]:
        """The learning curve of a trial's last attempt, from the step behind `after`."""
        rows = self.query(
            "SELECT metrics.* FROM metrics JOIN trials ON metrics.attempt_id = trials.id || '-' || trials.attempts"
            " WHERE trials.id = ? AND step > ? ORDER BY step",
            (trial_id, after),
        )
        return tuple(map(_point, rows))

    def results(self, study_id: str) -> dict[str, TrainResult]:
        """Trial id to what its run measured, for COMPLETE trials; the curve is in `curves`."""
        rows = self.query("SELECT id, result FROM trials WHERE study_id = ? AND result IS NOT NULL", (study_id,))
        return {row["id"]: TrainResult.model_validate_json(row["result"]) for row in rows}

    def _state(self, trial_id: str) -> str:
        rows = self.query("SELECT state FROM trials WHERE id = ?", (trial_id,))
        return str(rows[0]["state"]) if rows else "unknown"

    def _wall_seconds(self, attempt_id: str, reported: float) -> float:
        """Time from the start of the attempt until now; starting a worker and its messages take time as well."""
        rows = self.query("SELECT started_at FROM attempts WHERE id = ?", (attempt_id,))
        return max(reported, elapsed_seconds(rows[0]["started_at"], now())) if rows else reported

    def _of_running(self, update: str, values: tuple[Any, ...], attempt_id: str) -> None:
        refusal = f"attempt {attempt_id} is over; nothing more can be recorded for it."
        self.write_one(f"{update} WHERE id = ? AND state = 'RUNNING'", (*values, attempt_id), refusal)

    def _end(
        self,
        attempt_id: str,
        state: str,
        seconds: float,
        change: str,
        values: tuple[Any, ...],
        why: tuple[FailureReason | None, str | None] = (None, None),
    ) -> Trial:
        """Close a running attempt and change its trial, which must be running it; the trial."""
        trial_id, _, number = attempt_id.rpartition("-")
        update = "UPDATE attempts SET state = ?, seconds = ?, reason = ?, error = ?, finished_at = ?"
        with self.tx():
            self._of_running(update, (state, seconds, *why, now()), attempt_id)
            self.write_one(
                f"UPDATE trials SET {change} WHERE id = ? AND attempts = ? AND state = 'RUNNING'",  # noqa: S608
                (*values, trial_id, int(number)),
                f"attempt {attempt_id} is not the one that trial {trial_id} is running.",
            )
        return self.trial(trial_id)

    def _insert_points(self, attempt_id: str, points: Sequence[CurvePoint]) -> None:
        for p in points:
            self.write(
                "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (attempt_id, step) DO UPDATE SET"
                " loss = coalesce(excluded.loss, loss), eval_loss = coalesce(excluded.eval_loss, eval_loss),"
                " learning_rate = coalesce(excluded.learning_rate, learning_rate),"
                " grad_norm = coalesce(excluded.grad_norm, grad_norm)",
                (attempt_id, p.step, p.loss, p.eval_loss, p.learning_rate, p.grad_norm),
            )


def _point(row: Row) -> CurvePoint:
    return CurvePoint.model_validate({name: row[name] for name in CurvePoint.model_fields})


def _trial(row: Row) -> Trial:
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

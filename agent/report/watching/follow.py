"""Keeps an experiment tracker in step with a study, from its stored events; finds by itself where it had stopped."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from agent.errors import InputError
from agent.report.model import result_of
from agent.report.watching.tracker import Ending, Run, Tracker, facts_of, run_of
from agent.report.write import read_report
from agent.study.nouns import EventKind, Study, StudyEvent, StudyState, report_directory
from agent.study.store import Store
from trainers.spec import Closed

EVENTS_AT_ONCE = 500

STARTED = (EventKind.ATTEMPT_STARTED, EventKind.PROGRESS)
OVER = (EventKind.TRIAL_COMPLETE, EventKind.TRIAL_PRUNED, EventKind.TRIAL_FAILED)


class Cursor(Closed):
    """How far a tracker has been told; kept in the study's directory."""

    seq: int = 0
    steps: dict[str, int] = {}
    """Trial id to the last step told of its curve, for trials that are not over."""


class Follower:
    """Tells a tracker everything that has happened since its cursor.

    Curves come from the store, not from the events: those are thinned to one a second. While a trial trains, its latest
    step is held back, since more may be measured at it; so each step is told once, whole and in order. A trial that
    runs again after an interruption has the same seed, and goes on where its curve had been told.
    """

    def __init__(self, store: Store, study: Study, tracker: Tracker, cursor_file: Path) -> None:
        self._store, self._study, self._tracker, self._file = store, study, tracker, cursor_file
        self._facts = facts_of(study)
        self._open: dict[str, Run] = {}
        self._cursor = Cursor()
        if cursor_file.exists():
            self._cursor = Cursor.model_validate_json(cursor_file.read_text(encoding="utf-8"))

    def catch_up(self) -> None:
        """Tell what is new. What raises is told again by the next call."""
        while events := self._store.events(self._study.study_id, self._cursor.seq, limit=EVENTS_AT_ONCE):
            try:
                for event in events:
                    self._take(event)
                    self._cursor = self._cursor.model_copy(update={"seq": event.seq})
            finally:
                self._save()

    def close(self) -> None:
        """Send what waits, and let go of tracker and store."""
        self._tracker.close()
        self._store.close()

    def _take(self, event: StudyEvent) -> None:
        at = datetime.fromisoformat(event.at).timestamp()
        if event.kind in STARTED and event.trial_id and self._tracker.live:
            run = self._run(event.trial_id, at)
            if event.kind is EventKind.PROGRESS:
                self._tell_curve(event.trial_id, run, at, before=event.data["step"])
        elif event.kind in OVER and event.trial_id:
            self._end(event.trial_id, at)
        elif event.kind is EventKind.STUDY_ENDED and event.data.get("state") == StudyState.DONE:
            with suppress(InputError):  # somebody moved the report away: then the trials must do
                self._tracker.finish(result_of(read_report(report_directory(self._study))), at)

    def _run(self, trial_id: str, at: float) -> Run:
        if trial_id not in self._open:
            run = run_of(self._facts, self._store.trial(trial_id))
            self._tracker.begin(run, at)
            self._open[trial_id] = run
        return self._open[trial_id]

    def _tell_curve(self, trial_id: str, run: Run, at: float, before: int | None) -> None:
        curve = self._store.curve(trial_id, after=self._cursor.steps.get(trial_id, -1))
        points = [p for p in curve if before is None or p.step < before]
        if points:
            self._tracker.points(run, points, at)
            self._cursor = Cursor(seq=self._cursor.seq, steps={**self._cursor.steps, trial_id: points[-1].step})

    def _end(self, trial_id: str, at: float) -> None:
        run = self._run(trial_id, at)
        self._tell_curve(trial_id, run, at, before=None)
        trial = self._store.trial(trial_id)
        steps = dict(self._cursor.steps)
        ending = Ending(
            state=trial.state,
            score=trial.score,
            reason=trial.reason,
            seconds=trial.seconds,
            last_step=max(0, steps.pop(trial_id, 0)),
        )
        self._tracker.end(run, ending, at)
        self._open.pop(trial_id)
        self._cursor = Cursor(seq=self._cursor.seq, steps=steps)

    def _save(self) -> None:
        unfinished = self._file.with_suffix(f".{os.getpid()}")
        unfinished.write_text(self._cursor.model_dump_json(), encoding="utf-8")
        unfinished.replace(self._file)

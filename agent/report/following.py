"""The process that keeps the experiment trackers of a study in step with it.

Started as `python -P -m agent.report.following`. It has a process of its own because trackers' clients print, ask
questions, start threads and wait: here they can neither spoil the output of a study nor hold it up; each has a thread,
so that they cannot hold up one another. Its job comes as one line of JSON on standard input, whose end says that the
study's process is done or dead; what it has to say goes to standard output as one JSON object a line.
"""

import os
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

from agent.errors import InputError
from agent.report.trackers import Run, Tracker, error_line, study_run, trial_run
from agent.report.write import result_of_study
from agent.settings import TrackerName
from agent.study.lock import one_at_a_time
from agent.study.nouns import EventKind, Study, StudyEvent, StudyState
from agent.study.store import Store
from trainers.spec import Closed

POLL_SECONDS = 1.0
"""How late a tracker may be; PROGRESS events come once a second."""

MAX_FAILURES = 8
"""In a row; then the tracker is switched off for this run of the study. Nothing is lost by waiting: it catches up."""

MAX_PAUSE_SECONDS = 60.0
"""The wait after a failure is a second, doubled with each, at most so long: a server may restart in the meantime."""

FLUSH_SECONDS = 20.0
"""How long the end of a study waits for what is still to be sent."""

ORPHAN_SECONDS = 60.0
"""How long this process works on where the study's died and nobody ends it."""

EVENTS_AT_ONCE = 500

STARTED = (EventKind.ATTEMPT_STARTED, EventKind.PROGRESS)
OVER = (EventKind.TRIAL_COMPLETE, EventKind.TRIAL_PRUNED, EventKind.TRIAL_FAILED)


class FollowJob(Closed):
    """What the process is to do."""

    trackers: dict[TrackerName, bool | str]
    """With the place that each writes to."""

    database: Path
    study_id: str
    directory: Path
    """Where cursors and log lie, within the study's."""


class TrackerNews(Closed):
    """Something that failed, for people, without secrets; or the end of a tracker's work."""

    tracker: TrackerName
    message: str | None = None
    last: bool = False
    """The tracker is done, or switched off if there is a message."""


class Cursor(Closed):
    """How far a tracker has been told; kept in the study's directory."""

    seq: int = 0
    steps: dict[str, int] = {}
    """Trial id to the last step told of its curve, for trials that are not over."""

    ids: dict[str, str] = {}
    """A run's key to the id that the tracker gave it, where it gives ids."""


class Follower:
    """Tells a tracker everything that has happened since its cursor.

    Curves come from the store, not from the events: those are thinned to one a second. While a trial trains, its latest
    step is held back, since more may be measured at it; so each step is told once, whole and in order. A trial that
    runs again after an interruption has the same seed, and goes on where its curve had been told.
    """

    def __init__(self, store: Store, study: Study, tracker: Tracker, cursor_file: Path, cursor: Cursor) -> None:
        self._store, self._study, self._tracker = store, study, tracker
        self._file, self._cursor = cursor_file, cursor
        self._group = study_run(study)
        self._open: dict[str, Run] = {}

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
        if event.kind in STARTED and event.trial_id and self._tracker.live:
            run = self._run(event.trial_id)
            if event.kind is EventKind.PROGRESS:
                self._tell_curve(event.trial_id, run, before=event.data["step"])
        elif event.kind in OVER and event.trial_id:
            self._end(event.trial_id)
        elif event.kind is EventKind.STUDY_ENDED and event.data.get("state") == StudyState.DONE:
            result = result_of_study(self._study)
            if result is not None:  # else somebody moved the report away, and the trials must do
                self._tracker.finish(result)

    def _run(self, trial_id: str) -> Run:
        if trial_id not in self._open:
            run = trial_run(self._group, self._store.trial(trial_id))
            self._tracker.begin(run)
            self._open[trial_id] = run
        return self._open[trial_id]

    def _tell_curve(self, trial_id: str, run: Run, before: int | None) -> None:
        curve = self._store.curve(trial_id, after=self._cursor.steps.get(trial_id, -1))
        points = [p for p in curve if before is None or p.step < before]
        if points:
            self._tracker.points(run, points)
            self._move({**self._cursor.steps, trial_id: points[-1].step})

    def _end(self, trial_id: str) -> None:
        run = self._run(trial_id)
        self._tell_curve(trial_id, run, before=None)
        steps = dict(self._cursor.steps)
        self._tracker.end(run, self._store.trial(trial_id), max(0, steps.pop(trial_id, 0)))
        self._open.pop(trial_id)
        self._move(steps)

    def _move(self, steps: dict[str, int]) -> None:
        self._cursor = self._cursor.model_copy(update={"steps": steps})

    def _save(self) -> None:
        unfinished = self._file.with_suffix(f".{os.getpid()}")
        unfinished.write_text(self._cursor.model_dump_json(), encoding="utf-8")
        unfinished.replace(self._file)


def follower_of(job: FollowJob, name: TrackerName) -> Follower:
    """The follower for one tracker, from where its last one stopped. Raises InputError without its client."""
    file = job.directory / f"{name}.json"
    cursor = Cursor.model_validate_json(file.read_text(encoding="utf-8")) if file.exists() else Cursor()
    store = Store.open(job.database, read_only=True)
    study = store.study(job.study_id)
    tracker = Tracker(name, job.trackers[name], study, job.database.parent, cursor.ids)
    return Follower(store, study, tracker, file, cursor)


def main() -> None:
    """Follow the study until standard input ends, and a while longer where something is still to be sent."""
    out = _own_output()
    job = FollowJob.model_validate_json(sys.stdin.readline())
    with one_at_a_time(job.directory / "trackers.lock"):  # that of the study's last process may still be sending
        from accelerate import PartialState  # seconds: it loads torch

        PartialState(cpu=True)  # accelerate's trackers ask it who they are
        over = threading.Event()
        threads = [threading.Thread(target=_follow, args=(job, name, over, out), daemon=True) for name in job.trackers]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        over.set()
        until = time.monotonic() + ORPHAN_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))


def _follow(job: FollowJob, name: TrackerName, over: threading.Event, out: TextIO) -> None:
    """Keep one tracker in step until the study is over and all is told, or until it is switched off."""
    failures, follower = 0, None
    while True:
        last_look = over.is_set()
        try:
            follower = follower or follower_of(job, name)
            follower.catch_up()
            failures = 0
            if last_look:
                follower.close()
                return _tell(out, TrackerNews(tracker=name, last=True))
        except InputError as error:
            return _tell(out, TrackerNews(tracker=name, message=str(error), last=True))
        except Exception as error:  # a tracker's client may raise anything
            failures += 1
            last = last_look or failures == MAX_FAILURES
            _tell_failure(out, name, error_line(error), failures, last)
            if last:
                return None
        over.wait(min(2.0 ** (failures - 1), MAX_PAUSE_SECONDS) if failures else POLL_SECONDS)


def _own_output() -> TextIO:
    """Standard output for us alone; whatever clients print goes to the log, which is standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return out


def _tell_failure(out: TextIO, name: TrackerName, line: str, failures: int, last: bool) -> None:
    """Tell of the first of a row of failures and of the last; those between say nothing new."""
    print(name, line, file=sys.stderr, flush=True)
    if last:
        times = "once" if failures == 1 else f"{failures} times in a row"
        _tell(out, TrackerNews(tracker=name, message=f"failed {times} and is switched off: {line}", last=True))
    elif failures == 1:
        _tell(out, TrackerNews(tracker=name, message=f"failed, and is tried again: {line}"))


def _tell(out: TextIO, news: TrackerNews) -> None:
    out.write(f"{news.model_dump_json()}\n")


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)  # what clients left running (trackio's does) must not keep the process alive

"""The process that keeps one experiment tracker in step with one study.

Started as `python -P -m agent.report.watching.export_process`.

It has a process of its own because trackers' clients print, ask questions, start threads and wait: here they can
neither spoil the output of a study nor hold it up. Its job comes as one line of JSON on standard input, whose end says
that the study's process is done or dead; what it has to tell goes to standard output as one JSON object a line.
"""

import json
import os
import select
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from agent.errors import InputError
from agent.report.watching.follow import Follower
from agent.report.watching.in_thread import said
from agent.report.watching.tracker import facts_of, open_tracker
from agent.settings import TrackerName
from agent.study.lock import one_at_a_time
from agent.study.store import Store
from trainers.spec import Closed

if TYPE_CHECKING:
    from agent.report.watching.follow import Follower

POLL_SECONDS = 1.0
"""How late a tracker may be; PROGRESS events come once a second."""

MAX_FAILURES = 8
"""In a row; then the tracker is switched off for this run of the study. Nothing is lost by waiting: it catches up."""

MAX_PAUSE_SECONDS = 60.0
"""The wait after a failure is a second, doubled with each, at most so long: a server may restart in the meantime."""

FLUSH_SECONDS = 20.0
"""How long the end of a study waits for what is still to be sent."""


class ExportJob(Closed):
    """What one such process is to do."""

    tracker: TrackerName
    place: bool | str
    database: Path
    study_id: str
    directory: Path
    """Where its cursor and its log lie, within the study's."""


class Trouble(Closed):
    """Something that failed, for people; secrets are blotted out."""

    message: str
    last: bool = False
    """The tracker is switched off."""


def main() -> int:
    """Follow the study until standard input ends; 1 where the tracker had to be switched off."""
    out = _own_output()
    job = ExportJob.model_validate_json(sys.stdin.readline())
    with one_at_a_time(job.directory / f"{job.tracker}.lock"):  # that of the study's last process may still be sending
        return _follow(job, out)


def _follow(job: ExportJob, out: TextIO) -> int:
    failures, over = 0, False
    follower = None
    while True:
        try:
            follower = follower or _opened(job)
            follower.catch_up()
            failures = 0
            if over:
                follower.close()
                return 0
        except InputError as error:
            _tell(out, Trouble(message=str(error), last=True))
            return 1
        except Exception as error:  # a tracker's client may raise anything
            failures += 1
            last = over or failures == MAX_FAILURES
            _tell_failure(out, error, failures, last)
            if last:
                return 1
        over = _closed(min(2.0 ** (failures - 1), MAX_PAUSE_SECONDS) if failures else POLL_SECONDS)


def _opened(job: ExportJob) -> "Follower":

    store = Store.open(job.database, read_only=True)
    study = store.study(job.study_id)
    tracker = open_tracker(job.tracker, job.place, facts_of(study), job.database.parent)
    return Follower(store, study, tracker, job.directory / f"{job.tracker}.json")


def _own_output() -> TextIO:
    """Standard output for us alone; whatever clients print goes to the log, which is standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return out


def _closed(seconds: float) -> bool:
    """Wait for the end of standard input; once it has come, this process does not outlive its time either."""
    if not select.select([sys.stdin], [], [], seconds)[0]:
        return False
    watchdog = threading.Timer(FLUSH_SECONDS + 5.0, os._exit, (1,))
    watchdog.daemon = True
    watchdog.start()
    return True


def _tell_failure(out: TextIO, error: Exception, failures: int, last: bool) -> None:
    """The first of a row of failures and the last; those between say nothing new."""
    line = said(error)
    print(line, file=sys.stderr, flush=True)
    if last:
        times = "once" if failures == 1 else f"{failures} times in a row"
        _tell(out, Trouble(message=f"failed {times} and is switched off: {line}", last=True))
    elif failures == 1:
        _tell(out, Trouble(message=f"failed, and is tried again: {line}"))


def _tell(out: TextIO, trouble: Trouble) -> None:
    print(json.dumps(trouble.model_dump()), file=out)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # all is sent; what clients left running (trackio's does) must not keep the process alive

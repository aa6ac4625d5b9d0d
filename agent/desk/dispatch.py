"""The process that works off the queue, one study after another: `python -P -m agent.desk.dispatch HOME`.

Whoever queues a study starts it if it is not there (`ensure_dispatcher`), and it ends when the queue is empty. It lives
in a session of its own, so that neither a closed terminal nor a killed server ends a run; killed itself, the next one
resumes where it was.
"""

import os
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

from agent.errors import InputError, StoreConflict, TunewrightError
from agent.report.webhook import tell_ended
from agent.run.carry_out import work_on
from agent.settings import load_settings
from agent.study.desk_rows import Queued
from agent.study.lock import owner_pid, owning
from agent.study.nouns import Study, StudyState
from agent.study.rows import now
from agent.study.store import Store

MAX_STARTS = 3
"""A study whose process died this often without a word is FAILED instead of tried for ever."""


def queue_directory(home: Path) -> Path:
    """Holds the lock of the process that works off the queue, and its log."""
    return home / "queue"


def dispatcher_pid(home: Path) -> int | None:
    """The process that works off the queue of `home` now; None where there is none."""
    return owner_pid(queue_directory(home))


def is_worked_off(home: Path) -> bool:
    """Whether a process works off the queue of `home`, or is starting to."""
    return dispatcher_pid(home) is not None or _alive(queue_directory(home) / STARTING)


def ensure_dispatcher(home: Path) -> None:
    """Start the process that works off the queue, unless there is one or one is starting. Returns at once."""
    for child in [c for c in _children if c.poll() is not None]:
        _children.remove(child)  # reaped: a zombie would look alive
    directory = queue_directory(home)
    if is_worked_off(home):
        return
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "agent.desk.dispatch", str(home)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (directory / STARTING).write_text(str(child.pid))
    _children.append(child)


_children: list[subprocess.Popen[bytes]] = []

STARTING = "starting"
"""Holds the number of a process that was started and has not got the lock yet (one to three seconds). It removes the
file when it has: one that is just ending must not be taken for one that will look at the queue."""


START_SECONDS = 60.0
"""A process that has not got the lock after so long is not starting any more: its number may be another's by now."""


def _alive(path: Path) -> bool:
    try:
        os.kill(int(path.read_text()), 0)
        return time.time() - path.stat().st_mtime < START_SECONDS
    except (OSError, ValueError):
        return False


def work_off(home: Path) -> None:
    """Run queued studies until there are none; returns at once where another process does so already."""
    with Store.open(home / "tunewright.db") as store:
        while any(not entry.paused for entry in store.queue()):
            try:
                with owning(queue_directory(home)):
                    (queue_directory(home) / STARTING).unlink(missing_ok=True)
                    while (study_id := store.take_next()) is not None:
                        _work_on(study_id, store, home)
            except StoreConflict:
                if dispatcher_pid(home) is not None:
                    return  # somebody else does it; what was queued meanwhile, they see
                raise


def _work_on(study_id: str, store: Store, home: Path) -> None:
    """Carry one study out and take it off the queue, unless it was paused or queued again meanwhile."""
    study, entry = store.study(study_id), _entry(study_id, store)
    if entry is None:
        return  # cancelled just now
    if entry.starts > MAX_STARTS:
        store.interrupt_attempts(study_id)
        error = f"the process that ran it died {MAX_STARTS} times; see {queue_directory(home) / 'log'}"
        _fail(study_id, store, error)
    elif study.state is not StudyState.DONE:
        _tell(f"study {study_id}: start {entry.starts}")
        _carry_out(study, store, home)
        _tell(f"study {study_id}: {store.study(study_id).state}")
    after = _entry(study_id, store)
    done = store.study(study_id).state is StudyState.DONE
    if after is not None and (done or (not after.paused and after.starts > 0)):
        store.dequeue(study_id)


def _carry_out(study: Study, store: Store, home: Path) -> None:
    """One study to its end; whatever goes wrong in it is written down and does not stop the queue."""
    while (pid := owner_pid(study.directory)) is not None:
        _tell(f"study {study.study_id}: process {pid} runs it; waiting")
        time.sleep(1.0)
    try:
        if study.cwd is not None and study.cwd.is_dir():
            os.chdir(study.cwd)
        work_on(study.study_id, store, load_settings().model_copy(update={"home": home}))
    except Exception as error:  # also bugs: the next study must get its turn
        if not isinstance(error, TunewrightError):
            traceback.print_exc()
        if store.study(study.study_id).state is not StudyState.FAILED:  # it failed before it began
            _fail(study.study_id, store, str(error) or type(error).__name__)


def _fail(study_id: str, store: Store, error: str) -> None:
    """Write down that a study failed without a process that watched it, and tell the webhook."""
    store.set_state(study_id, StudyState.FAILED, error)
    with suppress(InputError):  # a config file with a mistake may be what it failed for
        tell_ended(load_settings().watching.webhook, store.study(study_id), store)


def _entry(study_id: str, store: Store) -> Queued | None:
    return next((e for e in store.queue() if e.study_id == study_id), None)


def _tell(line: str) -> None:
    print(f"{now()} {line}", flush=True)


def main(home: Path) -> None:
    """Work off the queue of `home`; SIGTERM stops the running study, which stays queued."""
    os.environ["TUNEWRIGHT_HOME"] = str(home)
    with suppress(KeyboardInterrupt):
        work_off(home)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

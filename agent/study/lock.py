"""Who runs a study: a kernel lock that dies with its holder, so that kill -9 leaves nothing to clean up."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import InputError, StoreConflict

LOCK_FILE = "lock"


@contextmanager
def owning(directory: Path) -> Iterator[None]:
    """Hold the study in `directory` for this process. Raises StoreConflict naming the process that has it already."""
    handle = _handle_of(directory / LOCK_FILE)
    try:
        if not _locked(handle):
            raise StoreConflict(
                f"study {directory.name} is being run by process {_written_pid(handle)}. "
                f"Follow it with `tunewright status {directory.name}`, or stop it with "
                f"`tunewright cancel {directory.name}`."
            )
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def owner_pid(directory: Path) -> int | None:
    """The process that runs the study in `directory` now; None where nobody does."""
    try:
        handle = os.open(directory / LOCK_FILE, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        for wait_seconds in (0.0, 0.01, 0.1):  # the holder writes its number a moment after it has the lock
            time.sleep(wait_seconds)
            if (pid := _written_pid(handle)).isdigit():
                return int(pid)
        return 0
    finally:
        os.close(handle)
    return None


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Wait for the lock on `path` and hold it."""
    handle = _handle_of(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _handle_of(path: Path) -> int:
    """A handle of the file, made with its directory. Raises InputError where that cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # not inherited by children
    except OSError as error:
        rule = f"{path.parent} must be writable: {error.strerror}."
        raise InputError("home", rule, "Set TUNEWRIGHT_HOME to a directory you may write.") from error


def _locked(handle: int) -> bool:
    """Try for half a second: `owner_pid` in another process holds the lock for a moment while it looks."""
    for wait_seconds in (0.0, 0.1, 0.4):
        time.sleep(wait_seconds)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def _written_pid(handle: int) -> str:
    return os.pread(handle, 32, 0).decode(errors="replace").strip() or "(unknown)"

"""How child processes end."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.child import await_end, kill_group

ASKED = """
import signal, sys, time
from pathlib import Path
def asked(*_):
    Path(sys.argv[1]).write_text("asked")
    sys.exit(3)
signal.signal(signal.SIGTERM, asked)
print("ready", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Callable[[float], subprocess.Popen[bytes]]]:
    """Starts a process that leaves a note when it is asked to end, and ends by itself after so many seconds."""
    started: list[subprocess.Popen[bytes]] = []

    def start(seconds: float) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", ASKED, str(tmp_path / "note"), str(seconds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_with_grace_a_child_can_tidy_up(child: Callable[[float], subprocess.Popen[bytes]], tmp_path: Path) -> None:
    """It is asked first, and ends with its own exit code."""
    process = child(600)
    kill_group(process, grace_seconds=30.0)
    assert process.returncode == 3
    assert (tmp_path / "note").read_text() == "asked"


def test_without_grace_a_child_is_not_asked(child: Callable[[float], subprocess.Popen[bytes]], tmp_path: Path) -> None:
    """What it would begin to write then would be cut off."""
    process = child(600)
    kill_group(process, grace_seconds=0.0)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "note").exists()


def test_a_child_that_ends_by_itself_is_awaited(child: Callable[[float], subprocess.Popen[bytes]]) -> None:
    """One that lingers is left to `kill_group`."""
    process = child(0.2)
    await_end(process, seconds=60.0)
    assert process.returncode == 0
    lingering, began = child(600), time.monotonic()
    await_end(lingering, seconds=0.1)
    assert lingering.poll() is None
    assert time.monotonic() - began < 30

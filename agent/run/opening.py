"""Running the one opening of the test split in a process of its own."""

import subprocess
from contextlib import suppress
from pathlib import Path

from agent.run.local import WAITING
from tools.child import await_end, kill_group, start_child
from tools.open_test import OpenedTest, OpenTestSpec
from trainers.errors import TunewrightError


class OpeningFailed(TunewrightError):
    """The process that opens the test split ended without a result."""

    code = "opening_failed"


def open_test_in_child(spec: OpenTestSpec, directory: Path, device: str) -> OpenedTest:
    """Score the models of `spec` on the sealed rows; log in `directory/logs/open_test.log`.

    Raises OpeningFailed with the last line of the log. The child dies with this process's pipe, not after it.
    """
    path = directory / "logs" / "open_test.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = {"CUDA_VISIBLE_DEVICES": "", **WAITING} if device == "cpu" else {}
    with path.open("ab") as log:
        process = start_child("tools.open_test", log, directory, hidden)
        try:
            out = _converse(process, spec.model_dump_json().encode() + b"\n")
            await_end(process)
        finally:
            kill_group(process, grace_seconds=0.0)
    if not out:
        words = path.read_text(errors="replace").strip().splitlines()
        raise OpeningFailed(f"scoring the test split failed: {words[-1] if words else 'no output'} (full log: {path})")
    return OpenedTest.model_validate_json(out)


def _converse(process: subprocess.Popen[bytes], line: bytes) -> bytes:
    """Send one line and read until the child closes its output; its input stays open as a sign that we live."""
    if process.stdin is None or process.stdout is None:
        raise OpeningFailed("the child has no pipes")
    with suppress(BrokenPipeError):
        process.stdin.write(line)
        process.stdin.flush()
    return process.stdout.read()

"""Child processes: started from the installed packages, in a group of their own, with nothing secret in reach."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

PASSED_ON = (
    "PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH",
    "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "OMP_NUM_THREADS",
    "MKL_NUM_THREADS", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "COVERAGE_FILE",
)  # fmt: skip
"""Environment variables a child may see: an allowlist, so that no key or token gets through."""

PREFIXES = ("LC_", "NVIDIA_", "PYTORCH_")


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: the allowlisted part of ours, no hub access, and `extra` on top."""
    ours = {k: v for k, v in os.environ.items() if k in PASSED_ON or k.startswith(PREFIXES)}
    offline = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONWARNINGS": "ignore::FutureWarning"}  # libraries to each other
    return {**ours, **offline, **quiet, **extra}


def start_child(
    module: str, log: IO[bytes], cwd: Path, extra: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """`python -P -m module` with pipes for standard input and output and `log` for standard error.

    `-P` keeps a `tools/` folder of the current directory from being imported in place of ours.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd=cwd,
        env=child_environment(extra or {}),
        start_new_session=True,
    )


def await_end(process: subprocess.Popen[bytes], seconds: float = 5.0) -> None:
    """Wait for a child that has said everything and ends by itself; one that lingers is left for `kill_group`."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def kill_group(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """Ask the child's process group to end, kill what is left after `grace_seconds`, and reap the child.

    Without grace it is killed unasked: nothing that it would do on being asked could be done.
    """
    polite = [(signal.SIGTERM, grace_seconds)] if grace_seconds > 0.0 else []
    for sign, patience in (*polite, (signal.SIGKILL, 10.0)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    with suppress(ProcessLookupError):  # the leader may be gone while a grandchild lives
        os.killpg(process.pid, signal.SIGKILL)

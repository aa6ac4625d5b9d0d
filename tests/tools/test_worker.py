"""The worker process: how failures are classed, and that it ends with its parent."""

import errno
import subprocess
import sys

import pytest

from tools.worker import classify
from trainers.errors import AttemptFailed, InputError
from trainers.spec import FailureReason


class OutOfMemoryError(RuntimeError):
    """Has the name of torch.cuda's class."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(AttemptFailed(FailureReason.NAN, "loss is NaN"), FailureReason.NAN, id="own"),
        pytest.param(InputError("data", "must", "do"), FailureReason.DATA, id="input"),
        pytest.param(MemoryError(), FailureReason.OOM_HOST, id="memory"),
        pytest.param(RuntimeError("DefaultCPUAllocator: can't allocate"), FailureReason.OOM_HOST, id="cpu-allocator"),
        pytest.param(OutOfMemoryError("CUDA out of memory"), FailureReason.OOM_GPU, id="cuda-oom"),
        pytest.param(RuntimeError("CUDA error: an illegal access"), FailureReason.GPU_LOST, id="cuda-error"),
        pytest.param(OSError(errno.ENOSPC, "No space left"), FailureReason.DISK, id="disk"),
        pytest.param(
            RuntimeError("I/O error: No space left on device (os error 28)"),
            FailureReason.DISK,
            id="disk of safetensors",
        ),
        pytest.param(KeyError("x"), FailureReason.USER_CODE, id="anything-else"),
    ],
)
def test_every_exception_has_a_class(error: Exception, reason: FailureReason) -> None:
    """A failure reason is what proposers and people see of an exception."""
    assert classify(error)[0] is reason


def test_messages_are_bounded() -> None:
    """A message of a megabyte does not reach the store."""
    assert len(classify(ValueError("x" * 10**6))[1]) == 500


def test_worker_ends_when_its_input_ends() -> None:
    """A worker whose coordinator was killed does not stay."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tools.worker"], stdin=subprocess.DEVNULL, timeout=60, capture_output=True
    )
    assert done.returncode == 1

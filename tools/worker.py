"""The process that carries out attempts: `python -P -m tools.worker`.

Reads one `AttemptSpec` a line on standard input, writes one `Event` a line on what was standard output when it
started (whatever libraries print goes to standard error). The base model stays in memory between attempts. It never
sees the database, a key or a test row. It ends when standard input ends, also in the middle of an attempt, so that
no worker outlives a killed coordinator. After a failure that may have left damage it ends by itself; the executor
starts a fresh one.
"""

import errno
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from evals.judge import evaluate
from tools.attempt import AttemptSpec, Event, Failed, Finished, Progress, Started
from trainers.errors import AttemptFailed, InputError
from trainers.spec import CurvePoint, FailureReason

if TYPE_CHECKING:
    from trainers.base import Resident

Emit = Callable[[Event], None]

HARMLESS = (FailureReason.NAN, FailureReason.DATA)
"""Failures after which the process can be trusted to go on."""


def main() -> None:
    """Serve attempts until standard input ends."""
    events = take_over_stdout()
    specs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_lines, args=(specs,), daemon=True).start()
    from trainers.base import Resident

    resident = Resident()
    while True:
        spec = AttemptSpec.model_validate_json(specs.get())
        outcome = carry_out(spec, resident, lambda event: _emit(events, event))
        _emit(events, outcome)
        if isinstance(outcome, Failed) and outcome.reason not in HARMLESS:
            os._exit(0)


def carry_out(spec: AttemptSpec, resident: "Resident", emit: Emit) -> Finished | Failed:
    """Train and evaluate one configuration; every exception becomes a `Failed` with its class."""
    started = time.monotonic()
    try:
        return _attempt(spec, resident, emit, started)
    except Exception as error:  # the boundary of the process: everything is classified and reported
        traceback.print_exc()
        reason, message = classify(error)
        return Failed(attempt_id=spec.attempt_id, reason=reason, message=message, seconds=time.monotonic() - started)
    finally:
        resident.reset()


def _attempt(spec: AttemptSpec, resident: "Resident", emit: Emit, started: float) -> Finished:
    from trainers.fit import fit

    load_seconds = resident.load(spec.train).load_seconds
    emit(Started(attempt_id=spec.attempt_id, pid=os.getpid(), load_seconds=load_seconds))

    def on_point(point: CurvePoint, total_steps: int) -> None:
        emit(Progress(attempt_id=spec.attempt_id, total_steps=total_steps, point=point))

    trained = fit(spec.train, resident, on_point)
    validation = evaluate(trained.model, trained.tokenizer, spec.evaluate, trained.reference)
    digest = trained.save(spec.train.output_dir) if spec.keep_adapter else None
    return Finished(
        attempt_id=spec.attempt_id,
        train=trained.result,
        validation=validation,
        adapter_dir=spec.train.output_dir if spec.keep_adapter else None,
        adapter_sha256=digest,
        seconds=time.monotonic() - started,
    )


def classify(error: Exception) -> tuple[FailureReason, str]:
    """The failure reason an exception stands for, and a message of at most 500 characters for people."""
    text = f"{type(error).__name__}: {error}"[:500]
    if isinstance(error, AttemptFailed):
        return error.reason, str(error)[:500]
    if isinstance(error, InputError):
        return FailureReason.DATA, str(error)[:500]
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in text:
        return FailureReason.OOM_HOST, text
    if type(error).__name__ == "OutOfMemoryError":  # torch.cuda's, named so that torch need not be imported
        return FailureReason.OOM_GPU, text
    if "CUDA error" in text or "NCCL" in text:
        return FailureReason.GPU_LOST, text
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FailureReason.DISK, f"no space left for the trial's files ({error.filename or 'disk'})"
    if "No space left on device" in text:  # safetensors raises an error of its own
        return FailureReason.DISK, "no space left for the trial's files"
    return FailureReason.USER_CODE, text


def take_over_stdout() -> TextIO:
    """A stream on the original standard output; prints of any library go to standard error from now on."""
    events = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return events


def _emit(events: TextIO, event: Event) -> None:
    events.write(event.model_dump_json() + "\n")


def _read_lines(specs: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        specs.put(line)
    end_now()


def end_now() -> None:
    """End this process and its children at once: whoever started it is gone."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main()

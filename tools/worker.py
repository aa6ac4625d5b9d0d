"""The process that carries out attempts: `python -P -m tools.worker`.

Reads one `AttemptSpec` a line on standard input, writes one `Event` a line on what was standard output when it
started (whatever libraries print goes to standard error). The base model stays in memory between attempts. It never
sees the database, a key or a test row. It ends when standard input ends, also in the middle of an attempt, so that
no worker outlives a killed coordinator. After a failure that may have left damage it ends by itself; the executor
starts a fresh one.
"""

import errno
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TextIO

from evals.judge import evaluate
from tools.attempt import AttemptSpec, Event, Failed, Finished, Progress, Started, TrainAttempt
from trainers.errors import AttemptFailed, InputError
from trainers.spec import CurvePoint, FailureReason

Emit = Callable[[Event], None]

HARMLESS = (FailureReason.NAN, FailureReason.DATA)
"""Failures after which the process can be trusted to go on."""


class Carrier(Protocol):
    """Carries out attempts of one kind, one after another in one process."""

    def run(self, spec: Any, emit: Emit) -> Finished:
        """The attempt from its `Started` event to its end. Whatever it raises becomes a `Failed`."""
        ...

    def reset(self) -> None:
        """Leave nothing of an attempt to the next one; called after each."""
        ...


class Training:
    """Carries out `TrainAttempt`s on a base model that stays in memory."""

    def __init__(self) -> None:
        from trainers.base import Resident  # torch

        self._resident = Resident()

    def run(self, spec: TrainAttempt, emit: Emit) -> Finished:
        """Train, score on the validation rows, and save the adapter if it is to be kept."""
        from trainers.fit import fit  # torch, transformers

        started = time.monotonic()
        load_seconds = self._resident.load(spec.train).load_seconds
        emit(Started(attempt_id=spec.attempt_id, pid=os.getpid(), load_seconds=load_seconds))

        def on_point(point: CurvePoint, total_steps: int) -> None:
            emit(Progress(attempt_id=spec.attempt_id, total_steps=total_steps, point=point))

        trained = fit(spec.train, self._resident, on_point)
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

    def reset(self) -> None:
        """Give the base model back as it was loaded."""
        self._resident.reset()


Kind = tuple[type[AttemptSpec], Callable[[], Carrier]]
KINDS: dict[str, Kind] = {"train": (TrainAttempt, Training)}
"""Each kind of attempt: the model of its spec, and what makes its carrier when the first one comes."""


def serve(kinds: Mapping[str, Kind] = KINDS) -> None:
    """Serve attempts of these kinds until standard input ends."""
    events = take_over_stdout()
    specs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_lines, args=(specs,), daemon=True).start()
    carriers: dict[str, Carrier] = {}

    def emit(event: Event) -> None:
        events.write(event.model_dump_json() + "\n")

    while True:
        line = specs.get()
        model, make = kinds[json.loads(line)["kind"]]
        spec = model.model_validate_json(line)
        carrier = carriers[spec.kind] = carriers.get(spec.kind) or make()
        outcome = carry_out(spec, carrier, emit)
        emit(outcome)
        if isinstance(outcome, Failed) and outcome.reason not in HARMLESS:
            os._exit(0)


def carry_out(spec: AttemptSpec, carrier: Carrier, emit: Emit) -> Finished | Failed:
    """Run one attempt; every exception becomes a `Failed` with its class."""
    started = time.monotonic()
    try:
        return carrier.run(spec, emit)
    except Exception as error:  # the boundary of the process: everything is classified and reported
        traceback.print_exc()
        reason, message = classify(error)
        return Failed(attempt_id=spec.attempt_id, reason=reason, message=message, seconds=time.monotonic() - started)
    finally:
        carrier.reset()


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
    serve()

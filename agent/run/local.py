"""What runs in processes of its own on this machine: attempts, one worker per GPU or per slot on a CPU, and the one
opening of the test split."""

import os
import queue
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from agent.run.executor import Slot
from tools.attempt import EVENT, AttemptSpec, Event, Failed, Finished
from tools.child import await_end, kill_group, start_child
from tools.open_test import OpenedTest, OpenTestSpec
from tools.worker import HARMLESS
from trainers.errors import TunewrightError
from trainers.spec import Closed, FailureReason

HANG_SECONDS = 1800.0
"""A worker that reports nothing for this long is taken for hung. Evaluations report nothing while they run."""


@dataclass
class _Worker:
    """One slot's process (if any) and the attempt it is busy with (if any)."""

    slot: Slot
    log: IO[bytes]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    reader: threading.Thread | None = None
    busy: AttemptSpec | None = None
    started: float = 0.0
    last_event: float = 0.0
    log_offset: int = 0


class LocalExecutor:
    """Implements `agent.run.executor.Executor` with one resident worker process per slot.

    `slots` are run side by side; CPU slots share the cores evenly. Logs go to `directory/logs`.
    """

    def __init__(
        self, slots: list[Slot], directory: Path, hang_seconds: float = HANG_SECONDS, module: str = "tools.worker"
    ) -> None:
        """`module` is what each worker runs; it must speak the protocol of `tools/attempt.py`."""
        self._directory, self._module = directory, module
        self._hang_seconds = hang_seconds
        self._events: queue.Queue[Event] = queue.Queue()
        (directory / "logs").mkdir(parents=True, exist_ok=True)
        (directory / "scratch").mkdir(exist_ok=True)
        threads = max(1, (os.cpu_count() or 1) // len(slots))
        self._workers = [_Worker(slot, self._open_log(slot), _slot_environment(slot, threads)) for slot in slots]

    def capacity(self) -> list[Slot]:
        """All slots, busy or not."""
        return [worker.slot for worker in self._workers]

    def submit(self, spec: AttemptSpec) -> None:
        """Give the attempt to a free slot. Raises RuntimeError where none is free or the id is running already."""
        if any(w.busy and w.busy.attempt_id == spec.attempt_id for w in self._workers):
            raise RuntimeError(f"attempt {spec.attempt_id} is running already")
        worker = next((w for w in self._workers if w.busy is None), None)
        if worker is None:
            raise RuntimeError(f"no free slot for attempt {spec.attempt_id}; {len(self._workers)} are busy")
        worker.busy, worker.started = spec, time.monotonic()
        worker.last_event = worker.started
        worker.log_offset = worker.log.seek(0, os.SEEK_END)
        try:
            self._send(worker, spec)
        except OSError:  # it died between two attempts: one fresh process, then give up through `poll`
            worker.process = None
            self._send(worker, spec)

    def poll(self, timeout_seconds: float) -> list[Event]:
        """Events so far; waits up to `timeout_seconds` for the first. Deaths, time-outs and hangs become `Failed`."""
        end = time.monotonic() + timeout_seconds
        events: list[Event] = []
        while not events:
            with suppress(queue.Empty):
                events.append(self._events.get(timeout=max(0.0, min(0.2, end - time.monotonic()))))
                while True:
                    events.append(self._events.get_nowait())
            events = [event for event in events if self._note(event)]
            events.extend(failure for w in self._workers if (failure := self._check(w)) is not None)
            if time.monotonic() >= end:
                break
        return events

    def cancel(self, attempt_id: str, grace_seconds: float = 5.0) -> None:
        """Kill the worker that runs the attempt; its `Failed(PREEMPTED)` comes with the next poll."""
        for worker in self._workers:
            if worker.busy and worker.busy.attempt_id == attempt_id:
                if worker.process is not None:
                    kill_group(worker.process, grace_seconds)
                self._events.put(self._failed(worker, FailureReason.PREEMPTED, "stopped on request"))

    def close(self) -> None:
        """End every worker, kill those that do not end at once, close the logs."""
        for worker in self._workers:
            if worker.process is not None:
                kill_group(worker.process, grace_seconds=0.0 if worker.busy else 1.0)
            worker.process, worker.busy = None, None
            worker.log.close()

    def _open_log(self, slot: Slot) -> IO[bytes]:
        return (self._directory / "logs" / f"worker-{slot.name}.log").open("ab+")

    def _send(self, worker: _Worker, spec: AttemptSpec) -> None:
        if worker.process is None or worker.process.poll() is not None:
            worker.process = start_child(self._module, worker.log, self._directory / "scratch", worker.environment)
            worker.reader = threading.Thread(target=self._read, args=(worker.process,), daemon=True)
            worker.reader.start()
        _write(worker.process, spec)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        for line in process.stdout or ():
            try:
                self._events.put(EVENT.validate_json(line))
            except ValidationError:
                continue  # a torn last line of a killed worker; the death itself is noticed by poll

    def _note(self, event: Event) -> bool:
        """Book an event; False for one of an attempt that is over already (a late line of a killed worker)."""
        worker = next((w for w in self._workers if w.busy and w.busy.attempt_id == event.attempt_id), None)
        if worker is None:
            return isinstance(event, Failed) and event.reason in _OURS
        worker.last_event = time.monotonic()
        if isinstance(event, (Finished, Failed)):
            worker.busy = None
        if isinstance(event, Failed) and event.reason not in HARMLESS and worker.process is not None:
            await_end(worker.process, seconds=1.0)  # it ends itself; the next attempt must not meet it dying
            kill_group(worker.process, grace_seconds=0.0)
            worker.process = None
        return True

    def _check(self, worker: _Worker) -> Failed | None:
        """A `Failed` where a busy worker is dead, over its time, or hung."""
        spec, process, now = worker.busy, worker.process, time.monotonic()
        if spec is None or process is None:
            return None
        if process.poll() is not None:
            if worker.reader is not None:
                worker.reader.join(2.0)  # its last words may still be in the pipe
            if not self._events.empty():
                return None
            return self._failed(worker, FailureReason.LOST, f"the worker {_death(process)}{self._last_words(worker)}")
        if spec.timeout_seconds is not None and now - worker.started > spec.timeout_seconds:
            kill_group(process, grace_seconds=0.0)
            return self._failed(worker, FailureReason.TIMEOUT, f"ran over its limit of {spec.timeout_seconds:.0f} s")
        if now - worker.last_event > self._hang_seconds:
            kill_group(process, grace_seconds=0.0)
            return self._failed(worker, FailureReason.HANG, f"no progress for {self._hang_seconds:.0f} s")
        return None

    def _failed(self, worker: _Worker, reason: FailureReason, message: str) -> Failed:
        spec, worker.busy, worker.process = worker.busy, None, None
        if spec is None:
            raise RuntimeError("a failure of an idle worker")
        return Failed(
            attempt_id=spec.attempt_id, reason=reason, message=message, seconds=time.monotonic() - worker.started
        )

    def _last_words(self, worker: _Worker) -> str:
        if worker.process is not None and worker.process.returncode == -signal.SIGKILL:
            return ""  # it had no time for a word: the log's last line is about something else
        text = Path(worker.log.name).read_bytes()[worker.log_offset :].decode(errors="replace").strip()
        last = text.splitlines()[-1][:300] if text else "it printed nothing"
        return f"; last line of {Path(worker.log.name).name}: {last}"


WAITING = {"GOMP_SPINCOUNT": "10000"}
"""How long GNU OpenMP's threads spin while they wait for each other before they sleep. Its default spins so long that a
training step on two cores became 3 to 25 times slower as soon as another program wanted a core; not spinning at all
made it up to twice as slow on an idle machine. MiniLM, batch 32, bf16, 22 steps in s, idle | one core taken:
default 7.7 | 28.4, 10000 8.4 | 19.6, none (`OMP_WAIT_POLICY=passive`) 14 | 13.7, one thread 9.4 | 8.8."""

_OURS = (FailureReason.PREEMPTED,)
"""Reasons this class reports itself through the queue, after the worker has been let go."""


def local_slots(device: str, parallel_trials: int) -> list[Slot]:
    """One slot per GPU (at most `parallel_trials`), or `parallel_trials` slots on the CPU."""
    if device == "cuda":
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else [str(i) for i in range(_count_gpus())]
        return [Slot(name=f"gpu{n}", device="cuda") for n in names[:parallel_trials]]
    return [Slot(name=f"cpu{i}", device="cpu") for i in range(parallel_trials)]


def _count_gpus() -> int:
    gpus = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)  # noqa: S607 - from PATH on purpose
    return max(1, gpus.stdout.count("GPU "))


def _slot_environment(slot: Slot, threads: int) -> dict[str, str]:
    if slot.device == "cuda":
        return {"CUDA_VISIBLE_DEVICES": slot.name.removeprefix("gpu")}
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)), **WAITING, "CUDA_VISIBLE_DEVICES": ""}


def _death(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    if code == -9:
        return "was killed by signal 9, most often the kernel short of memory"
    return f"died of signal {-code}" if code < 0 else f"ended with exit code {code}"


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
            with suppress(BrokenPipeError):
                _write(process, spec)  # its input stays open as a sign that we live
            out = process.stdout.read() if process.stdout else b""
            await_end(process)
        finally:
            kill_group(process, grace_seconds=0.0)
    if not out:
        words = path.read_text(errors="replace").strip().splitlines()
        raise OpeningFailed(f"scoring the test split failed: {words[-1] if words else 'no output'} (full log: {path})")
    return OpenedTest.model_validate_json(out)


def _write(process: subprocess.Popen[bytes], spec: Closed) -> None:
    """Send `spec` as one line."""
    assert process.stdin is not None  # a pipe, as `start_child` makes it
    process.stdin.write(spec.model_dump_json().encode() + b"\n")
    process.stdin.flush()

"""An executor without processes or training: scores come from a function. For trying out and testing studies."""

import hashlib
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.run.executor import Slot
from evals.spec import EvalResult, Item
from tools.attempt import AttemptSpec, Event, Failed, Finished, Progress, Started, TrainAttempt
from trainers.spec import Config, CurvePoint, FailureReason, TrainResult

N_POINTS = 3
"""Learning-curve points per attempt."""

Failure = tuple[FailureReason, str]


class ScriptedExecutor:
    """Implements `agent.run.executor.Executor` in memory.

    `objective(config, seed)` gives the score; one that is not finite fails the attempt with NAN, as training would.
    `failure(spec)` may give a reason and message to fail with instead, `seconds(spec)` how long the attempt takes
    (default 0), `curve(spec)` its learning curve, whose last point ends the run (default: three points). A kept
    adapter is a directory with one small JSON file.
    """

    def __init__(
        self,
        objective: Callable[[Config, int], float],
        slots: int = 1,
        failure: Callable[[TrainAttempt], Failure | None] = lambda spec: None,
        seconds: Callable[[TrainAttempt], float] = lambda spec: 0.0,
        curve: Callable[[TrainAttempt], Sequence[CurvePoint]] | None = None,
    ) -> None:
        self._objective, self._failure, self._seconds = objective, failure, seconds
        self._curve = curve or (lambda spec: [_point(step) for step in range(1, N_POINTS + 1)])
        self._slots = [Slot(name=f"scripted-{i}", device="cpu") for i in range(slots)]
        self._running: dict[str, tuple[TrainAttempt, float]] = {}
        self._ready: list[Event] = []

    def capacity(self) -> list[Slot]:
        """All slots."""
        return self._slots

    def submit(self, spec: AttemptSpec) -> None:
        """Begin an attempt to train. Raises RuntimeError for an id that is running, or without a free slot."""
        if not isinstance(spec, TrainAttempt):
            raise TypeError(f"only attempts to train are scripted, got {spec.kind}")
        if spec.attempt_id in self._running or len(self._running) == len(self._slots):
            raise RuntimeError(f"attempt {spec.attempt_id} cannot be submitted now")
        self._running[spec.attempt_id] = (spec, time.monotonic())
        self._ready.append(Started(attempt_id=spec.attempt_id, pid=os.getpid(), load_seconds=0.0))
        curve = self._curve(spec)
        self._ready += [Progress(attempt_id=spec.attempt_id, total_steps=curve[-1].step, point=p) for p in curve]

    def poll(self, timeout_seconds: float) -> list[Event]:
        """Events so far; sleeps until the next attempt ends, at most `timeout_seconds`."""
        if not self._ready and self._running:
            next_end = min(began + self._planned(spec) for spec, began in self._running.values())
            time.sleep(min(max(0.0, next_end - time.monotonic()), timeout_seconds))
        events, self._ready = self._ready, []
        for spec, began in list(self._running.values()):
            if time.monotonic() - began >= self._planned(spec):
                del self._running[spec.attempt_id]
                events.append(self._end(spec))
        return events

    def cancel(self, attempt_id: str, grace_seconds: float = 5.0) -> None:
        """Stop an attempt; its `Failed(PREEMPTED)` comes with the next poll."""
        if self._running.pop(attempt_id, None) is not None:
            self._ready.append(
                Failed(attempt_id=attempt_id, reason=FailureReason.PREEMPTED, message="stopped on request")
            )

    def close(self) -> None:
        """Forget everything."""
        self._running.clear()
        self._ready.clear()

    def _planned(self, spec: TrainAttempt) -> float:
        return min(self._seconds(spec), spec.timeout_seconds or math.inf)

    def _end(self, spec: TrainAttempt) -> Event:
        seconds = self._planned(spec)
        if seconds < self._seconds(spec):
            reason, message = FailureReason.TIMEOUT, f"stopped after {seconds:.3g} s"
            return Failed(attempt_id=spec.attempt_id, reason=reason, message=message, seconds=seconds)
        if failure := self._failure(spec):
            return Failed(attempt_id=spec.attempt_id, reason=failure[0], message=failure[1], seconds=seconds)
        score = self._objective(spec.train.config, spec.train.seed)
        if not math.isfinite(score):
            message = f"the score is {score}"
            return Failed(attempt_id=spec.attempt_id, reason=FailureReason.NAN, message=message, seconds=seconds)
        return _finished(spec, score, seconds, tuple(self._curve(spec)))


def scripted_result(spec: TrainAttempt, score: float) -> EvalResult:
    """A validation result of one row that has `score`."""
    item = Item(reference="yes", prediction="yes", value=score)
    return EvalResult(metric=spec.evaluate.metric, score=score, items=(item,), seconds=0.0)


def _finished(spec: TrainAttempt, score: float, seconds: float, curve: tuple[CurvePoint, ...]) -> Finished:
    adapter, sha256 = (None, None) if not spec.keep_adapter else _write_adapter(spec, score)
    train = TrainResult(
        steps=curve[-1].step,
        epochs=1.0,
        train_loss=next((p.loss for p in reversed(curve) if p.loss is not None), 0.0),
        eval_loss=next((p.eval_loss for p in reversed(curve) if p.eval_loss is not None), None),
        train_seconds=seconds,
        tokens_per_second=0.0,
        peak_memory_mb=0.0,
        trainable_parameters=int(spec.train.config.get("lora_rank", 1)),
        micro_batch=1,
        gradient_accumulation=1,
        curve=curve,
        n_train_rows=0,
    )
    return Finished(
        attempt_id=spec.attempt_id,
        train=train,
        validation=scripted_result(spec, score),
        adapter_dir=adapter,
        adapter_sha256=sha256,
        seconds=seconds,
    )


def _write_adapter(spec: TrainAttempt, score: float) -> tuple[Path, str]:
    text = spec.train.model_dump_json(include={"config", "seed"})
    spec.train.output_dir.mkdir(parents=True, exist_ok=True)
    (spec.train.output_dir / "scripted.json").write_text(text, encoding="utf-8")
    return spec.train.output_dir, hashlib.sha256(text.encode()).hexdigest()


def _point(step: int) -> CurvePoint:
    return CurvePoint(step=step, loss=1.0 / step, learning_rate=1e-3)

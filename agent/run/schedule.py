"""Carrying trials out: from a waiting trial to a recorded result, over whatever executor there is."""

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from agent.errors import StudyFailed
from agent.run.executor import Executor
from agent.run.rungs import EVALUATE_AT, at_rung, early_stopping, judge, rung_at
from agent.study.nouns import EventKind, Phase, Rung, Study, StudyEvent, Trial, TrialState
from agent.study.store import Store
from agent.study.trials import INTERRUPTIONS
from evals.spec import EvalSpec
from tools.attempt import Event, Failed, Finished, Progress, Started, TrainAttempt
from trainers.spec import CurvePoint, FailureReason, TrainSpec

Emit = Callable[..., StudyEvent]
"""`emit(kind, trial_id=None, **data)`: stores an event and shows it to the observer."""

MAX_RERUNS = 2
"""Times an interrupted trial is run again before it counts as FAILED."""

POLL_SECONDS = 0.5
"""How long one step waits for events; bounds how late a cancel request is seen."""

PROGRESS_SECONDS = 1.0
"""A running attempt's progress is stored at most this often: one event, and all points of its curve until then."""

CHEAP_RESTART_SECONDS = 1.0
"""Stopping a trial ends its worker; starting one anew counts as free up to this."""


@dataclass
class Running:
    """An attempt under way; times are those of `time.monotonic`."""

    attempt_id: str
    trial_id: str
    scratch: Path
    keep_adapter: bool
    began: float = field(default_factory=time.monotonic)
    training_since: float | None = None
    last_progress: float = -math.inf
    points: list[CurvePoint] = field(default_factory=list)
    """Of its learning curve, not stored yet."""


class Scheduler:
    """Runs up to `slots` attempts at once and records what becomes of them."""

    def __init__(self, store: Store, executor: Executor, study: Study, emit: Emit) -> None:
        self._store, self._executor, self._study, self._emit = store, executor, study, emit
        self.slots = min(study.spec.budget.parallel_trials, len(executor.capacity()))
        self._running: dict[str, Running] = {}
        space = study.plan.space
        self.early_stopping = space is not None and early_stopping(study.spec, space)
        self._restart_seconds = 0.0

    @property
    def free(self) -> int:
        """Slots without an attempt."""
        return self.slots - len(self._running)

    @property
    def idle(self) -> bool:
        """Whether nothing is running."""
        return not self._running

    def start(self, trial: Trial, keep_adapter: bool, timeout_seconds: float | None) -> None:
        """Begin an attempt at a waiting trial; it fails with TIMEOUT after `timeout_seconds`."""
        attempt_id = self._store.start_attempt(trial.trial_id, self._study.plan.device)
        evaluate_at = EVALUATE_AT if self.early_stopping else ()
        spec = attempt_spec(self._study, trial, attempt_id, keep_adapter, timeout_seconds, evaluate_at)
        shutil.rmtree(spec.train.output_dir, ignore_errors=True)
        self._running[attempt_id] = Running(attempt_id, trial.trial_id, spec.train.output_dir, keep_adapter)
        self._executor.submit(spec)

    def step(self) -> list[Trial]:
        """Wait a little for events, record them, and return the trials that came to an end.

        Raises StudyFailed where the disk is full: the next trial would fail as well, and none is to blame.
        """
        ended = []
        for event in self._executor.poll(POLL_SECONDS):
            running = self._running.get(event.attempt_id)
            if running is None:
                continue  # left over from an attempt that was given up
            trial = self._record(event, running)
            if trial is not None and trial.state is not TrialState.WAITING:
                ended.append(trial)
        return ended

    def stop(self) -> None:
        """Cancel what is running; its trials wait to be run again. Returns when the executor has let go."""
        for attempt_id in self._running:
            self._executor.cancel(attempt_id)
        for running in self._running.values():
            shutil.rmtree(running.scratch, ignore_errors=True)
        self._running.clear()
        self._store.interrupt_attempts(self._study.study_id)

    def _record(self, event: Event, running: Running) -> Trial | None:
        match event:
            case Started():
                self._store.record_started(event)
                running.training_since = now = time.monotonic()
                self._restart_seconds = max(self._restart_seconds, now - running.began)
                self._emit(EventKind.ATTEMPT_STARTED, running.trial_id, **event.model_dump(exclude={"event"}))
                return None
            case Progress():
                running.points.append(event.point)
                self._show_progress(event, running)
                return self._at_rung(event, running)
            case Finished() | Failed():
                self._store_points(running)
                del self._running[event.attempt_id]
                return self._finished(event, running) if isinstance(event, Finished) else self._failed(event, running)

    def _finished(self, event: Finished, running: Running) -> Trial:
        trial = self._store.finish_attempt(event)
        if not running.keep_adapter or trial.state is not TrialState.COMPLETE:
            shutil.rmtree(running.scratch, ignore_errors=True)
        if trial.state is TrialState.FAILED:
            self._emit(EventKind.TRIAL_FAILED, trial.trial_id, reason=trial.reason, error=trial.error)
        else:
            self._emit(EventKind.TRIAL_COMPLETE, trial.trial_id, score=trial.score, seconds=trial.seconds)
        return trial

    def _failed(self, event: Failed, running: Running) -> Trial:
        shutil.rmtree(running.scratch, ignore_errors=True)
        full = event.reason is FailureReason.DISK
        again = full or (event.reason in INTERRUPTIONS and self._store.interruptions(running.trial_id) < MAX_RERUNS)
        trial = self._store.fail_attempt(event, run_again=again)
        kind = EventKind.TRIAL_RETRIED if again else EventKind.TRIAL_FAILED
        self._emit(kind, trial.trial_id, reason=event.reason, error=event.message)
        if full:
            raise StudyFailed(
                f"trial {trial.number} (DISK): {event.message}. Free some space, then resume; it is run again."
            )
        return trial

    def _at_rung(self, event: Progress, running: Running) -> Trial | None:
        """Compare a search trial that has come to a rung with the others there; the trial if that was its end."""
        loss, study_id = event.point.eval_loss, self._study.study_id
        if loss is None or not self.early_stopping:
            return None
        trial = self._store.trial(running.trial_id)
        rung = rung_at(trial, event.point.step, event.total_steps, loss)
        if rung is None or trial.phase is not Phase.SEARCH:
            return None
        reached = at_rung(self._store.events(study_id, kind=EventKind.RUNG_REACHED), rung.share)
        verdict = judge(trial, rung, reached, self._store.history(study_id))
        stop, why = verdict.stop, verdict.why
        if stop and not self._worth_stopping(running, rung):
            stop, why = False, f"{why}; but stopping would save less time than starting the worker anew takes"
        self._emit(EventKind.RUNG_REACHED, trial.trial_id, **rung.model_dump(), stopped=stop, why=why)
        return self._prune(rung, running) if stop else None

    def _worth_stopping(self, running: Running, rung: Rung) -> bool:
        """Whether the rest of the run takes longer than a new worker with its base model."""
        seconds = time.monotonic() - (running.training_since or running.began)
        rest = seconds * (1.0 / rung.share - 1.0)
        return self._restart_seconds <= CHEAP_RESTART_SECONDS or rest > self._restart_seconds

    def _prune(self, rung: Rung, running: Running) -> Trial:
        """Stop an attempt at a rung for good. Recorded first: a kill in between must not run it again."""
        self._store_points(running)
        del self._running[running.attempt_id]
        trial = self._store.prune_attempt(running.attempt_id, rung)
        self._executor.cancel(running.attempt_id)
        shutil.rmtree(running.scratch, ignore_errors=True)
        self._emit(EventKind.TRIAL_PRUNED, trial.trial_id, **rung.model_dump(), seconds=trial.seconds)
        return trial

    def _show_progress(self, event: Progress, running: Running) -> None:
        now = time.monotonic()
        if now - running.last_progress >= PROGRESS_SECONDS:
            running.last_progress = now
            self._store_points(running)
            point: dict[str, Any] = event.point.model_dump(exclude_none=True)
            self._emit(EventKind.PROGRESS, running.trial_id, total_steps=event.total_steps, **point)

    def _store_points(self, running: Running) -> None:
        if running.points:
            self._store.record_points(running.attempt_id, running.points)
            running.points = []


def attempt_spec(
    study: Study,
    trial: Trial,
    attempt_id: str,
    keep_adapter: bool,
    timeout_seconds: float | None,
    evaluate_at: tuple[float, ...] = (),
) -> TrainAttempt:
    """Everything a worker needs for one attempt: the plan's settings, the trial's configuration and seed."""
    plan, spec = study.plan, study.spec
    if plan.base is None or plan.data is None:
        raise TypeError(f"study {study.study_id} holds a plan without a base model or data")
    data, length = study.directory / "data", plan.data.lengths.max_seq_length
    train = TrainSpec(
        task=spec.task,
        base_model=plan.base.name,
        base_path=plan.base.path,
        revision=plan.base.revision,
        adapter=spec.adapter,
        loss=spec.loss,
        config=trial.config,
        seed=trial.seed,
        train_file=data / "train.jsonl",
        validation_file=data / "validation.jsonl",
        labels=plan.data.labels,
        columns=plan.data.columns,
        class_weights=plan.data.class_weights,
        max_seq_length=length,
        device=cast(Literal["cpu", "cuda"], plan.device),
        precision=cast(Literal["fp32", "bf16"], plan.precision),
        evaluate_at=evaluate_at,
        output_dir=study.directory / "attempts" / attempt_id,
    )
    return TrainAttempt(
        attempt_id=attempt_id,
        train=train,
        evaluate=evaluation(study, data / "validation.jsonl"),
        keep_adapter=keep_adapter,
        timeout_seconds=timeout_seconds,
    )


def evaluation(study: Study, file: Path) -> EvalSpec:
    """How models of this study are scored on the rows of `file`."""
    if study.plan.data is None:
        raise TypeError(f"study {study.study_id} holds a plan without data")
    return EvalSpec(
        task=study.spec.task,
        metric=study.spec.objective.metric,
        file=file,
        labels=study.plan.data.labels,
        max_seq_length=study.plan.data.lengths.max_seq_length,
        precision=cast(Literal["fp32", "bf16"], study.plan.precision),
    )

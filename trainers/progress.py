"""What happens while a model trains: points of the curve, failure detection, time, memory, and where to stop."""

import math
import time
from collections.abc import Callable
from statistics import mean, median
from typing import Any

import psutil
import torch
from transformers import TrainerCallback

from trainers.arguments import step_at
from trainers.errors import AttemptFailed
from trainers.spec import CurvePoint, FailureReason, TrainSpec

N_POINTS = 30
"""Training-loss points of a full curve."""

DIVERGED_RATIO, DIVERGED_MARGIN, DIVERGED_POINTS = 2.0, 0.5, 3
"""A run has diverged when its smoothed loss stays above 2 x start + 0.5 for 3 logged points in a row.

The start is the mean of the first three points; smoothed is the median of the last five, which a single spike does
not move. The margin keeps runs that start near zero loss from being stopped by noise. Diverged runs end as NAN
failures: nothing useful came of them."""

OnPoint = Callable[[CurvePoint, int], None]


class Progress(TrainerCallback):  # type: ignore[misc]
    """The only callback of a run. Decides when to log, evaluate and stop; measures; raises AttemptFailed."""

    def __init__(self, spec: TrainSpec, on_point: OnPoint) -> None:
        self._spec, self._on_point = spec, on_point
        self.curve: list[CurvePoint] = []
        self.steps = 0
        self.epochs = 0.0
        self.peak_memory_mb = 0.0
        self._total = 0
        self._log_at: frozenset[int] = frozenset()
        self._evaluate_at: frozenset[int] = frozenset()
        self._started = self._stopped = 0.0
        self._evaluating_seconds = 0.0
        self._losses: list[float] = []
        self._above = 0
        self._process = psutil.Process()

    @property
    def train_seconds(self) -> float:
        """Wall time inside the training loop so far, evaluations excluded."""
        return (self._stopped or time.monotonic()) - self._started - self._evaluating_seconds

    @property
    def train_loss(self) -> float:
        """Mean of the logged training losses of the last quarter of the curve."""
        tail = self._losses[-max(1, len(self._losses) // 4) :]
        return mean(tail) if tail else math.nan

    @property
    def eval_loss(self) -> float | None:
        """The last validation loss."""
        return next((point.eval_loss for point in reversed(self.curve) if point.eval_loss is not None), None)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Plan the points: evenly spaced, the last step always among them."""
        self._total = state.max_steps
        last = min(self._total, self._spec.max_steps or self._total)
        self._log_at = points(last, N_POINTS) | {1}
        shares = self._spec.evaluate_at
        planned = {step_at(s, last) for s in shares} if shares else points(last, self._spec.n_evaluations)
        self._evaluate_at = frozenset(planned)
        if self._spec.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        self._started = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Ask the trainer to log, evaluate or stop."""
        self.steps, self.epochs = state.global_step, float(state.epoch or 0.0)
        control.should_log = state.global_step in self._log_at
        control.should_evaluate = state.global_step in self._evaluate_at
        if self._spec.max_steps is not None and state.global_step >= self._spec.max_steps:
            control.should_training_stop = True
        self._measure_memory()
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """Keep and report one training point; raise AttemptFailed(NAN) when it shows a lost run."""
        if not logs or "loss" not in logs:
            return
        loss, norm = float(logs["loss"]), logs.get("grad_norm")
        norm = None if norm is None else float(norm)
        if not math.isfinite(loss) or not (norm is None or math.isfinite(norm)):
            message = f"loss {loss} and gradient norm {norm} at step {state.global_step} of {self._total}."
            raise AttemptFailed(FailureReason.NAN, message)
        point = CurvePoint(step=state.global_step, loss=loss, learning_rate=logs.get("learning_rate"), grad_norm=norm)
        self._add(point)
        self._check_divergence(loss, state.global_step)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float] | None = None, **kwargs: Any
    ) -> None:
        """Keep and report one validation point."""
        metrics = metrics or {}
        self._evaluating_seconds += metrics.get("eval_runtime", 0.0)
        loss = metrics.get("eval_loss", math.nan)
        if not math.isfinite(loss):
            raise AttemptFailed(FailureReason.NAN, f"validation loss {loss} at step {state.global_step}.")
        self._add(CurvePoint(step=state.global_step, eval_loss=loss))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop the clock."""
        self._stopped = time.monotonic()
        self._measure_memory()

    def _add(self, point: CurvePoint) -> None:
        self.curve.append(point)
        self._on_point(point, self._total)

    def _check_divergence(self, loss: float, step: int) -> None:
        self._losses.append(loss)
        start, smoothed = mean(self._losses[:3]), median(self._losses[-5:])
        self._above = self._above + 1 if smoothed > DIVERGED_RATIO * start + DIVERGED_MARGIN else 0
        if self._above >= DIVERGED_POINTS:
            message = f"diverged: smoothed training loss {smoothed:.3g} at step {step}, started at {start:.3g}."
            raise AttemptFailed(FailureReason.NAN, message)

    def _measure_memory(self) -> None:
        used = torch.cuda.max_memory_allocated() if self._spec.device == "cuda" else self._process.memory_info().rss
        self.peak_memory_mb = max(self.peak_memory_mb, used / 2**20)


def points(last: int, n: int) -> frozenset[int]:
    """At most `n` step numbers evenly spread over 1..`last`, `last` included."""
    return frozenset(max(1, round(last * (i + 1) / n)) for i in range(n)) if n else frozenset()

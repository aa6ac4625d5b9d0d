"""What goes into a worker process and what comes out: one `AttemptSpec` line in, `Event` lines out.

Both sides are JSON, one object a line, so that any executor (a local process, a cluster) can carry them. Executors
look at the fields of `AttemptSpec` only; the worker reads what a kind of attempt adds (`tools.worker.KINDS`).
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from evals.spec import EvalResult, EvalSpec
from trainers.spec import Closed, CurvePoint, FailureReason, TrainResult, TrainSpec


class AttemptSpec(Closed):
    """One execution of a trial, of any kind. Holds no test data, no key, no database path."""

    kind: str
    attempt_id: str
    timeout_seconds: float | None = Field(None, gt=0, description="killed after this long; None: no limit")


class TrainAttempt(AttemptSpec):
    """Train one configuration and score it on validation rows."""

    kind: Literal["train"] = "train"
    train: TrainSpec
    evaluate: EvalSpec
    keep_adapter: bool = Field(description="write the adapter to train.output_dir when done")


class Started(Closed):
    """The worker has the base model in memory and begins to train."""

    event: Literal["started"] = "started"
    attempt_id: str
    pid: int
    load_seconds: float = Field(description="time spent loading the base model; 0 where it was resident")


class Progress(Closed):
    """A step was logged."""

    event: Literal["progress"] = "progress"
    attempt_id: str
    total_steps: int
    point: CurvePoint


class Finished(Closed):
    """The attempt is complete."""

    event: Literal["finished"] = "finished"
    attempt_id: str
    train: TrainResult | None = Field(None, description="of an attempt that trained")
    validation: EvalResult
    adapter_dir: Path | None = None
    adapter_sha256: str | None = Field(None, description="of the manifest of adapter_dir")
    seconds: float = Field(description="wall time of the whole attempt")


class Failed(Closed):
    """The attempt could not be completed; the worker may have died with it."""

    event: Literal["failed"] = "failed"
    attempt_id: str
    reason: FailureReason
    message: str
    seconds: float = 0.0


Event = Annotated[Started | Progress | Finished | Failed, Field(discriminator="event")]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)

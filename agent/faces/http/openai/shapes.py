"""The forms of lists and fine-tuning jobs in OpenAI's shape: what is asked for and what is answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import Field, model_validator

from agent.desk.cards import StudyCard
from agent.errors import InputError
from agent.faces.http.fields import Listing, Name, Text, Words
from trainers.spec import Closed, Loss, Metric

Auto = Literal["auto"]
Status = Literal["validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"]
AUTO: Auto = "auto"
OUR_NAMES = {
    "n_epochs": "epochs",
    "batch_size": "batch_size",
    "learning_rate_multiplier": "learning_rate",
    "beta": "beta",
}
"""OpenAI's hyperparameters under our names; a multiplier is of the default learning rate."""
Key = Annotated[Text, Field(max_length=64)]
Value = Annotated[Text, Field(max_length=512)]


class Item(Closed):
    """Something that lists hold."""

    id: str


T = TypeVar("T", bound=Item)


class Page(Listing[T], Generic[T]):
    """A part of a list."""

    object: Literal["list"] = "list"
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, items: Sequence[T], limit: int, after: str | None = None) -> Self:
        """The first `limit` items behind the one with the id `after`; none where there is no such item."""
        if after is not None:
            items = items[next((place for place, item in enumerate(items, 1) if item.id == after), len(items)) :]
        data = tuple(items[:limit])
        first, last = (data[0].id, data[-1].id) if data else (None, None)
        return cls(data=data, first_id=first, last_id=last, has_more=len(items) > limit)


def epoch(at: str) -> int:
    """A stored time as OpenAI writes it."""
    return int(datetime.fromisoformat(at).timestamp())


class Hyperparameters(Closed):
    """Each "auto" (searched) or a number (fixed)."""

    n_epochs: Auto | Annotated[int, Field(ge=1, le=1000)] | None = None
    batch_size: Auto | Annotated[int, Field(ge=1, le=4096)] | None = None
    learning_rate_multiplier: Auto | Annotated[float, Field(gt=0, le=1000)] | None = Field(
        None, description="times the default learning rate of this model and task"
    )
    beta: Auto | Annotated[float, Field(gt=0, le=1000)] | None = Field(None, description="dpo only")


class MethodOptions(Closed):
    """Options of one method."""

    hyperparameters: Hyperparameters = Hyperparameters()


class Method(Closed):
    """How to tune: on examples (supervised) or on preferences (dpo)."""

    type: Literal["supervised", "dpo"]
    supervised: MethodOptions | None = None
    dpo: MethodOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_others(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("type") == "reinforcement":
            raise ValueError("reinforcement is not available here; use supervised or dpo")
        return value


class Beyond(Closed):
    """What OpenAI's API has no field for; send it by `extra_body={"tunewright": {...}}`."""

    request: Words | None = Field(None, description="more wishes, in plain language")
    trials: int | None = Field(None, description="how many configurations to try")
    seconds: float | None = Field(None, description="wall time of the whole job")
    metric: Metric | None = Field(None, description="what to optimise")
    loss: Loss | None = Field(None, description="preference loss; default: sigmoid")
    llm: Name | None = Field(None, description="planner")


class JobRequest(Closed):
    """A fine-tuning job that is asked for."""

    model: Name = Field(description="hub id, local path, or embedded:tiny-causal")
    training_file: Name = Field(description="id of an uploaded file")
    validation_file: Name | None = None
    method: Method | None = None
    hyperparameters: Hyperparameters | None = Field(None, description="the older place of those of `method`")
    suffix: str | None = Field(None, min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: int | None = Field(None, ge=0, le=2**31 - 1)
    metadata: dict[Key, Value] | None = Field(None, max_length=16)
    integrations: tuple[()] | None = Field(None, description="none here; see the configuration file")
    tunewright: Beyond = Beyond()

    @property
    def stated(self) -> Hyperparameters:
        """The hyperparameters, wherever they were given. Raises InputError where they are given twice."""
        options = None if self.method is None else getattr(self.method, self.method.type)
        inside = None if options is None else options.hyperparameters
        if inside is not None and self.hyperparameters is not None and inside != self.hyperparameters:
            raise InputError("hyperparameters", "are given twice, and differ.", "Give those of `method` only.")
        return inside or self.hyperparameters or Hyperparameters()


class JobError(Closed):
    """Why a job failed."""

    code: str
    message: str
    param: str | None = None


class Job(Item):
    """A fine-tuning job: a study seen as OpenAI's clients expect it."""

    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    created_at: int
    finished_at: int | None
    estimated_finish: int | None
    error: JobError | None
    fine_tuned_model: str | None
    hyperparameters: Hyperparameters
    method: Method
    model: str
    organization_id: str = "tunewright"
    result_files: tuple[str, ...]
    seed: int
    status: Status
    trained_tokens: int | None
    training_file: str
    validation_file: str | None
    integrations: tuple[()] = ()
    metadata: dict[str, str] | None = None
    suffix: str | None = None
    user_provided_suffix: str | None = None
    tunewright: StudyCard = Field(description="the study behind the job")


class JobEvent(Item):
    """Something that happened in a job."""

    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    created_at: int
    level: Literal["info", "warn", "error"]
    message: str
    type: Literal["message", "metrics"]
    data: dict[str, Any]


class CheckpointMetrics(Closed):
    """What a checkpoint reached."""

    step: int | None = None
    train_loss: float | None = None
    valid_loss: float | None = None
    full_valid_loss: float | None = None
    score: float | None = Field(None, description="in the metric of the study")


class Checkpoint(Item):
    """A trial that is complete."""

    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    created_at: int
    fine_tuned_model_checkpoint: str
    fine_tuning_job_id: str
    metrics: CheckpointMetrics
    step_number: int

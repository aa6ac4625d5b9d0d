"""What each tool of a conversation takes: closed models, whose descriptions a model reads."""

from typing import Annotated

from pydantic import Field

from trainers.spec import Closed, Metric, Task

Study = Annotated[
    str | None, Field(description="id of the study, such as 3; null for the one the conversation is about")
]
Data = Annotated[
    str, Field(max_length=1000, description="file (csv, tsv, jsonl, json, parquet) or hub id, as the person wrote it")
]


class ProfileData(Closed):
    """Arguments of `profile_data`."""

    data: Data
    task: Task | None = Field(None, description="null: found from the columns")


class PlanStudy(Closed):
    """Arguments of `plan_study`."""

    request: str = Field(
        "",
        max_length=20_000,
        description="the job, or the change of it, in the person's own words, letter by letter; empty: show the plan",
    )
    new: bool = Field(False, description="true: another job than the current plan; false: the first, or a change of it")
    answers: str | None = Field(
        None, description="field of the open question that `request` answers, as the plan's questions name it"
    )


class StartStudy(Closed):
    """Arguments of `start_study`."""

    plan_hash: str = Field(description="of the current plan, as plan_study told it")


class Status(Closed):
    """Arguments of `status`."""

    study: Study = None
    every: bool = Field(False, description="true: all studies, one line each")


class Events(Closed):
    """Arguments of `events`."""

    study: Study = None
    limit: int = Field(12, ge=1, le=20, description="how many of the latest")


class Explain(Closed):
    """Arguments of `explain`."""

    study: Study = None
    trial: int | None = Field(None, ge=0, description="its number; null for the best")
    parameter: str | None = Field(None, description="hyperparameter asked about, such as learning_rate")


class Compare(Closed):
    """Arguments of `compare`."""

    study: Study = None
    left: int | None = Field(None, ge=0, description="number of a trial; null for the best")
    right: int | None = Field(None, ge=0, description="number of another trial; null for the default configuration")


class Cancel(Closed):
    """Arguments of `cancel`."""

    study: Study = None
    pause: bool = Field(False, description="true: it keeps its place in the queue")


class Resume(Closed):
    """Arguments of `resume`."""

    study: Study = None


class Evaluate(Closed):
    """Arguments of `evaluate`."""

    data: Data
    study: Study = None
    metric: Metric | None = Field(None, description="null: the usual one of its task")
    max_rows: int | None = Field(None, ge=1, description="only the first rows")


class Generate(Closed):
    """Arguments of `generate`."""

    prompt: str = Field(min_length=1, max_length=8000, description="what the tuned model is to answer or classify")
    study: Study = None
    max_new_tokens: int = Field(128, ge=1, le=1024)


class Export(Closed):
    """Arguments of `export`."""

    study: Study = None
    out: str | None = Field(
        None, max_length=1000, description="new directory, as the person wrote it; null: the usual one"
    )
    merge: bool = Field(False, description="true: a full model instead of an adapter")


class Budget(Closed):
    """Arguments of `budget`."""

    study: Study = None

"""The reading of a request: what the user said, with the words it came from, and nothing else.

A `Draft` comes from the rules reader or from a planner LLM; both fill the same form. Every field is nullable: None
means that the request does not say. `agent/request/resolve.py` turns a draft into a plan.
"""

import json
from contextlib import suppress
from enum import StrEnum
from typing import Literal

from pydantic import Field, ValidationError

from trainers.dotted import fields, flat, nested
from trainers.errors import InputError
from trainers.spec import (
    Adapter,
    Closed,
    Columns,
    Constraints,
    Direction,
    Intent,
    Loss,
    Metric,
    Search,
    Task,
    Tradeoffs,
)

MAX_QUESTIONS = 3
"""More at once are not answered; the rest comes up once these are."""


class RefusalClass(StrEnum):
    """Why a request cannot be carried out, whatever is answered."""

    UNSUPPORTED_TASK = "unsupported_task"
    INFEASIBLE = "infeasible"
    UNSAFE_PATH = "unsafe_path"
    MISSING_DATA = "missing_data"
    AMBIGUOUS = "ambiguous"


class Refusal(Closed):
    """A request that is turned down, with the reason in the user's words."""

    model_config = {"serialize_by_alias": True, "validate_by_name": True}

    kind: RefusalClass = Field(alias="class")
    message: str


class Question(Closed):
    """Something only the user can decide; blocking."""

    field: str = Field(description="dotted field of the spec")
    question: str
    suggestion: str | None = None


class DraftData(Closed):
    """`trainers.spec.Data` with nothing required."""

    train: str | None = None
    validation: str | None = None
    test: str | None = None
    columns: Columns = Columns()


class DraftObjective(Closed):
    """`trainers.spec.Objective` with nothing required."""

    metric: Metric | None = None
    direction: Direction | None = None
    target: float | None = None
    tradeoffs: Tradeoffs | None = None


class DraftBudget(Closed):
    """`trainers.spec.Budget` with nothing required and no bounds, so that a bad value can be named in a message."""

    trials: int | None = None
    seconds: float | None = None
    llm_usd: float | None = None
    parallel_trials: int | None = None
    early_stopping: bool | None = None


class DraftOutput(Closed):
    """`trainers.spec.Output` with nothing required."""

    dir: str | None = None
    merge: bool | None = None


class DraftSpec(Closed):
    """`trainers.spec.TaskSpec` with nothing required: the shape of the spec before everything is settled."""

    intent: Intent | None = None
    task: Task | None = None
    base_model: str | None = None
    data: DraftData = DraftData()
    adapter: Adapter | None = None
    loss: Loss | None = None
    objective: DraftObjective = DraftObjective()
    budget: DraftBudget = DraftBudget()
    search: Search = Search()
    constraints: Constraints = Constraints()
    seed: int | None = None
    output: DraftOutput = DraftOutput()
    warm_start: str | None = None


class Quote(Closed):
    """The words of the request that a field was read from."""

    field: str = Field(description="dotted field of the spec, such as budget.trials or search.learning_rate")
    quote: str = Field(description="copied from the request, letter by letter")


class Rejected(Closed):
    """A value the user gave that cannot be used as given; it is not in the spec."""

    field: str
    quote: str
    reason: str = Field(description="the rule it breaks")


class Draft(Closed):
    """One reading of one request. A field is the user's if and only if `quotes` has an entry for it;
    a field set without a quote is inferred (its reason is in `inferred`)."""

    spec: DraftSpec = DraftSpec()
    quotes: tuple[Quote, ...] = ()
    inferred: dict[str, str] = Field({}, description="field to the reason it was inferred from other words")
    rejected: tuple[Rejected, ...] = ()
    questions: tuple[Question, ...] = Field((), description="contradictions only the user can settle")
    refusal: Refusal | None = None
    study: str | None = Field(None, description="the study a status, explain, resume, cancel... request names")
    trial: int | None = Field(None, description="the trial an explain request names")
    ignored: tuple[str, ...] = Field((), description="parts of the request that were not understood or not obeyed")


class Provenance(Closed):
    """Where a value of the spec comes from."""

    source: Literal["user", "inferred", "default"]
    quote: str | None = None
    reason: str | None = None


class Overrides(Closed):
    """What the command line's flags say; the user's own words, before those of the request."""

    data: str | None = None
    trials: int | None = None
    seconds: float | None = Field(None, allow_inf_nan=True, description="any number, so that a message can name it")
    warm_start: str | None = None

    def flags(self) -> tuple[tuple[str, str, str | int | float], ...]:
        """(field of the spec, flag, value) of those that are given."""
        flags = (
            ("data.train", "--data", self.data),
            ("budget.trials", "--trials", self.trials),
            ("budget.seconds", "--seconds", self.seconds),
            ("warm_start", "--warm-start", self.warm_start),
        )
        return tuple((name, flag, value) for name, flag, value in flags if value is not None)


NO_OVERRIDES = Overrides()


def answered(draft: Draft, field: str, reply: str, quote: str | None = None) -> Draft:
    """`draft` with `field` (dotted) set to what the user replied, as the user's own words (`quote`, or the reply).

    Raises InputError for a field that there is not, and where the reply is not a value that the field can have.
    """
    if field not in fields(DraftSpec):
        raise InputError(field, "is no field of a spec.", "Answer a question of the plan, by the field it is about.")
    try:
        spec = _with(draft.spec, field, reply)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise InputError(field, f"{reply!r} is no answer: {problem}.", "Answer again.") from error
    quotes = (*(q for q in draft.quotes if q.field != field), Quote(field=field, quote=quote or reply))
    left = tuple(q for q in draft.questions if q.field != field)
    return draft.model_copy(update={"spec": spec, "quotes": quotes, "questions": left})


def with_flags(draft: Draft, overrides: Overrides) -> Draft:
    """`draft` with what flags say beside its request taken in, so that an edit in words can change that as well."""
    for field, flag, value in overrides.flags():
        draft = answered(draft, field, str(value), quote=f"{flag} {value}")
    return draft


def _with(spec: DraftSpec, field: str, reply: str) -> DraftSpec:
    """`spec` with `field` set to the JSON value that the reply is, else to its text. Raises pydantic's error."""
    values = flat(spec)
    with suppress(ValueError):
        return DraftSpec.model_validate(nested(values | {field: json.loads(reply)}))
    return DraftSpec.model_validate(nested(values | {field: reply.strip()}))

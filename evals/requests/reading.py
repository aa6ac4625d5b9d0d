"""What a reader took from a request, in the form that is scored."""

from pydantic import Field

from trainers.dotted import flat
from trainers.spec import Closed, SearchValue


class Reading(Closed):
    """What a reader took from one conversation, by dotted path of the spec (`search.beta`, `data.columns.text`)."""

    fields: dict[str, SearchValue] = Field({}, description="values whose provenance is the user")
    values: dict[str, SearchValue] = Field({}, description="every value that is set, whatever its provenance")
    ask: tuple[str, ...] = Field((), description="fields of the questions")
    refusal: str | None = Field(None, description="refusal class")


def reading_from_plan(plan_json: dict[str, object]) -> Reading:
    """The reading behind the JSON that `tunewright plan --json` prints.

    Uses `"spec"`, `"provenance"`, `"questions"` and `"refusal"`. A field is the user's if its provenance says so and
    the spec has a value for it; a value that was rejected is neither. Raises ValidationError on another shape.
    """
    plan = _PlanJson.model_validate(plan_json)
    values = {field: _scored(value) for field, value in flat(plan.spec).items() if value != []}
    users = {field for field, origin in plan.provenance.items() if origin.get("source") == "user"}
    return Reading.model_validate(
        {
            "fields": {field: value for field, value in values.items() if field in users},
            "values": values,
            "ask": [question["field"] for question in plan.questions],
            "refusal": plan.refusal and plan.refusal["class"],
        }
    )


class _PlanJson(Closed):
    """The parts of a plan that are scored; the others are not looked at."""

    model_config = {"extra": "ignore"}

    spec: dict[str, object]
    provenance: dict[str, dict[str, str | None]]
    questions: tuple[dict[str, str | None], ...] = ()
    refusal: dict[str, str] | None = None


def _scored(value: object) -> object:
    """Several words of which the order means nothing are choices."""
    return {"choices": value} if isinstance(value, list) else value

"""What a reader took from a request, in the form that is scored."""

from collections.abc import Iterable

from pydantic import Field

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
    values = dict(_flatten(plan.spec))
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


def _flatten(tree: dict[str, object], path: str = "") -> Iterable[tuple[str, object]]:
    """Dotted path and value of every leaf that is set; a hyperparameter's range or choices is one leaf."""
    for name, value in tree.items():
        if isinstance(value, dict) and path != "search.":
            yield from _flatten(value, f"{path}{name}.")
        elif isinstance(value, list):
            if value:  # several words of which the order means nothing
                yield f"{path}{name}", {"choices": value}
        elif value is not None:
            yield f"{path}{name}", value

"""Taking an answer to a blocking question into the draft it was asked about."""

import json
from contextlib import suppress

from pydantic import ValidationError

from agent.request.draft import Draft, DraftSpec, Overrides, Quote
from trainers.dotted import fields, flat, nested
from trainers.errors import InputError


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

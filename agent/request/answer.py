"""Taking an answer to a blocking question into the draft it was asked about."""

import json

from pydantic import ValidationError

from agent.request.draft import Draft, DraftSpec, Quote
from trainers.errors import InputError


def answered(draft: Draft, field: str, reply: str) -> Draft:
    """`draft` with `field` (dotted) set to what the user replied, as the user's own words.

    Raises InputError where the reply is not a value that the field can have.
    """
    tree = draft.spec.model_dump(mode="json")
    *parents, name = field.split(".")
    place = tree
    for parent in parents:
        place = place[parent]
    place[name] = _value(reply)
    try:
        spec = DraftSpec.model_validate(tree)
    except ValidationError:
        place[name] = reply
        try:
            spec = DraftSpec.model_validate(tree)
        except ValidationError as error:
            problem = error.errors()[0]["msg"]
            raise InputError(field, f"{reply!r} is no answer: {problem}.", "Answer again.") from error
    quotes = (*(q for q in draft.quotes if q.field != field), Quote(field=field, quote=reply))
    left = tuple(q for q in draft.questions if q.field != field)
    return draft.model_copy(update={"spec": spec, "quotes": quotes, "questions": left})


def _value(reply: str) -> object:
    """A number, a JSON value, or the text itself."""
    try:
        return json.loads(reply)
    except json.JSONDecodeError:
        return reply.strip()

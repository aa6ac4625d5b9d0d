"""The request reader that needs no LLM: an ordered row of field readers over one cleaned text.

Each reader consumes the words it understood, so that no number is read twice. A field is claimed only with its words;
`read_by_rules` quotes them. Typical cost: a few milliseconds.
"""

from typing import Any

from agent.request.columns import read_columns
from agent.request.draft import Draft, DraftSpec, Quote
from agent.request.edits import merged
from agent.request.goals import (
    keep_what_counts,
    read_control,
    read_intent,
    read_methods,
    read_negations,
    read_study,
    read_task,
)
from agent.request.hyperparameters import read_hyperparameters
from agent.request.injections import read_injections
from agent.request.locations import read_locations
from agent.request.objective import read_objective
from agent.request.quantities import read_quantities
from agent.request.reading import Claim, Reading
from agent.request.text import Text

MAX_QUESTIONS = 3
"""design.md section 3: at most three blocking questions."""


def read_by_rules(request: str, previous: Draft | None = None) -> Draft:
    """What `request` says, each field with the words it was read from. Never raises on any text.

    With `previous`, the request is an edit of an earlier one ("make it 20 trials", "drop the time limit"): the result is
    the earlier draft with the edit's fields in place of its own.
    """
    if previous is not None:
        return merged(previous, request, _draft(_read(request)))
    return _draft(_read(request))


def _read(request: str) -> Reading:
    reading = Reading(Text(request))
    read_injections(reading)
    honest = reading.text.left
    read_study(reading)
    read_locations(reading)
    read_negations(reading)
    read_columns(reading)
    control = read_control(reading)
    read_hyperparameters(reading)
    read_quantities(reading)
    read_objective(reading)
    read_methods(reading)
    read_task(reading)
    if control is None:
        read_intent(reading, honest)
    keep_what_counts(reading)
    return reading


def _draft(reading: Reading) -> Draft:
    """The draft of a finished reading: settled claims with quotes, then inferences where nothing was claimed."""
    settled = reading.settled()
    values: dict[str, object] = {name: claim.value for name, claim in settled.items()}
    asked = {question.field for question in reading.questions}
    inferred = {
        name: (value, reason)
        for name, (value, reason) in reading.inferred.items()
        if name not in values and name not in asked and _holds(name, settled)
    }
    values |= {name: value for name, (value, _) in inferred.items()}
    return Draft(
        spec=DraftSpec.model_validate(_nested(values)),
        quotes=tuple(Quote(field=n, quote=reading.text.quote(c.start, c.end)) for n, c in settled.items()),
        inferred={name: reason for name, (_, reason) in inferred.items()},
        rejected=tuple(reading.rejected),
        questions=tuple(reading.questions[:MAX_QUESTIONS]),
        refusal=reading.refusal,
        study=reading.study,
        trial=reading.trial,
        ignored=tuple(part for part in reading.ignored if part),
    )


def _holds(name: str, settled: dict[str, Claim]) -> bool:
    """Whether the ground of an inference survived settling: no direction without its metric."""
    return name != "objective.direction" or "objective.metric" in settled


def _nested(values: dict[str, object]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *parents, leaf = name.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = value
    return nested

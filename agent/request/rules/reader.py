"""The request reader that needs no LLM: an ordered row of field readers over one cleaned text.

Each reader consumes the words it understood, so that no number is read twice. A field is claimed only with its words;
`read_by_rules` quotes them. Typical cost: a few milliseconds.
"""

from agent.request.checks import problem
from agent.request.draft import MAX_QUESTIONS, Draft, DraftSpec, Quote
from agent.request.rules.claims import Claim, Reading
from agent.request.rules.columns import read_columns
from agent.request.rules.edits import merged
from agent.request.rules.hyperparameters import read_hyperparameters
from agent.request.rules.injections import read_injections
from agent.request.rules.intents import (
    SETTLED_ALONE,
    keep_what_counts,
    read_control,
    read_intent,
    read_knowledge_question,
    read_study,
)
from agent.request.rules.leftovers import read_leftovers, read_techniques
from agent.request.rules.locations import read_as_evaluation, read_as_export, read_locations
from agent.request.rules.methods import read_methods, read_negations, read_task
from agent.request.rules.objective import read_objective, read_tradeoffs
from agent.request.rules.quantities import read_quantities
from agent.request.rules.text import Text
from trainers.dotted import nested
from trainers.spec import Intent, Metric


def read_by_rules(request: str, previous: Draft | None = None) -> Draft:
    """What `request` says, each field with the words it was read from. Never raises on any text.

    With `previous`, the request is an edit of an earlier one ("make it 20 trials", "drop the time limit"): the result
    is the earlier draft with the edit's fields in place of its own.
    """
    if previous is not None:
        return merged(previous, request, _draft(_read(request, editing=True)))
    return _draft(_read(request))


def with_leftovers(draft: Draft, request: str) -> Draft:
    """A planner's reading of `request` with what it passed over: nothing that was named may vanish there either."""
    reading = Reading(Text(request))
    read_techniques(reading)
    words = [part.lower() for part in (*(quote.quote for quote in draft.quotes), *draft.ignored)]
    parts = [(part, part.partition(": ")[0].lower()) for part in read_by_rules(request).ignored]
    unread = [part for part, quote in parts if not any(quote in other or other in quote for other in words)]
    asked = {question.field for question in draft.questions}
    questions = (*draft.questions, *(q for q in reading.questions if q.field not in asked))
    ignored = (*draft.ignored, *unread)
    return draft.model_copy(
        update={"ignored": ignored, "questions": questions[:MAX_QUESTIONS], "refusal": draft.refusal or reading.refusal}
    )


def _read(request: str, *, editing: bool = False) -> Reading:
    reading = Reading(Text(request))
    read_injections(reading)
    honest = reading.text.left
    read_techniques(reading)
    read_study(reading)
    read_locations(reading)
    read_negations(reading)
    read_columns(reading)
    control = read_control(reading)
    if control is Intent.EVALUATE:
        read_as_evaluation(reading)
    if control is Intent.EXPORT:
        read_as_export(reading)
    read_tradeoffs(reading)
    read_hyperparameters(reading)
    read_quantities(reading)
    read_objective(reading)
    read_methods(reading)
    read_task(reading)
    if control is None and not editing:  # "what if I use rank 32?" is an edit
        control = read_knowledge_question(reading, honest)
    if control is None:
        read_intent(reading, honest, editing=editing)
    if not any(claim.value in SETTLED_ALONE for claim in reading.of("intent")):
        read_leftovers(reading)
    keep_what_counts(reading)
    return reading


def _draft(reading: Reading) -> Draft:
    """The draft of a finished reading: settled claims with quotes, then inferences where nothing was claimed."""
    settled = _usable(reading, reading.settled())
    _add_direction(reading, settled)
    if any(r.field == "data.train" for r in reading.rejected) and reading.refusal and "task" in settled:
        reading.infer("task", settled.pop("task").value, "what the refused data was to be used for")
    open_fields = {question.field for question in reading.questions}
    settled = {name: claim for name, claim in settled.items() if name not in open_fields}
    values: dict[str, object] = {name: claim.value for name, claim in settled.items()}
    settled_fields = open_fields | values.keys()
    inferred = {name: inference for name, inference in reading.inferred.items() if name not in settled_fields}
    return Draft(
        spec=DraftSpec.model_validate(nested(values | {name: value for name, (value, _) in inferred.items()})),
        quotes=tuple(Quote(field=n, quote=reading.text.quote(*c.span)) for n, c in settled.items()),
        inferred={name: reason for name, (_, reason) in inferred.items()},
        rejected=tuple(reading.rejected),
        questions=tuple(reading.questions[:MAX_QUESTIONS]),
        refusal=reading.refusal,
        study=reading.study,
        trial=reading.trial,
        ignored=tuple(part for part in reading.ignored if part),
    )


def _usable(reading: Reading, settled: dict[str, Claim]) -> dict[str, Claim]:
    """The claims whose values can be used; the others are rejected with the rule they break."""
    metric = settled["objective.metric"].value if "objective.metric" in settled else None
    broken = {name: rule for name, claim in settled.items() if (rule := problem(name, claim.value, metric))}
    for name, rule in broken.items():
        reading.reject(name, settled[name].span, rule)
    return {name: claim for name, claim in settled.items() if name not in broken}


def _add_direction(reading: Reading, settled: dict[str, Claim]) -> None:
    """A metric says by itself which way is better; without a metric no direction stands."""
    metric = settled.get("objective.metric")
    if metric is None:
        settled.pop("objective.direction", None)
    elif "objective.direction" not in (*settled, *(question.field for question in reading.questions)):
        direction = Metric(str(metric.value)).direction
        settled["objective.direction"] = Claim("objective.direction", direction, metric.start, metric.end)

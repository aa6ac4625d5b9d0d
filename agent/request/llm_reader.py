"""Reading a request with a planner LLM: structured output, checked word by word against the request.

The model fills claims (field, value, quote); code turns them into a `Draft`. A claim whose quote, path or name is not
in the request is dropped into `ignored`; a value that breaks its field's rule becomes `rejected`. Whatever the model
says, paths and refusals are checked again by `agent/request/resolve.py`.
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, TypeAdapter, ValidationError, WithJsonSchema

from agent.llm.planner import Planner
from agent.request.draft import MAX_QUESTIONS, Draft, DraftSpec, Question, Quote, Refusal, Rejected
from agent.request.markup import short
from agent.request.rules.amounts import seconds_in
from agent.request.rules.reader import with_leftovers
from prompts import render
from trainers.dotted import fields, flat, nested
from trainers.spec import Choices, Closed, Metric, Range, Scalar, Search, SearchValue

FIELD_NAMES = (*(field for field in fields(DraftSpec) if field != "warm_start"), "study", "trial")
"""What a claim can be about."""

_COPIED = {"base_model", "data.train", "data.validation", "data.test", "output.dir", "study"}
"""Fields whose value must itself be in the request, as must a column's: a name or path is never the model's idea."""

_WORDS = {"intent", "task", "adapter", "loss", "objective.metric", "objective.direction"}
_SEARCH_VALUE: TypeAdapter[SearchValue] = TypeAdapter(SearchValue)


def _is_field(name: str) -> str:
    if name not in FIELD_NAMES:
        raise ValueError(f"must be one of {', '.join(FIELD_NAMES)}")
    return name


FieldName = Annotated[str, AfterValidator(_is_field), WithJsonSchema({"type": "string", "enum": list(FIELD_NAMES)})]


class Claim(Closed):
    """One thing the request says."""

    field: FieldName
    quote: str
    value: str | None
    stated: bool


class QuestionClaim(Closed):
    """A contradiction for the user to settle."""

    field: FieldName
    question: str
    suggestion: str | None


class Reading(Closed):
    """What the planner LLM answers. Every key is required, as strict decoders demand."""

    thinking: str
    claims: tuple[Claim, ...]
    refusal: Refusal | None
    questions: tuple[QuestionClaim, ...]
    ignored: tuple[str, ...]


def read_by_llm(request: str, planner: Planner, previous: Draft | None = None) -> Draft:
    """The planner's reading of `request`; on top of `previous` where it edits an earlier request.

    One call, at most two repairs. Raises PlannerFailed (LlmCapReached) and never falls back to the rules.
    """
    before = previous.spec.model_dump_json(exclude_none=True, exclude_defaults=True) if previous else None
    system = render(
        "read_request",
        metrics=[metric.value for metric in Metric],
        hyperparameters=list(Search.model_fields),
        previous=before,
    )
    reading = planner.ask(system, render("request", request=request), Reading)
    return with_leftovers(draft_of(reading, request, previous), request)


def draft_of(reading: Reading, request: str, previous: Draft | None = None) -> Draft:
    """`reading` as a draft, with everything dropped that the request does not bear out."""
    page = _Page(request, previous or Draft())
    for claim in reading.claims:
        page.take(claim)
    ignored = [part for part in reading.ignored if part and page.has(part)]
    study, trial = page.values.pop("study", None), page.values.pop("trial", None)
    refusal = reading.refusal
    return Draft(
        spec=DraftSpec.model_validate(nested(page.values)),
        quotes=tuple(Quote(field=field, quote=quote) for field, quote in page.quotes.items()),
        inferred=page.inferred,
        rejected=tuple(page.rejected),
        questions=tuple(
            Question(field=q.field, question=short(q.question), suggestion=q.suggestion and short(q.suggestion))
            for q in reading.questions[:MAX_QUESTIONS]
        ),
        refusal=Refusal(kind=refusal.kind, message=short(refusal.message)) if refusal else None,
        study=study,
        trial=trial,
        ignored=(*page.ignored, *ignored),
    )


class _Page:
    """A draft being filled in."""

    def __init__(self, request: str, previous: Draft) -> None:
        self._request = _plain(request)
        self._claimed: set[str] = set()
        self.values = flat(previous.spec) | {"study": previous.study, "trial": previous.trial}
        self.quotes = {quote.field: quote.quote for quote in previous.quotes}
        self.inferred = dict(previous.inferred)
        self.rejected: list[Rejected] = []
        self.ignored: list[str] = []

    def has(self, words: str) -> bool:
        """Whether the request holds these words, which must be some."""
        return bool(words.strip()) and _plain(words) in self._request

    def take(self, claim: Claim) -> None:
        """Enter one claim, or say why not."""
        field, copied = claim.field, claim.field in _COPIED or claim.field.startswith("data.columns.")
        if not self.has(claim.quote):
            self.ignored.append(f"{field}: the quote {claim.quote!r} is not in the request")
        elif copied and claim.value is not None and not self.has(claim.value):
            self.ignored.append(f"{field}: {claim.value!r} is not in the request")
        elif field in self._claimed:
            self.ignored.append(f"{field}: said twice; the first reading counts, not {claim.quote!r}")
        else:
            self._claimed.add(field)
            self._enter(claim)

    def _enter(self, claim: Claim) -> None:
        field = claim.field
        for earlier in (self.values, self.quotes, self.inferred):
            earlier.pop(field, None)
        if claim.value is None:
            return
        try:
            self.values[field] = _value(field, claim.value.strip())
        except ValueError as error:
            rule = str(error)
            if isinstance(error, ValidationError):
                rule = f"{error.errors()[0]['msg']}, got {claim.value.strip()!r}"
            self.rejected.append(Rejected(field=field, quote=claim.quote, reason=f"{field}: {rule}"))
            return
        if claim.stated:
            self.quotes[field] = claim.quote
        else:
            self.inferred[field] = f"follows from {claim.quote!r}"


def _value(field: str, text: str) -> Any:
    """What `text` says of a field. Raises ValueError (pydantic's ValidationError) with the rule that it breaks."""
    if field in ("study", "trial"):
        return text if field == "study" else TypeAdapter(int).validate_python(text)
    value: Any = text.lower() if field in _WORDS else text
    if field == "budget.seconds":
        value = _seconds(text)
    elif field.startswith("search."):
        value = _searched(text)
    elif field == "objective.tradeoffs":
        value = tuple(part.strip() for part in text.lower().split("|"))
    elif field.startswith(("budget.", "constraints.", "objective.target", "seed")):
        value = text.strip("$ ").replace(",", "")
    DraftSpec.model_validate(nested({field: value}))
    return value


def _seconds(text: str) -> float:
    duration = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([a-z]*)", text.lower())
    scale = seconds_in(duration[2] or "s") if duration else None
    if duration is None or scale is None:
        raise ValueError(f"must be a duration such as 90 min or 1.5 h, got {text!r}")
    return float(duration[1]) * scale


def _searched(text: str) -> SearchValue:
    if ".." in text:
        low, high = (float(part) for part in text.split("..", 1))
        return Range(low=low, high=high)
    if "|" in text:
        return Choices(choices=tuple(_scalar(part.strip()) for part in text.split("|")))
    return _SEARCH_VALUE.validate_python(_scalar(text))


def _scalar(text: str) -> Scalar:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _plain(text: str) -> str:
    """`text` for comparison: case, runs of white space and curly quotes do not matter."""
    straight = text.translate(str.maketrans("“”‘’", "\"\"''"))
    return " ".join(straight.casefold().split())

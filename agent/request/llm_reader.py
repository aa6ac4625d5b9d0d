"""Reading a request with a planner LLM: structured output, checked word by word against the request.

The model fills claims (field, value, quote); code turns them into a `Draft`. A claim whose quote, path or name is not
in the request is dropped into `ignored`; a value that breaks its field's rule becomes `rejected`. Whatever the model
says, paths and refusals are checked again by `agent/request/resolve.py`.
"""

import re
from typing import Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from agent.llm.planner import Planner
from agent.request.draft import Draft, DraftSpec, Question, Quote, Refusal, RefusalClass, Rejected
from prompts import render
from trainers.spec import Choices, Closed, Columns, Metric, Range, Scalar, Search, SearchValue

FieldName = Literal[
    "intent",
    "task",
    "base_model",
    "data.train",
    "data.validation",
    "data.test",
    "data.columns.text",
    "data.columns.label",
    "data.columns.prompt",
    "data.columns.completion",
    "data.columns.messages",
    "data.columns.chosen",
    "data.columns.rejected",
    "adapter",
    "loss",
    "objective.metric",
    "objective.direction",
    "objective.target",
    "objective.tradeoffs",
    "budget.trials",
    "budget.seconds",
    "budget.llm_usd",
    "budget.parallel_trials",
    "budget.early_stopping",
    "search.learning_rate",
    "search.lora_rank",
    "search.lora_alpha",
    "search.lora_dropout",
    "search.target_modules",
    "search.batch_size",
    "search.epochs",
    "search.weight_decay",
    "search.warmup_ratio",
    "search.scheduler",
    "search.max_grad_norm",
    "search.head_lr_ratio",
    "search.beta",
    "search.simpo_gamma",
    "search.label_smoothing",
    "constraints.max_vram_gb",
    "constraints.max_seq_length",
    "constraints.max_adapter_mb",
    "seed",
    "output.dir",
    "output.merge",
    "study",
    "trial",
]
FIELD_NAMES: tuple[str, ...] = get_args(FieldName)

_COPIED = {"base_model", "data.train", "data.validation", "data.test", "output.dir", "study"} | {
    f"data.columns.{column}" for column in Columns.model_fields
}
"""Fields whose value must itself be in the request: a name or path is never the model's idea."""

_UNIT_SECONDS = {"": 1.0, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "hr": 3600.0, "d": 86400.0}
_UNIT_WORDS = {"second": "s", "minute": "m", "hour": "h", "day": "d", "secs": "s", "mins": "m", "hrs": "h"}
_SEARCH_VALUE: TypeAdapter[SearchValue] = TypeAdapter(SearchValue)
_MAX_QUESTIONS = 3


class Claim(Closed):
    """One thing the request says."""

    field: FieldName
    quote: str
    value: str | None
    stated: bool


class RefusalClaim(Closed):
    """Why the request cannot be carried out."""

    kind: RefusalClass = Field(alias="class")
    message: str


class QuestionClaim(Closed):
    """A contradiction for the user to settle."""

    field: FieldName
    question: str
    suggestion: str | None


class Reading(Closed):
    """What the planner LLM answers. Every key is required, as strict decoders demand."""

    thinking: str
    claims: tuple[Claim, ...]
    refusal: RefusalClaim | None
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
    return draft_of(reading, request, previous)


def draft_of(reading: Reading, request: str, previous: Draft | None = None) -> Draft:
    """`reading` as a draft, with everything dropped that the request does not bear out."""
    page = _Page(request, previous or Draft())
    for claim in reading.claims:
        page.take(claim)
    page.ignored += [part for part in reading.ignored if part and _contains(request, part)]
    return page.draft(reading)


class _Page:
    """A draft being filled in."""

    def __init__(self, request: str, previous: Draft) -> None:
        self._request = request
        self._fields: dict[str, Any] = _flat(previous.spec)
        self._fields |= {"study": previous.study, "trial": previous.trial}
        self._quotes = {quote.field: quote.quote for quote in previous.quotes}
        self._inferred = dict(previous.inferred)
        self._rejected: list[Rejected] = []
        self.ignored: list[str] = []
        self._taken: set[str] = set()

    def take(self, claim: Claim) -> None:
        """Enter one claim, or say why not."""
        if not claim.quote.strip() or not _contains(self._request, claim.quote):
            self.ignored.append(f"{claim.field}: the quote {claim.quote!r} is not in the request")
        elif claim.field in _COPIED and claim.value is not None and not _named(self._request, claim.value):
            self.ignored.append(f"{claim.field}: {claim.value!r} is not in the request")
        elif claim.field in self._taken:
            self.ignored.append(f"{claim.field}: said twice; the first reading counts, not {claim.quote!r}")
        else:
            self._taken.add(claim.field)
            self._enter(claim)

    def _enter(self, claim: Claim) -> None:
        field = claim.field
        for known in (self._fields, self._quotes, self._inferred):
            known.pop(field, None)
        if claim.value is None:
            return
        value, problem = _checked(field, claim.value.strip())
        if problem is not None:
            self._rejected.append(Rejected(field=field, quote=claim.quote, reason=problem))
            return
        self._fields[field] = value
        if claim.stated:
            self._quotes[field] = claim.quote
        else:
            self._inferred[field] = f"follows from {claim.quote!r}"

    def draft(self, reading: Reading) -> Draft:
        """What has been entered, as a draft."""
        study, trial = self._fields.pop("study", None), self._fields.pop("trial", None)
        questions = reading.questions[:_MAX_QUESTIONS]
        refusal = reading.refusal
        return Draft(
            spec=DraftSpec.model_validate(_nested(self._fields)),
            quotes=tuple(Quote(field=field, quote=quote) for field, quote in self._quotes.items()),
            inferred=self._inferred,
            rejected=tuple(self._rejected),
            questions=tuple(
                Question(field=q.field, question=_line(q.question), suggestion=q.suggestion and _line(q.suggestion))
                for q in questions
            ),
            refusal=Refusal(kind=refusal.kind, message=_line(refusal.message)) if refusal else None,
            study=study,
            trial=trial,
            ignored=tuple(self.ignored),
        )


def _checked(field: str, text: str) -> tuple[Any, str | None]:
    """(value, None), or (None, the rule that `text` breaks)."""
    try:
        if field == "study":
            return text, None
        if field == "trial":
            return TypeAdapter(int).validate_python(text), None
        value = _parsed(field, text)
        DraftSpec.model_validate(_nested({field: value}))
        return value, None
    except ValidationError as error:
        return None, f"{field}: {error.errors()[0]['msg']}, got {text!r}"
    except ValueError as error:
        return None, f"{field}: {error}"


def _parsed(field: str, text: str) -> Any:
    if field == "budget.seconds":
        return _seconds(text)
    if field.startswith("search."):
        return _searched(text)
    if field == "objective.tradeoffs":
        return tuple(part.strip() for part in text.lower().split("|"))
    if field.startswith(("budget.", "constraints.", "objective.target", "seed")):
        return text.strip("$ ").replace(",", "")
    return text.lower() if field in ("intent", "task", "adapter", "loss") or field.startswith("objective.") else text


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    unit = found[2] if found else "?"
    unit = _UNIT_WORDS.get(unit, _UNIT_WORDS.get(unit.removesuffix("s"), unit))
    if found is None or unit not in _UNIT_SECONDS:
        raise ValueError(f"must be a duration such as 90 min or 1.5 h, got {text!r}")
    return float(found[1]) * _UNIT_SECONDS[unit]


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


def _contains(request: str, words: str) -> bool:
    return _plain(words) in _plain(request)


def _named(request: str, name: str) -> bool:
    return bool(name.strip()) and _contains(request, name)


def _plain(text: str) -> str:
    """`text` for comparison: case, runs of white space and curly quotes do not matter."""
    straight = text.translate(str.maketrans("“”‘’", "\"\"''"))
    return " ".join(straight.casefold().split())


def _line(text: str) -> str:
    """Prose of the model, made safe to print: one line, no control characters, at most 300 characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:300]


def _flat(spec: DraftSpec) -> dict[str, Any]:
    """Dotted field names to the values that are set."""
    flat: dict[str, Any] = {}
    for name in FIELD_NAMES:
        value: Any = spec
        for part in name.split("."):
            value = getattr(value, part, None)
        if value is not None:
            flat[name] = value
    return flat


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        *path, last = name.split(".")
        place = nested
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return nested

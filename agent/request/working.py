"""The spec while it is being settled: values by dotted field, each with its origin, and what stands in the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from agent.request.draft import MAX_QUESTIONS, Draft, DraftSpec, Provenance, Question, Refusal, RefusalClass
from agent.request.plan import PlanError
from tools.data.columns import Undecided
from trainers.dotted import flat, nested
from trainers.errors import InputError
from trainers.spec import TaskSpec


class Working:
    """Mutable on purpose, and private to one call of `resolve`."""

    def __init__(self, draft: Draft) -> None:
        self.values: dict[str, Any] = flat(draft.spec)
        self.provenance: dict[str, Provenance] = {}
        self.questions: list[Question] = []
        self.errors: list[PlanError] = []
        self.refusal: Refusal | None = draft.refusal
        self.notes: list[str] = []
        quotes = {quote.field: quote.quote for quote in draft.quotes}
        for field in self.values:
            source: Literal["user", "inferred"] = "user" if field in quotes else "inferred"
            reason = draft.inferred.get(field) or (None if field in quotes else "read from the request as a whole")
            self.provenance[field] = Provenance(source=source, quote=quotes.get(field), reason=reason)
        for question in draft.questions:
            self.ask(question.field, question.question, question.suggestion)

    def get(self, field: str) -> Any:
        """The value of a dotted field, or None."""
        return self.values.get(field)

    def user(self, field: str, value: Any, quote: str) -> None:
        """Set what the user said; it settles questions and earlier values of the same field."""
        self.values[field] = value
        self.provenance[field] = Provenance(source="user", quote=quote)
        self.questions = [question for question in self.questions if question.field != field]

    def infer(self, field: str, value: Any, reason: str) -> None:
        """Set what follows from something else, where the user did not say it."""
        if value is not None and field not in self.values:
            self._fill(field, value, "inferred", reason)

    def default(self, field: str, value: Any, reason: str) -> None:
        """Set what holds unless said otherwise."""
        if field not in self.values:
            self._fill(field, value, "default", reason)

    def _fill(self, field: str, value: Any, source: Literal["inferred", "default"], reason: str) -> None:
        self.values[field] = value
        rejected = self.provenance.get(field)
        if rejected is None:
            self.provenance[field] = Provenance(source=source, reason=reason)
        else:  # what the user wrote stays visible beside what is used instead
            why = f"{(rejected.reason or '').rstrip('.')}; until then: {reason}"
            self.provenance[field] = rejected.model_copy(update={"reason": why})

    def reject(self, field: str, rule: str, hint: str, code: str = "bad_value") -> None:
        """Take a value out of the spec and say why; the plan is not ready until it is corrected."""
        self.lack(field, rule, hint, code)
        self.drop(field, rule)

    def lack(self, field: str, rule: str, hint: str, code: str = "not_available") -> None:
        """Say that a sound value cannot be had here; it stays in the spec, and the plan is not ready."""
        self.errors.append(PlanError(code=code, param=field, message=rule, hint=hint))

    def drop(self, field: str, rule: str, quote: str | None = None) -> None:
        """Take a value out of the spec; its provenance keeps the user's words and the rule."""
        origin = self.provenance.get(field)
        value = self.values.pop(field, None)
        if quote is not None or (origin is not None and origin.source == "user"):
            words = quote or (origin.quote if origin else None) or str(value)
            self.provenance[field] = Provenance(source="default", quote=words, reason=f"rejected: {rule}")
        else:
            self.provenance.pop(field, None)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """What goes wrong inside ends it and is taken down: an input error as `fail` says, an open question asked."""
        try:
            yield
        except Undecided as undecided:
            self.ask(undecided.field, undecided.question, undecided.suggestion)
        except InputError as error:
            self.fail(error)

    def fail(self, error: InputError) -> None:
        """Record an input error; a value of the spec that caused it is taken out, an unsafe path is refused."""
        if error.code == "unsafe_path":
            self.refuse(RefusalClass.UNSAFE_PATH, f"{error.param}: {error.rule} {error.hint}")
            self.drop(error.param, error.rule)
            return
        if error.param.startswith(("search.", "constraints.", "budget.", "objective.")):
            self.reject(error.param, error.rule, error.hint, error.code)
        else:  # data and model: what was named stays in the spec, so that it can be seen and corrected
            is_data_file = error.param.startswith("data.") and error.code == "missing_file"
            self.lack(error.param, error.rule, error.hint, "missing_data" if is_data_file else error.code)

    def refuse(self, kind: RefusalClass, message: str) -> None:
        """Turn the request down; the first reason stands."""
        if self.refusal is None:
            self.refusal = Refusal(kind=kind, message=message)

    def ask(self, field: str, question: str, suggestion: str | None = None) -> None:
        """Add a blocking question, one a field and three at most: more come once these are answered."""
        if len(self.questions) < MAX_QUESTIONS and field not in {q.field for q in self.questions}:
            self.questions.append(Question(field=field, question=question, suggestion=suggestion))

    def is_users(self, field: str) -> bool:
        """Whether the user said this field's value."""
        origin = self.provenance.get(field)
        return field in self.values and origin is not None and origin.source == "user"

    def draft_spec(self) -> DraftSpec:
        """The spec with what is known so far."""
        return DraftSpec.model_validate(nested(self.values))

    def task_spec(self) -> TaskSpec:
        """The closed spec. Raises pydantic's ValidationError while something is missing or does not fit."""
        return TaskSpec.model_validate(nested(self.values))

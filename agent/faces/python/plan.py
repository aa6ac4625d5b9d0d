"""A plan as seen from Python: look at it, edit it in words, answer what it asks, start it."""

import io
import json
from typing import Any

from rich.console import Console

from agent.desk.cards import PlanCard, Problem
from agent.desk.desk import Desk, Planned
from agent.desk.words import plan_text
from agent.errors import InputError, NeedsAnswer
from agent.faces.python.notebook import card_html
from agent.faces.python.study import StudyHandle
from agent.report.terminal import TerminalMarkdown
from agent.request.draft import Question, answered
from agent.request.markup import duration
from agent.request.plan import Plan
from agent.request.plan_rows import HASH_SHOWN
from trainers.spec import Intent


class PlanHandle:
    """One plan; it never changes, an edit or an answer gives another one. Nothing is spent before `start`."""

    def __init__(self, desk: Desk, planned: Planned) -> None:
        """Use `Tunewright.plan`."""
        self._desk, self._planned = desk, planned

    @property
    def card(self) -> PlanCard:
        """The plan in short."""
        return self._planned.card

    @property
    def plan(self) -> Plan:
        """The whole plan: resolved spec, provenance, data profile, search space, estimate."""
        return self._planned.plan

    @property
    def ready(self) -> bool:
        """Whether it can be started."""
        return self.card.ready

    @property
    def plan_hash(self) -> str | None:
        """What an approval binds to; None while it is not ready."""
        return self.card.plan_hash

    @property
    def questions(self) -> tuple[Question, ...]:
        """What only you can decide; `answer` each."""
        return self.card.questions

    @property
    def problem(self) -> Problem | None:
        """Why it cannot be carried out, where that is so."""
        return self.card.problem

    def edit(self, text: str) -> "PlanHandle":
        """The plan after an edit in words: "use rank 32", "make it 20 trials", "on other.csv"."""
        return PlanHandle(self._desk, self._desk.edit(self._planned, text))

    def answer(self, field: str, value: Any) -> "PlanHandle":
        """The plan with the question about `field` answered. Raises InputError for a value it cannot have."""
        reply = value if isinstance(value, str) else json.dumps(value)
        draft = answered(self._planned.draft, field, reply)
        overrides = self._planned.overrides
        planned = self._desk.plan_draft(
            self.plan.request, draft, before=self.plan, overrides=overrides, llm=self.plan.llm
        )
        return PlanHandle(self._desk, planned)

    def start(self, key: str | None = None) -> StudyHandle:
        """Approve this very plan and queue its study; returns at once. See `Tunewright.start`."""
        return StudyHandle(self._desk, self._desk.start(self.needed_hash(), face="python", key=key).study)

    def needed_hash(self) -> str:
        """Its hash. Raises NeedsAnswer while a question is open, InputError where it cannot be carried out."""
        if self.card.plan_hash is not None:
            return self.card.plan_hash
        if (problem := self.card.problem) is not None:
            raise InputError(problem.param or "request", problem.message, problem.hint or "", problem.code)
        if not self.questions:
            intent = self.plan.spec.intent or Intent.UNSUPPORTED
            raise InputError("request", f"asks to {intent}, not to train.", "Use `study()` for studies there are.")
        questions = " ".join(
            f"{q.field}: {q.question}{f' (suggestion: {q.suggestion})' if q.suggestion else ''}" for q in self.questions
        )
        raise NeedsAnswer(f"the plan has open questions. {questions} Use plan.answer(field, value).")

    def __repr__(self) -> str:
        card = self.card
        time = f", about {duration(card.seconds_p50)}" if card.seconds_p50 is not None else ""
        state = f"{card.plan_hash[:HASH_SHOWN]} ready" if card.plan_hash else "not ready"
        return f"<plan {state}: {card.request!r}, {card.trials} trials{time}>"

    def __str__(self) -> str:
        """The whole plan for people, 80 columns wide."""
        out = io.StringIO()
        console = Console(file=out, width=80, color_system=None, force_jupyter=False)
        console.print(TerminalMarkdown(plan_text(self.card)), crop=False)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    def _repr_html_(self) -> str:
        return card_html(self.card)

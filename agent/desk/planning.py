"""From a request to an approved plan, and the plan as a card: what was understood, what an edit changed."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from agent.desk.cards import Line, PlanCard, Problem
from agent.errors import InputError, NeedsAnswer, require_readable
from agent.llm import traces
from agent.llm.calls import LlmCall
from agent.llm.open import open_planner
from agent.request.draft import NO_OVERRIDES, Draft, Overrides
from agent.request.plan import Plan, copied
from agent.request.plan_rows import data_rows, searched_rows, understood_rows
from agent.request.read import read_request
from agent.request.resolve import Resolved, resolve
from agent.request.spec_file import is_spec_file, load_spec
from agent.settings import Settings, load_settings
from agent.study.nouns import Study
from agent.study.store import Store
from trainers.dotted import flat
from trainers.spec import Closed

SHORTEST_PREFIX = 8
"""Characters of a plan hash that must be given to approve by it."""


@dataclass
class Job:
    """One request on its way to becoming a study; the LLM calls made so far are kept until there is a study."""

    request: str
    settings: Settings
    flags: Overrides = NO_OVERRIDES
    calls: list[LlmCall] = field(default_factory=list)
    copies: Study | None = None
    """The study whose configuration is taken over; the request is an edit of it then, and may be empty."""
    previous: Draft | None = None
    """The draft that the request is an edit of."""
    earlier: str = ""
    """What was said towards that draft."""

    @property
    def words(self) -> str:
        """Everything that was said, what the request edits included."""
        earlier = self.copies.plan.request if self.copies else self.earlier
        if not earlier:
            return self.request
        return "; ".join(filter(None, (earlier.rstrip(), self.request.strip())))

    def plan(self, draft: Draft | None = None) -> Resolved:
        """Read (unless a draft is given) and resolve. Raises InputError for an unreadable spec file."""
        resolved = resolve(self.words, draft or self.read(), self.settings, self.flags)
        if self.copies is None:
            return resolved
        return replace(resolved, plan=with_copy_note(resolved.plan, self.copies))

    def read(self) -> Draft:
        """The draft of the request, of the spec file it names, or of an edit."""
        words, previous = self.request, self.previous
        if self.copies is not None:
            if is_spec_file(words):
                rule = "a copied study is edited in words, and this names a spec file."
                raise InputError("request", rule, "Leave out one of the two.")
            previous = copied(self.copies.plan, self.copies.study_id, self.copies.cwd)
            if not words.strip():
                return previous
        if not words.strip():
            hint = 'Try: tunewright plan "classify tickets.csv"'
            raise InputError("request", "must say what to do, got nothing.", hint)
        require_readable("request", words)
        if previous is None and is_spec_file(words):
            return load_spec(Path(words))
        if self.settings.llm == "embedded":  # opening another planner costs a second
            return read_request(words, previous=previous)
        traces.use(self.settings.watching.telemetry)
        planner = open_planner(self.settings.llm, on_call=self.calls.append)
        return read_request(words, planner=planner, previous=previous)


def job_of(request: str | None, flags: Mapping[str, Any], llm: str | None, from_study: str | None = None) -> Job:
    """A job of this process's settings. `flags` are the command line's options by name; they count as the user's words.

    `from_study` is a study to copy, whose planner it takes over as well.
    """
    overrides = Overrides.model_validate(dict(flags))
    if from_study is None:
        return Job(request or "", load_settings(llm), overrides)
    with Store.open(load_settings().database, read_only=True) as store:
        study = store.study(from_study)
    return Job(request or "", load_settings(llm or study.plan.llm), overrides, copies=study)


def command_of(request: str, flags: Overrides, llm: str) -> str:
    """The command that gives the same study: request and flags as typed."""
    options = {
        "--data": flags.data,
        "--trials": flags.trials,
        "--seconds": flags.seconds,
        "--warm-start": flags.warm_start,
        "--llm": None if llm == "embedded" else llm,
    }
    typed = [part for name, value in options.items() if value is not None for part in (name, str(value))]
    return shlex.join(["tunewright", "run", request, *typed, "--yes"])


def is_hash_of(plan_hash: str, prefix: str) -> bool:
    """Whether `prefix` stands for the plan with this hash: 8 characters of it or more."""
    start = prefix.removeprefix("sha256:").lower()
    return len(start) >= SHORTEST_PREFIX and plan_hash.startswith(start)


class Approval(Closed):
    """How a plan may be approved: beforehand (`yes`), by its hash, or by asking in a terminal."""

    yes: bool = False
    plan_hash: str | None = None
    interactive: bool = False


def approve(plan: Plan, approval: Approval) -> None:
    """Raises NeedsAnswer unless the plan is approved; an approval by hash must match this very plan."""
    if approval.plan_hash is not None:
        if not is_hash_of(plan.plan_hash, approval.plan_hash):
            raise NeedsAnswer(
                f"the approved hash {approval.plan_hash} is not that of this plan ({plan.plan_hash[:12]}). "
                "Something changed: look at the plan again."
            )
    elif not approval.yes:
        if not approval.interactive:
            raise NeedsAnswer(f"the plan waits for approval. Run again with --yes or --approve {plan.plan_hash[:12]}.")
        if not click.confirm(f"Carry out plan {plan.plan_hash[:12]}?", default=True):
            raise NeedsAnswer("not approved; nothing was done.")


def plan_card(plan: Plan, previous: Plan | None = None) -> PlanCard:
    """`plan` in short; with `previous`, also what differs from it."""
    return PlanCard(
        plan_hash=plan.plan_hash if plan.ready else None,
        ready=plan.ready,
        request=plan.request,
        understood=tuple(Line(name=n, value=v, origin=o) for n, v, o in understood_rows(plan)),
        data=tuple(Line(name=name, value=value) for name, value in data_rows(plan)),
        searched=tuple(
            Line(name=name, value=values, origin=f"default {default} {quote}".rstrip())
            for name, default, values, quote in searched_rows(plan)
        ),
        trials=plan.spec.budget.trials,
        llm_tokens=plan.estimate.llm_tokens or None,
        **plan.estimate.model_dump(exclude={"llm_tokens"}),
        device=plan.device,
        questions=plan.questions,
        problem=_problem(plan),
        notes=plan.notes,
        not_obeyed=plan.ignored,
        changed=_changed(plan, previous) if previous is not None else (),
    )


def _problem(plan: Plan) -> Problem | None:
    if plan.refusal is not None:
        return Problem(code=plan.refusal.kind, message=plan.refusal.message)
    if plan.error is not None:
        error = plan.error
        return Problem(code=error.code, message=error.message, param=error.param, hint=error.hint)
    return None


def _changed(plan: Plan, previous: Plan) -> tuple[Line, ...]:
    """Fields of the spec that differ: name, what it is now, what it was."""
    now, before = _leaves(plan), _leaves(previous)
    return tuple(
        Line(name=name, value=now.get(name, "not set"), origin=before.get(name, "not set"))
        for name in dict.fromkeys([*now, *before])
        if now.get(name) != before.get(name)
    )


def _leaves(plan: Plan) -> dict[str, str]:
    return {name: _value_words(value) for name, value in flat(plan.spec.model_dump(mode="json")).items() if value != []}


def _value_words(value: Any) -> str:
    if isinstance(value, dict):
        values = {k: v for k, v in value.items() if v is not None}
        if set(values) == {"low", "high"}:
            return f"{values['low']:g} to {values['high']:g}"
        return ", ".join(f"{k} {_value_words(v)}" for k, v in values.items())
    if isinstance(value, list):
        return ", ".join(map(_value_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def with_copy_note(plan: Plan, study: Study) -> Plan:
    """`plan`, made from a copy of `study`'s, with a note that says what differs between the two."""
    if not plan.ready:
        return plan
    note = f"Copied from study {study.study_id}: the very same plan."
    if plan.plan_hash != study.plan_hash:
        fields = [f"{line.name} is {line.value}, was {line.origin}" for line in _changed(plan, study.plan)]
        differs = [*fields, *_circumstances(plan, study.plan)] or ["something differs"]
        note = f"Copied from study {study.study_id}; {'; '.join(differs)}."
    return plan.model_copy(update={"notes": (note, *plan.notes)})


def _circumstances(plan: Plan, previous: Plan) -> list[str]:
    """What differs without anybody having asked for it."""
    pairs = (
        ("the rows of the data", plan.data and plan.data.splits, previous.data and previous.data.splits),
        ("the search space", plan.space, previous.space),
        ("the base model", plan.base and plan.base.fingerprint, previous.base and previous.base.fingerprint),
        ("the machine", (plan.device, plan.precision), (previous.device, previous.precision)),
        ("the planner", plan.llm, previous.llm),
    )
    names = [name for name, now, before in pairs if now != before]
    return [f"different: {', '.join(names)}"] if names else []

"""From a request to an approved plan and a stored study."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from agent.desk.plans import with_copy_note
from agent.errors import InputError, NeedsAnswer, require_readable
from agent.llm import traces
from agent.llm.calls import LlmCall
from agent.llm.open import open_planner
from agent.request.draft import NO_OVERRIDES, Draft, Overrides
from agent.request.plan import Plan, copied
from agent.request.read import read_request
from agent.request.resolve import Resolved, resolve
from agent.request.spec_file import is_spec_file, load_spec
from agent.settings import Settings, load_settings
from agent.study.nouns import Study
from agent.study.store import Store
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

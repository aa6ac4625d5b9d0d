"""From a request to an approved plan and a stored study."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from agent.desk.plans import with_copy_note
from agent.errors import InputError, NeedsAnswer, require_readable
from agent.llm import traces
from agent.llm.calls import LlmCall
from agent.llm.open import open_planner
from agent.request.copied import copied
from agent.request.draft import Draft, Overrides
from agent.request.plan import Plan
from agent.request.read import read_request
from agent.request.resolve import Resolved, resolve
from agent.request.spec_file import is_spec_file, load_spec
from agent.run.carry_out import prepared_data, take_data
from agent.settings import Settings, load_settings
from agent.study.nouns import Study
from agent.study.store import Store
from tools.data.prepare_data import prepare
from trainers.spec import Closed

SHORTEST_PREFIX = 8
"""Characters of a plan hash that must be given to approve by it."""


@dataclass
class Job:
    """One request on its way to becoming a study; the LLM calls made so far are kept until there is a study."""

    request: str
    settings: Settings
    flags: Overrides
    calls: list[LlmCall] = field(default_factory=list)
    copies: Study | None = None
    """The study whose configuration is taken over; the request is an edit of it then, and may be empty."""

    @property
    def words(self) -> str:
        """Everything that was said, the copied study's own request included."""
        said = [self.copies.plan.request.rstrip()] if self.copies else []
        return "; ".join([*said, *([self.request] if self.request.strip() or not said else [])])

    def plan(self, draft: Draft | None = None) -> Resolved:
        """Read (unless a draft is given) and resolve. Raises InputError for an unreadable spec file."""
        resolved = resolve(self.words, draft or self.read(), self.settings, self.flags)
        if self.copies is None:
            return resolved
        return replace(resolved, plan=with_copy_note(resolved.plan, self.copies))

    def read(self, text: str | None = None, previous: Draft | None = None) -> Draft:
        """The draft of the request, of the spec file it names, or of an edit of `previous`."""
        if text is None and previous is None and self.copies is not None:
            if is_spec_file(self.request):
                rule = "a copied study is edited in words, and this names a spec file."
                raise InputError("request", rule, "Leave out one of the two.")
            copy = copied(self.copies.plan, self.copies.study_id, self.copies.cwd)
            return self.read(self.request, copy) if self.request.strip() else copy
        words = self.request if text is None else text
        if not words.strip():
            raise InputError(
                "request", "must say what to do, got nothing.", 'Try: tunewright plan "classify tickets.csv"'
            )
        require_readable("request", words)
        if text is None and is_spec_file(words):
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


def create_study(
    resolved: Resolved,
    settings: Settings,
    store: Store,
    command: str,
    also: Callable[[str], None] = lambda study_id: None,
) -> str:
    """Store an approved plan as a study, its data beside it; the study's id. `also` writes in the same transaction."""

    if resolved.profiled is None:
        raise InputError("data.train", "the plan holds no data.", "Name a file or a hub data set.")
    prepare(resolved.profiled, prepared_data(resolved.plan, settings))
    with store.tx():
        study = store.create_study(resolved.plan, command=command)
        also(study.study_id)
    take_data(study, settings)
    return study.study_id


def command_of(request: str, flags: Overrides, llm: str) -> str:
    """The command that gives the same study: request and flags as typed."""
    named = {"--data": flags.data, "--trials": flags.trials, "--seconds": flags.seconds}
    named["--warm-start"] = flags.warm_start
    given = [part for name, value in named.items() if value is not None for part in (name, str(value))]
    planner = [] if llm == "embedded" else ["--llm", llm]
    return shlex.join(["tunewright", "run", request, *given, *planner, "--yes"])


class Approval(Closed):
    """How a plan may be approved: beforehand (`yes`), by its hash, or by asking in a terminal."""

    yes: bool = False
    plan_hash: str | None = None
    interactive: bool = False


def approve(plan: Plan, approval: Approval) -> None:
    """Raises NeedsAnswer unless the plan is approved; an approval by hash must match this very plan."""
    if approval.plan_hash is not None:
        given = approval.plan_hash.removeprefix("sha256:")
        if len(given) < SHORTEST_PREFIX or not plan.plan_hash.startswith(given):
            raise NeedsAnswer(
                f"the approved hash {given} is not that of this plan ({plan.plan_hash[:12]}). Something changed: "
                "look at the plan again."
            )
    elif not approval.yes:
        if not approval.interactive:
            raise NeedsAnswer(f"the plan waits for approval. Run again with --yes or --approve {plan.plan_hash[:12]}.")
        if not click.confirm(f"Carry out plan {plan.plan_hash[:12]}?", default=True):
            raise NeedsAnswer("not approved; nothing was done.")

"""From a request to a report: the path behind `tunewright plan`, `run` and `resume`."""

import json
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.errors import InputError, NeedsAnswer, ObserverGone
from agent.readable import require_readable
from agent.request.draft import Draft
from agent.request.overrides import Overrides
from agent.request.plan import Plan
from agent.request.resolve import Resolved, resolve
from agent.settings import Settings
from agent.study import EventKind, Observer, Study, StudyEvent, StudyState
from trainers.spec import Closed, Intent

if TYPE_CHECKING:
    from agent.llm import LlmCall, Planner
    from agent.search.proposer import Proposer
    from agent.store import Store
    from trainers.space import Space

SHORTEST_PREFIX = 8
"""Characters of a plan hash that must be given to approve by it."""


class Approval(Closed):
    """How a plan may be approved: beforehand (`yes`), by its hash, or by asking in a terminal."""

    yes: bool = False
    plan_hash: str | None = None
    interactive: bool = False


@dataclass
class Job:
    """One request on its way to becoming a study; the LLM calls made so far are kept until there is a study."""

    request: str
    settings: Settings
    flags: Overrides
    calls: "list[LlmCall]" = field(default_factory=list)
    copies: Study | None = None
    """The study whose configuration is taken over; the request is an edit of it then, and may be empty."""

    @property
    def words(self) -> str:
        """Everything that was said, the copied study's own request included."""
        said = [self.copies.plan.request.rstrip()] if self.copies else []
        return "; ".join([*said, *([self.request] if self.request.strip() or not said else [])])

    def plan(self, draft: Draft | None = None) -> Resolved:
        """Read (unless a draft is given) and resolve. Raises InputError for an unreadable spec file."""
        from agent.desk.plans import with_copy_note

        resolved = resolve(self.words, draft or self.read(), self.settings, self.flags)
        if self.copies is None:
            return resolved
        return replace(resolved, plan=with_copy_note(resolved.plan, self.copies))

    def read(self, text: str | None = None, previous: Draft | None = None) -> Draft:
        """The draft of the request, of the spec file it names, or of an edit of `previous`."""
        from agent.request.copied import copied
        from agent.request.read import read_request
        from agent.request.spec_file import is_spec_file, load_spec

        if text is None and previous is None and self.copies is not None:
            if is_spec_file(self.request):
                rule = "a copied study is edited in words, and this names a spec file."
                raise InputError("request", rule, "Leave out one of the two.")
            return self.read(self.request, copied(self.copies)) if self.request.strip() else copied(self.copies)
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
        from agent.llm import open_planner
        from agent.watch import traces

        traces.use(self.settings.watching.telemetry)
        planner = open_planner(self.settings.llm, on_call=self.calls.append)
        return read_request(words, planner=planner, previous=previous)


def job_of(request: str | None, flags: Overrides, llm: str | None, from_study: str | None = None) -> Job:
    """A job of this process's settings; `from_study` is a study to copy, whose planner it takes over as well."""
    from agent.settings import load_settings
    from agent.store import Store

    if from_study is None:
        return Job(request or "", load_settings(llm), flags)
    with Store.open(load_settings().database, read_only=True) as store:
        study = store.study(from_study)
    return Job(request or "", load_settings(llm or study.plan.llm), flags, copies=study)


def overrides(data: str | None, trials: int | None, seconds: float | None, warm_start: str | None = None) -> Overrides:
    """What the command line's flags say; they count as the user's words."""
    return Overrides(data=data, trials=trials, seconds=seconds, warm_start=warm_start)


def exit_code(plan: Plan) -> int:
    """0 for a plan that can be carried out, 2 for a refusal or an error, 3 for open questions."""
    if plan.refusal or plan.error:
        return 2
    return 3 if plan.questions else 0


def run_job(job: Job, approval: Approval, as_json: bool) -> int:
    """Plan, approve, carry out, report. Requests about an existing study are answered instead."""
    from agent.watch.watched import require_watchers

    resolved = settled(job, approval).resolved
    plan = resolved.plan
    if plan.spec.intent not in (Intent.TRAIN, Intent.PLAN, Intent.UNSUPPORTED, None) and not plan.refusal:
        from agent.control import answer_about_study

        return answer_about_study(plan, job.settings, as_json)
    show_plan(plan, as_json)
    if not plan.ready or plan.spec.intent is Intent.PLAN:
        return exit_code(plan)
    open_study_planner(plan)  # a missing key or price is told before there is a study
    require_watchers(job.settings)
    approve(plan, approval)
    return carry_out(_create(resolved, job), job.settings, as_json)


@dataclass(frozen=True)
class Settled:
    """A plan with its draft; `edited`: the request alone does not give the draft."""

    resolved: Resolved
    draft: Draft
    edited: bool


def settled(job: Job, approval: Approval) -> Settled:
    """The plan, its open questions put to the person at the terminal where there is one."""
    draft, edited = job.read(), job.copies is not None
    resolved = job.plan(draft)
    while resolved.plan.questions and approval.interactive and not resolved.plan.refusal:
        draft, edited = _ask(job, draft, resolved.plan), True
        resolved = job.plan(draft)
    return Settled(resolved, draft, edited)


def show_plan(plan: Plan, as_json: bool) -> None:
    """The plan for people, or as one JSON object."""
    from agent.cli import console
    from agent.request.plan_view import plan_json, print_plan

    if as_json:
        click.echo(json.dumps(plan_json(plan), ensure_ascii=False))
    else:
        print_plan(plan, console())


def carry_out(study_id: str | None, settings: Settings, as_json: bool) -> int:
    """Run or resume a study to its report; the latest one where none is named."""
    from agent.desk.desk import Desk

    with Desk(settings) as desk:
        store, study = desk.store, desk.study(study_id)
        if study.state is not StudyState.DONE:
            store.withdraw_cancel(study.study_id)
            try:
                with _stopped_by_signals():
                    _run(study, store, settings, lambda stack: _observer(study, store, as_json, stack))
            except (KeyboardInterrupt, ObserverGone):
                _tell_how_to_go_on(study)
                raise
    return _finish(study, settings, as_json)


def work_on(study_id: str, store: "Store", settings: Settings) -> StudyState:
    """Run or resume a study with nobody watching; where it stands after that.

    A cancel request of before is obeyed, unlike in `carry_out`. SIGTERM stops the study and raises KeyboardInterrupt.
    """
    study = store.study(study_id)
    with _stopped_by_signals():
        _run(study, store, settings, lambda stack: Unwatched())
    study = store.study(study_id)
    if study.state is StudyState.DONE:
        _merge_if_asked(study)
    return study.state


class Unwatched:
    """An observer for a study that nobody watches: what happens is in the store."""

    def on_event(self, event: StudyEvent) -> None:
        """Nothing to show."""


def _run(study: Study, store: "Store", settings: Settings, observe: Callable[[ExitStack], Observer]) -> None:
    from agent.loop import run_study
    from agent.report.write import write_report
    from agent.run.local import LocalExecutor, local_slots
    from agent.run.opening import open_test_in_child
    from agent.vllm_server import close_servers
    from agent.watch.watched import watched
    from tools.fetch_base import fetch_base

    with ExitStack() as stack:
        stack.callback(close_servers)  # a server of the planner LLM's that a question has started
        if study.plan.base is not None:
            fetch_base(study.plan.base)
        _take_data(study, settings)
        observer = stack.enter_context(watched(observe(stack), study, store, settings))
        executor = LocalExecutor(local_slots(study.plan.device, study.spec.budget.parallel_trials), study.directory)
        stack.callback(executor.close)
        build = _proposers(study, store, observer)
        run_study(
            study.study_id,
            store=store,
            executor=executor,
            proposer=build(_planned_space(study)),
            rebuild=build,
            observer=observer,
            open_test=lambda spec: open_test_in_child(spec, study.directory, study.plan.device),
            write_report=write_report,
        )


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal stop the study as Ctrl-C does; a signal that is ignored (`nohup`) stays ignored."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    found = {s: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGHUP)}
    kept = {sign: handler for sign, handler in found.items() if handler not in (signal.SIG_IGN, None)}
    for sign in kept:
        signal.signal(sign, stop)
    try:
        yield
    finally:
        for sign, handler in kept.items():
            signal.signal(sign, handler)


def _ask(job: Job, draft: Draft, plan: Plan) -> Draft:
    """Put the open questions to the person at the terminal; the answers are read as edits of the request."""
    from agent.cli import console
    from agent.request.answer import answered

    show_plan(plan, as_json=False)
    for question in plan.questions:
        console().print(f"[bold]{question.question}[/]")
        reply = click.prompt(question.field, default=question.suggestion)
        draft = answered(draft, question.field, str(reply))
    return draft


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


def _create(resolved: Resolved, job: Job) -> str:
    """Store the study. Its data are written first, so that a crash in between leaves nothing half made."""
    from agent.store import Store

    with Store.open(job.settings.database) as store:
        study_id = create_study(resolved, job.settings, store, command=_command(job))
        for call in job.calls:
            store.log_llm_call(call, study_id)
    return study_id


def create_study(
    resolved: Resolved,
    settings: Settings,
    store: "Store",
    command: str,
    also: Callable[[str], None] = lambda study_id: None,
) -> str:
    """Store an approved plan as a study, its data beside it; the study's id. `also` writes in the same transaction."""
    from tools.prepare_data import prepare

    if resolved.profiled is None:
        raise InputError("data.train", "the plan holds no data.", "Name a file or a hub data set.")
    prepare(resolved.profiled, _prepared(resolved.plan, settings))
    with store.tx():
        study = store.create_study(resolved.plan, command=command)
        also(study.study_id)
    _take_data(study, settings)
    return study.study_id


def _prepared(plan: Plan, settings: Settings) -> Path:
    """Where a plan's data wait until its study has a directory."""
    return settings.home / "prepared" / plan.plan_hash


def _take_data(study: Study, settings: Settings) -> None:
    """Move the prepared data into the study's directory; nothing to do where they are there already."""
    data = study.directory / "data"
    if not data.exists():
        data.parent.mkdir(parents=True, exist_ok=True)
        _prepared(study.plan, settings).rename(data)


def _command(job: Job) -> str:
    if job.copies is None:
        return command_of(job.request, job.flags, job.settings.llm)
    return "tunewright run --from-study {study} --yes"


def command_of(request: str, flags: Overrides, llm: str) -> str:
    """The command that gives the same study: request and flags as typed."""
    named = {"--data": flags.data, "--trials": flags.trials, "--seconds": flags.seconds}
    named["--warm-start"] = flags.warm_start
    given = [part for name, value in named.items() if value is not None for part in (name, str(value))]
    planner = [] if llm == "embedded" else ["--llm", llm]
    return shlex.join(["tunewright", "run", request, *given, *planner, "--yes"])


def _planned_space(study: Study) -> "Space":
    if study.plan.space is None:
        raise InputError("study", f"{study.study_id} has no search space in its plan.", "Start a new study.")
    return study.plan.space


def _proposers(study: Study, store: "Store", observer: Observer) -> "Callable[[Space], Proposer]":
    """Makes the study's proposer over a space: the plan's, or a wider one later. All share one planner LLM."""
    from agent.budget import llm_reservation
    from agent.loop import tell
    from agent.search.affordable import affordable
    from agent.search.hybrid import build_proposer
    from agent.search.llm_batch import LlmBatch
    from agent.search.task_card import task_card
    from agent.search.tradeoff import trading_off
    from agent.search.warm_start import warmed_up
    from tools.base_model import cache_directory
    from tools.estimate import training_flops
    from tools.machine import find_machine

    plan, past = study.plan, study.plan.past
    if past is not None and not store.events(study.study_id, kind=EventKind.WARM_STARTED):
        brought = {"study": past.study, "used": len(past.trials), "left_out": past.left_out}
        tell(observer, store.log_event(study.study_id, EventKind.WARM_STARTED, None, brought))
    planner = open_study_planner(
        plan,
        store.llm_spending(study.study_id),
        on_call=lambda call: store.log_llm_call(call, study.study_id),
        on_reserve=lambda tokens, usd: llm_reservation(store, study.study_id, tokens, usd),
        on_event=lambda event: tell(
            observer, store.log_event(study.study_id, EventKind.PLANNER, None, event.model_dump())
        ),
    )

    machine, card = find_machine(), task_card(plan)
    fits = affordable(plan, machine, training_flops(machine, cache_directory()))

    def build(space: "Space") -> "Proposer":
        said = store.llm_calls(study.study_id)
        batch = LlmBatch(space, card, planner, background=True, past=said) if planner else None
        proposer = trading_off(build_proposer(space, card, batch, fits=fits), study.spec.objective)
        return warmed_up(proposer, space, past.trials if past else ())

    return build


def open_study_planner(plan: Plan, spent: tuple[int, float] = (0, 0.0), **reports: Any) -> "Planner | None":
    """The plan's planner LLM under its caps, of which `spent` (tokens, dollars) is used; None for `embedded`."""
    if plan.llm == "embedded":
        return None
    from agent.llm import LlmCaps, open_planner

    tokens, usd = spent
    limit = plan.spec.budget.llm_usd
    caps = LlmCaps(tokens=plan.estimate.llm_tokens or None, usd=limit, tokens_used=tokens, usd_used=usd)
    return open_planner(plan.llm, caps=caps, **reports)


def _observer(study: Study, store: "Store", as_json: bool, stack: ExitStack) -> Observer:
    from agent.cli import console
    from agent.live import JsonLines, LiveView

    if as_json:
        return JsonLines()
    view = LiveView(study, console(), store.balance(study.study_id, "wall_seconds"))
    view.restore(store.events(study.study_id))
    return stack.enter_context(view)


def _finish(study: Study, settings: Settings, as_json: bool) -> int:
    """Print the report of a study that is done; 130 for one that was cancelled from elsewhere."""
    from agent.show import show_report
    from agent.store import Store

    with Store.open(settings.database) as store:
        study = store.study(study.study_id)
    if study.state is StudyState.CANCELLED:
        _tell_how_to_go_on(study)
        return 130
    _merge_if_asked(study)
    show_report(study.study_id, settings, as_json)
    return 0


def _merge_if_asked(study: Study) -> None:
    """Write the merged model of a spec with `output.merge` beside the adapter, unless an earlier run did."""
    from agent.confirm import report_directory
    from tools.export import export

    merged = report_directory(study) / "merged"
    if study.spec.output.merge and not merged.exists():  # it appears complete or not at all
        export(report_directory(study) / "adapter", merged, merge=True)
        click.echo(f"merged model in {merged}", err=True)


def _tell_how_to_go_on(study: Study) -> None:
    with suppress(OSError):  # the terminal may be gone
        click.echo(f"study {study.study_id} has stopped; `tunewright resume {study.study_id}` goes on", err=True)

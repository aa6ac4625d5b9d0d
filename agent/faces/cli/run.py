"""`tunewright run` and `resume`: plan, ask, approve, carry out with a live view, report."""

import json
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from agent.desk.desk import Desk
from agent.desk.plans import plan_card
from agent.desk.words import plan_text, study_text
from agent.errors import ObserverGone
from agent.faces.cli.show import show_report
from agent.faces.console import console, print_words
from agent.faces.live import JsonLines, LiveView
from agent.report.watching.watched import require_watchers
from agent.request.answer import answered
from agent.request.draft import Draft
from agent.request.plan import Plan
from agent.request.plan_rows import HASH_SHOWN, plan_json
from agent.request.resolve import Resolved
from agent.settings import Settings
from agent.study.nouns import Observer, Study, StudyState
from agent.study.store import Store
from tools.export import export
from trainers.spec import Intent

if TYPE_CHECKING:
    from agent.study.store import Store
from pathlib import Path

from agent.desk.cards import StudyCard
from agent.desk.planning import Approval, Job, approve, command_of, create_study
from agent.errors import InputError
from agent.faces.cli.show import looking, show_card, show_explanation, show_status
from agent.run.carry_out import merge_if_asked, open_study_planner, run_stored_study, stopped_by_signals


def queue_job(job: Job, approval: Approval, key: str | None, as_json: bool) -> int:
    """Plan, approve and queue a study; returns at once. With --json one object: the study, or a plan that is not ready.

    Raises InputError for a request that asks for no study.
    """
    found = settled(job, approval)
    plan = found.resolved.plan
    intent = plan.spec.intent
    if intent not in (Intent.TRAIN, Intent.PLAN, Intent.UNSUPPORTED, None) and not plan.refusal:
        raise InputError("request", f"a request to {intent} cannot be queued.", "Leave out --detach.")
    only_plan = not plan.ready or intent is Intent.PLAN
    if only_plan or not as_json:
        show_plan(plan, as_json)
    if only_plan:
        return exit_code(plan)
    approve(plan, approval)
    with Desk(job.settings) as desk:
        calls = tuple(desk.store.log_llm_call(call) for call in job.calls)
        desk.keep(plan, found.draft, job.flags, job.settings.llm, calls, edited=found.edited)
        card = desk.start(plan.plan_hash, face="cli", key=key)
    _tell(
        card, as_json, f"`tunewright wait {card.study}` waits for it, `tunewright events {card.study} -f` follows it."
    )
    return 0


def wait_for(study: str | None, timeout: float | None, settings: Settings, as_json: bool) -> int:
    """Wait for a study to end, at most `timeout` seconds; the exit code says how it stands (`code_of`)."""
    if timeout is not None and not timeout >= 0:  # NaN, too
        raise InputError("timeout", f"must be 0 or more seconds, got {timeout:g}.", "Leave it out to wait to the end.")
    with looking(settings) as desk:
        waited_for = desk.study(study).study_id
        try:
            card = desk.wait(waited_for, timeout)
        except KeyboardInterrupt:
            click.echo(f"not waiting any more; study {waited_for} goes on", err=True)
            raise
    _tell(card, as_json, "" if card.over else "It goes on; wait again, or look at `tunewright status`.")
    return code_of(card)


def code_of(card: StudyCard) -> int:
    """0 done or still going, 1 failed, 130 stopped before its end: cancelled, paused or nobody runs it."""
    if not card.over or card.state is StudyState.DONE:
        return 0
    return 1 if card.state is StudyState.FAILED else 130


def pause_study(study: str | None, settings: Settings, as_json: bool) -> None:
    """Stop a study; it keeps its place in the queue."""
    with Desk(settings) as desk:
        card = desk.pause(study)
    _tell(card, as_json, f"`tunewright resume {card.study} --detach` goes on.")


def cancel_study(study: str | None, settings: Settings, as_json: bool) -> None:
    """Stop a study and take it off the queue."""
    with Desk(settings) as desk:
        card = desk.cancel(study)
    if card.running_pid is None:
        hint = f"`tunewright resume {card.study}` goes on."
    else:
        hint = f"Process {card.running_pid} was asked to stop; `tunewright resume {card.study}` goes on later."
    _tell(card, as_json, hint)


def resume_study(study: str | None, settings: Settings, as_json: bool) -> None:
    """Queue a stopped study again; returns at once."""
    with Desk(settings) as desk:
        card = desk.resume(study)
    _tell(card, as_json, f"`tunewright wait {card.study}` waits for it.")


def _tell(card: StudyCard, as_json: bool, hint: str) -> None:
    """The card, or the study in words and what can be done next."""
    if as_json:
        click.echo(card.model_dump_json())
        return
    if card.over:
        print_words(study_text(card))
    else:
        click.echo(f"study {card.study}: {card.state_words}, {card.trials_over} of {card.trials_limit} trials")
    if hint:
        click.echo(hint)


def export_study(study: str, out: Path | None, merge: bool, settings: Settings, as_json: bool) -> None:
    """Copy or merge the adapter of a study that is done."""

    with looking(settings) as desk:
        adapter = desk.adapter_of(study)
    show_card(export(adapter, out or Path(f"tunewright-{study}"), merge=merge), as_json)


def answer_about_study(plan: Plan, settings: Settings, as_json: bool) -> int:
    """Carry out a request that is about an existing study; 2 for those that need a command of their own."""
    intent, study = plan.spec.intent, plan.study
    if intent is Intent.STATUS:
        show_status(study, settings, as_json)
    elif intent is Intent.EXPLAIN:
        show_explanation(study, plan.trial, settings, as_json)
    elif intent is Intent.RESUME:
        return carry_out(study, settings, as_json)
    elif intent is Intent.CANCEL:
        cancel_study(study, settings, as_json)
    else:
        raise InputError(
            "request", f"a request to {intent} has a command of its own.", f"Try `tunewright {intent} --help`."
        )
    return 0


def exit_code(plan: Plan) -> int:
    """0 for a plan that can be carried out, 2 for a refusal or an error, 3 for open questions."""
    if plan.refusal or plan.error:
        return 2
    return 3 if plan.questions else 0


def run_job(job: Job, approval: Approval, as_json: bool) -> int:
    """Plan, approve, carry out, report. Requests about an existing study are answered instead."""

    resolved = settled(job, approval).resolved
    plan = resolved.plan
    if plan.spec.intent not in (Intent.TRAIN, Intent.PLAN, Intent.UNSUPPORTED, None) and not plan.refusal:
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

    if as_json:
        click.echo(json.dumps(plan_json(plan), ensure_ascii=False))
    else:
        print_words(plan_text(plan_card(plan)))
        if plan.ready:
            click.echo(f"\nTo approve: tunewright run … --approve {plan.plan_hash[:HASH_SHOWN]}, or --yes")


def carry_out(study_id: str | None, settings: Settings, as_json: bool) -> int:
    """Run or resume a study to its report; the latest one where none is named."""

    with Desk(settings) as desk:
        store, study = desk.store, desk.study(study_id)
        if study.state is not StudyState.DONE:
            store.withdraw_cancel(study.study_id)
            try:
                with stopped_by_signals():
                    run_stored_study(study, store, settings, lambda stack: _observer(study, store, as_json, stack))
            except (KeyboardInterrupt, ObserverGone):
                _tell_how_to_go_on(study)
                raise
    return _finish(study, settings, as_json)


def _ask(job: Job, draft: Draft, plan: Plan) -> Draft:
    """Put the open questions to the person at the terminal; the answers are read as edits of the request."""

    show_plan(plan, as_json=False)
    for question in plan.questions:
        console().print(f"[bold]{question.question}[/]")
        reply = click.prompt(question.field, default=question.suggestion)
        draft = answered(draft, question.field, str(reply))
    return draft


def _create(resolved: Resolved, job: Job) -> str:
    """Store the study. Its data are written first, so that a crash in between leaves nothing half made."""

    with Store.open(job.settings.database) as store:
        study_id = create_study(resolved, job.settings, store, command=_command(job))
        for call in job.calls:
            store.log_llm_call(call, study_id)
    return study_id


def _command(job: Job) -> str:
    if job.copies is None:
        return command_of(job.request, job.flags, job.settings.llm)
    return "tunewright run --from-study {study} --yes"


def _observer(study: Study, store: "Store", as_json: bool, stack: ExitStack) -> Observer:

    if as_json:
        return JsonLines()
    view = LiveView(study, console(), store.balance(study.study_id, "wall_seconds"))
    view.restore(store.events(study.study_id))
    return stack.enter_context(view)


def _finish(study: Study, settings: Settings, as_json: bool) -> int:
    """Print the report of a study that is done; 130 for one that was cancelled from elsewhere."""

    with Store.open(settings.database) as store:
        study = store.study(study.study_id)
    if study.state is StudyState.CANCELLED:
        _tell_how_to_go_on(study)
        return 130
    merge_if_asked(study)
    show_report(study.study_id, settings, as_json)
    return 0


def _tell_how_to_go_on(study: Study) -> None:
    with suppress(OSError):  # the terminal may be gone
        click.echo(f"study {study.study_id} has stopped; `tunewright resume {study.study_id}` goes on", err=True)

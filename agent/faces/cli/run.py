"""`tunewright run`, `submit` and `resume`: plan, ask, approve, queue, follow to the report."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from agent.desk.cards import StudyCard
from agent.desk.desk import Desk
from agent.desk.planning import Approval, Job, approve, plan_card
from agent.desk.words import plan_text, study_text
from agent.errors import InputError
from agent.faces.cli.follow import code_of, follow, follow_loosely
from agent.faces.cli.show import looking, show_card, show_explanation, show_status
from agent.faces.console import console, print_words
from agent.request.draft import Draft, answered
from agent.request.plan import Plan
from agent.request.plan_rows import HASH_SHOWN, plan_json
from agent.request.resolve import Resolved
from agent.settings import Settings
from agent.study.nouns import StudyState
from tools.export import export
from trainers.spec import Intent

ABOUT_A_NEW_STUDY = (Intent.TRAIN, Intent.PLAN, Intent.UNSUPPORTED, None)


def approval_of(yes: bool, plan_hash: str | None, as_json: bool) -> Approval:
    """The approval that the options give; without one a person at a terminal is asked."""
    return Approval(yes=yes, plan_hash=plan_hash, interactive=sys.stdin.isatty() and not as_json)


def exit_code(plan: Plan) -> int:
    """0 for a plan that can be carried out, 2 for a refusal or an error, 3 for open questions."""
    if plan.refusal or plan.error:
        return 2
    return 3 if plan.questions else 0


def show_plan(plan: Plan, as_json: bool) -> None:
    """The plan for people, or as one JSON object."""
    if as_json:
        click.echo(json.dumps(plan_json(plan), ensure_ascii=False))
    else:
        print_words(plan_text(plan_card(plan)))
        if plan.ready:
            click.echo(f"\nTo approve: tunewright run … --approve {plan.plan_hash[:HASH_SHOWN]}, or --yes")


def run_job(
    job: Job, approval: Approval, as_json: bool, *, detach: bool = False, key: str | None = None, wait: bool = False
) -> int:
    """Plan, approve, queue and follow to the report. Requests about an existing study are answered instead.

    `detach` returns once the study is queued; with `wait` it follows the study too, but leaves it running when the
    following is stopped. With --json that prints one object: the study, or a plan that is not ready. Raises InputError
    for `detach` with a request that asks for no study.
    """
    settled = settle(job, approval)
    plan = settled.resolved.plan
    if plan.spec.intent not in ABOUT_A_NEW_STUDY and not plan.refusal:
        if detach:
            raise InputError("request", f"a request to {plan.spec.intent} cannot be queued.", "Leave out --detach.")
        return answer_about_study(plan, job.settings, as_json)
    only_plan = not plan.ready or plan.spec.intent is Intent.PLAN
    if only_plan or not (detach and as_json):
        show_plan(plan, as_json)
    if only_plan:
        return exit_code(plan)
    approve(plan, approval)
    with Desk(job.settings) as desk:
        card = _queue(desk, job, settled, key)
        if not detach:
            return follow(desk, card.study, as_json)
        if wait:
            return follow_loosely(desk, card.study, as_json)
    hint = f"`tunewright wait {card.study}` waits for it, `tunewright events {card.study} -f` follows it."
    show_progress(card, as_json, hint)
    return 0


def resume_study(study: str | None, settings: Settings, as_json: bool, detach: bool) -> int:
    """Queue a stopped study again and follow it, or return at once (`detach`); of one that is done, the report."""
    with Desk(settings) as desk:
        stopped = desk.study(study)
        last_event = desk.store.last_seq(stopped.study_id)
        if detach or stopped.state is not StudyState.DONE:
            card = desk.resume(stopped.study_id)
        if not detach:
            return follow(desk, stopped.study_id, as_json, after=last_event)
    show_progress(card, as_json, f"`tunewright wait {card.study}` waits for it.")
    return 0


def _queue(desk: Desk, job: Job, settled: "Settled", key: str | None) -> StudyCard:
    plan = settled.resolved.plan
    calls = tuple(desk.store.log_llm_call(call) for call in job.calls)
    desk.keep(job, settled.draft, plan, calls, edited=settled.edited)
    return desk.start(plan.plan_hash, face="cli", key=key, resolved=settled.resolved)


@dataclass(frozen=True)
class Settled:
    """A plan with its draft; `edited`: the request alone does not give the draft."""

    resolved: Resolved
    draft: Draft
    edited: bool


def settle(job: Job, approval: Approval) -> Settled:
    """The plan, its open questions put to the person at the terminal where there is one."""
    draft, edited = job.read(), job.copies is not None
    resolved = job.plan(draft)
    while resolved.plan.questions and approval.interactive and not resolved.plan.refusal:
        draft, edited = _ask(draft, resolved.plan), True
        resolved = job.plan(draft)
    return Settled(resolved, draft, edited)


def _ask(draft: Draft, plan: Plan) -> Draft:
    """Put the open questions to the person at the terminal; the answers are read as edits of the request."""
    show_plan(plan, as_json=False)
    for question in plan.questions:
        console().print(f"[bold]{question.question}[/]")
        reply = click.prompt(question.field, default=question.suggestion)
        draft = answered(draft, question.field, str(reply))
    return draft


def wait_for(study: str | None, timeout: float | None, settings: Settings, as_json: bool) -> int:
    """Wait for a study to end, at most `timeout` seconds; the exit code says how it stands (`code_of`)."""
    if timeout is not None and not timeout >= 0:  # NaN, too
        raise InputError("timeout", f"must be 0 or more seconds, got {timeout:g}.", "Leave it out to wait to the end.")
    with looking(settings) as desk:
        study_id = desk.study(study).study_id
        try:
            card = desk.wait(study_id, timeout)
        except KeyboardInterrupt:
            click.echo(f"not waiting any more; study {study_id} goes on", err=True)
            raise
    show_progress(card, as_json, "" if card.over else "It goes on; wait again, or look at `tunewright status`.")
    return code_of(card)


def pause_study(study: str | None, settings: Settings, as_json: bool) -> None:
    """Stop a study; it keeps its place in the queue."""
    with Desk(settings) as desk:
        card = desk.pause(study)
    show_progress(card, as_json, f"`tunewright resume {card.study} --detach` goes on.")


def cancel_study(study: str | None, settings: Settings, as_json: bool) -> None:
    """Stop a study and take it off the queue."""
    with Desk(settings) as desk:
        card = desk.cancel(study)
    if card.running_pid is None:
        hint = f"`tunewright resume {card.study}` goes on."
    else:
        hint = f"Process {card.running_pid} was asked to stop; `tunewright resume {card.study}` goes on later."
    show_progress(card, as_json, hint)


def show_progress(card: StudyCard, as_json: bool, hint: str) -> None:
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
        return resume_study(study, settings, as_json, detach=False)
    elif intent is Intent.CANCEL:
        cancel_study(study, settings, as_json)
    else:
        rule = f"a request to {intent} has a command of its own."
        raise InputError("request", rule, f"Try `tunewright {intent} --help`.")
    return 0

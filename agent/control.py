"""What changes a study from the command line: queue, wait, pause, cancel, resume, export.

The desk does it; here it is called and told.
"""

from pathlib import Path

import click

from agent.desk.cards import StudyCard
from agent.desk.desk import Desk
from agent.errors import InputError
from agent.job import Approval, Job, approve, carry_out, exit_code, settled, show_plan
from agent.request.plan import Plan
from agent.settings import Settings
from agent.show import looking, print_details, print_studies, show_explanation, show_status
from agent.study import StudyState
from trainers.spec import Intent


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
        print_studies([card])
        print_details(card)
    else:
        click.echo(f"study {card.study}: {card.state_words}, {card.trials_over} of {card.trials_limit} trials")
    if hint:
        click.echo(hint)


def export_study(study: str, out: Path | None, merge: bool, settings: Settings, as_json: bool) -> None:
    """Copy or merge the adapter of a study that is done."""
    from tools.export import export

    with looking(settings) as desk:
        adapter = desk.adapter_of(study)
    exported = export(adapter, out or Path(f"tunewright-{study}"), merge=merge)
    if as_json:
        click.echo(exported.model_dump_json())
    else:
        kind = "merged model" if exported.merged else "adapter"
        click.echo(f"{kind} in {exported.directory} ({exported.megabytes} MB)")


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

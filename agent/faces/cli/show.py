"""Looking at studies: what `status`, `show`, `logs`, `events`, `report`, `explain`, `compare` and `queue` print.

Printers over the desk's cards; `--json` is the card itself. Nothing here changes a study.
"""

import json
from collections.abc import Sequence

import click
from rich.markup import escape
from rich.table import Table

from agent.desk.cards import Change, Comparison, Explanation, StudyCard
from agent.desk.desk import MAX_EVENTS, Desk
from agent.desk.dispatch import dispatcher_pid, is_worked_off
from agent.errors import InputError
from agent.faces.console import console
from agent.faces.live import short_config
from agent.report.terminal import print_report
from agent.request.plan_rows import duration
from agent.settings import Settings
from agent.study.nouns import StudyEvent, StudyState, Trial


def looking(settings: Settings) -> Desk:
    """A desk that only looks; an older database is brought up to date first. Raises InputError where there is none."""
    try:
        return Desk(settings, read_only=True)
    except InputError as error:
        if error.code != "old_schema":
            raise
    Desk(settings).close()
    return Desk(settings, read_only=True)


def show_status(study_id: str | None, settings: Settings, as_json: bool) -> None:
    """One line a study, or all of one study's state."""
    with looking(settings) as desk:
        cards = [desk.status(study_id)] if study_id else desk.studies()[::-1]
    if as_json:
        click.echo(cards[0].model_dump_json() if study_id else told_of("studies", cards))
        return
    print_studies(cards)
    if study_id:
        print_details(cards[0])
    for card in cards:
        if card.over and not card.paused and card.state in _UNFINISHED:
            click.echo(f"Nobody runs study {card.study}; `tunewright resume {card.study}` goes on.")
    _tell_if_nobody_works(cards, settings)


_UNFINISHED = (StudyState.PLANNED, StudyState.SEARCHING, StudyState.CONFIRMING, StudyState.REPORTING)


def show_queue(settings: Settings, as_json: bool) -> None:
    """What is to be worked off, in order."""
    with looking(settings) as desk:
        cards, pid = desk.queue(), dispatcher_pid(settings.home)
    if as_json:
        click.echo(told_of("queue", cards)[:-1] + f', "pid": {json.dumps(pid)}}}')
    elif cards:
        print_studies(cards)
        _tell_if_nobody_works(cards, settings)
    else:
        click.echo("Nothing is queued; `tunewright run … --detach` queues a study.")


def _tell_if_nobody_works(cards: Sequence[StudyCard], settings: Settings) -> None:
    """A queue stands still after a restart of the machine, until somebody waits for one of its studies."""
    waiting = next((card.study for card in cards if card.queue_place is not None), None)
    if waiting is not None and not is_worked_off(settings.home):
        click.echo(f"Nobody works on the queue; `tunewright wait {waiting}` starts it again.")


def told_of(name: str, cards: Sequence[StudyCard]) -> str:
    """Several cards as one JSON object."""
    return json.dumps({name: [card.model_dump(mode="json") for card in cards]})


def print_studies(cards: Sequence[StudyCard]) -> None:
    """One line each."""
    table = Table(box=None, pad_edge=False, expand=True)
    for column in ("study", "state", "trials", "best", "default"):
        table.add_column(column, justify="left" if column in ("study", "state") else "right")
    table.add_column("request", no_wrap=True, overflow="ellipsis", ratio=1, min_width=16)
    for card in cards:
        counts = f"{card.trials_over}/{card.trials_limit}"
        best = card.best.score if card.best else None
        words = escape(" ".join(card.request.split()))
        table.add_row(card.study, card.state_words, counts, _score(best), _score(card.default), words)
    console().print(table)


def print_details(card: StudyCard) -> None:
    """What a line of the table has no room for."""
    limit = f" of {duration(card.seconds_limit)}" if card.seconds_limit else ""
    left = f", about {duration(card.seconds_left_p50)} left" if card.seconds_left_p50 else ""
    running = [f"trial {r.trial} ({r.phase}) at step {r.step} of {r.total_steps}" for r in card.running]
    rows = {
        "best": f"trial {card.best.trial}: {_values(card.best.config)}" if card.best else "",
        "running": "; ".join(running) + (f" in process {card.running_pid}" if card.running_pid else ""),
        "failed": f"{card.trials_failed} trials" if card.trials_failed else "",
        "confirmed": f"{card.confirm_over} runs on fresh seeds" if card.confirm_over else "",
        "time": f"{duration(card.seconds_used)}{limit}{left}",
        "planner LLM": f"{card.llm_tokens:,} tokens" if card.llm_tokens else "",
        "error": card.error or "",
        "result": card.result.verdict if card.result else "",
        "report": card.report_dir or "",
    }
    print_rows(rows)


def print_rows(rows: dict[str, str]) -> None:
    """Name and text of what is not empty."""
    out = console()
    for name, text in rows.items():
        if text.strip():
            out.print(f"[dim]{name:>20}[/]  {escape(text)}", highlight=False, soft_wrap=True)


def show_study(study_id: str | None, settings: Settings, as_json: bool) -> None:
    """Every trial of a study."""
    with looking(settings) as desk:
        study = desk.study(study_id)
        trials = desk.store.trials(study.study_id)
        words = desk.status(study.study_id).state_words
    if as_json:
        click.echo(json.dumps({"study": study.study_id, "trials": [t.model_dump(mode="json") for t in trials]}))
        return
    out, free = console(), study.plan.space.free if study.plan.space else ()
    out.print(f"[bold]study {study.study_id}[/]  {words}  {escape(study.plan.request)}", highlight=False)
    table = Table(box=None, pad_edge=False)
    for column in ("#", "for", "from", study.spec.objective.metric, "s", "configuration"):
        table.add_column(column, justify="right" if column in ("#", "s", study.spec.objective.metric) else "left")
    for trial in trials:
        shown = escape(short_config(trial.config, free))
        source = trial.proposal.source
        table.add_row(str(trial.number), trial.phase, source, _outcome(trial), f"{trial.seconds:.0f}", shown)
    out.print(table)


def show_logs(study_id: str | None, lines: int, settings: Settings, as_json: bool) -> None:
    """The last lines of each process's log."""
    with looking(settings) as desk:
        study = desk.study(study_id)
    logs = {
        p.name: p.read_text(errors="replace").splitlines()[-lines:] for p in sorted(study.directory.glob("logs/*.log"))
    }
    if as_json:
        click.echo(json.dumps({"study": study.study_id, "logs": logs}))
        return
    for name, tail in logs.items():
        click.echo(f"== {name}")
        click.echo("\n".join(tail))


def show_events(study_id: str | None, after: int, follow: bool, settings: Settings, as_json: bool) -> None:
    """Events with a higher number than `after`, one a line; with `follow`, until the study is over."""
    with looking(settings) as desk:
        if follow:
            for event in desk.stream(study_id, after):
                _print_event(event, as_json)
            return
        more = True
        while more:
            page = desk.events(study_id, after, MAX_EVENTS)
            for event in page.events:
                _print_event(event, as_json)
            after, more = page.after, page.more


def _print_event(event: StudyEvent, as_json: bool) -> None:
    told = " ".join(f"{k}={v}" for k, v in event.data.items())
    line = f"{event.seq:>5} {event.at[:19]} {event.kind} {event.trial_id or ''} {told}"
    click.echo(event.model_dump_json() if as_json else line)


def show_report(study_id: str | None, settings: Settings, as_json: bool) -> None:
    """The report of a study that is done. Raises InputError for one that is not."""

    with looking(settings) as desk:
        report = desk.report(study_id)
    if as_json:
        click.echo(report.model_dump_json())
    else:
        print_report(report, console())


def show_explanation(study_id: str | None, number: int | None, settings: Settings, as_json: bool) -> None:
    """Where a trial's configuration came from and how it turned out; the best trial where none is named."""
    with looking(settings) as desk:
        told = desk.explain(study_id, number)
        call = desk.llm_call(told.study, told.trial)
    if as_json:
        whole = call.model_dump(mode="json") if call else None
        click.echo(json.dumps(told.model_dump(mode="json") | {"llm_call": whole}))
    else:
        print_rows(_explained(told))


def _explained(told: Explanation) -> dict[str, str]:
    expected = f"{_score(told.predicted_mean)} ± {_score(told.predicted_sd)}"
    prompt = f"{told.llm_prompt_name} (sha256 {(told.llm_prompt_sha256 or '')[:12]}); in full with --json"
    return {
        "study": told.study,
        "trial": f"{told.trial} ({told.phase})",
        "proposed by": told.proposed_by,
        "why": told.why,
        "differs from default": _changes(told.differs_from_default, "default"),
        "configuration": _values(told.config),
        "predicted": expected if told.predicted_mean is not None else "",
        "outcome": told.outcome_words,
        "default scored": _score(told.default_scored),
        "costs": _values(told.costs or {}),
        "metric": told.metric,
        "deviations": "; ".join(told.deviations),
        "curve": told.curve_words,
        "LLM": f"{told.llm_model}: {prompt}" if told.llm_model else "",
    }


def show_comparison(study_id: str, left: int | None, right: int | None, settings: Settings, as_json: bool) -> None:
    """Two trials of a study beside each other."""
    with looking(settings) as desk:
        compared = desk.compare(study_id, left, right)
    if as_json:
        click.echo(compared.model_dump_json())
    else:
        print_rows(_compared(compared))


def _compared(told: Comparison) -> dict[str, str]:
    by = f"{told.difference:+.4f}" if told.difference is not None else ""
    interval = f" (95 % interval {told.ci95[0]:+.4f} to {told.ci95[1]:+.4f})" if told.ci95 else ""
    return {
        told.left_name: _score(told.left),
        told.right_name: _score(told.right),
        "difference": by + interval,
        "of": f"{told.metric} ({told.direction}), {told.basis}",
        "verdict": told.verdict,
        "they differ in": _changes(told.changes, told.right_name),
    }


def _changes(changes: Sequence[Change], other: str) -> str:
    return ", ".join(f"{c.name} {c.value} ({other} {c.other})" for c in changes)


def _outcome(trial: Trial) -> str:
    if trial.score is not None:
        return f"{trial.score:.4f}"
    return str(trial.reason or trial.state.lower())


def _score(score: float | None) -> str:
    return "–" if score is None else f"{score:.4f}"


def _values(values: dict[str, float] | dict[str, bool | int | float | str]) -> str:
    return ", ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items())

"""Looking at studies: what `status`, `show`, `logs`, `events`, `report`, `explain`, `compare` and `queue` print.

The words of the desk's cards, or with `--json` the cards themselves. Nothing here changes a study.
"""

import json
from collections.abc import Sequence

import click
from pydantic import BaseModel

from agent.desk.cards import StudyCard
from agent.desk.desk import MAX_EVENTS, Desk
from agent.desk.dispatch import dispatcher_pid, is_worked_off
from agent.desk.event_words import event_sentence
from agent.desk.words import studies_text, study_text, trials_text, words_of
from agent.errors import InputError
from agent.faces.console import console, print_words
from agent.report.terminal import print_report
from agent.settings import Settings
from agent.study.nouns import ENDED, StudyEvent


def looking(settings: Settings) -> Desk:
    """A desk that only looks; an older database is brought up to date first. Raises InputError where there is none."""
    try:
        return Desk(settings, read_only=True)
    except InputError as error:
        if error.code != "old_schema":
            raise
    Desk(settings).close()
    return Desk(settings, read_only=True)


def show_status(study: str | None, settings: Settings, as_json: bool) -> None:
    """One line a study, or all of one study's state."""
    with looking(settings) as desk:
        cards = [desk.status(study)] if study else desk.studies()[::-1]
    if as_json:
        click.echo(cards[0].model_dump_json() if study else _json_of("studies", cards))
        return
    print_words(study_text(cards[0]) if study else studies_text(cards))
    for card in cards:
        if card.over and not card.paused and card.state not in ENDED:
            click.echo(f"Nobody runs study {card.study}; `tunewright resume {card.study}` goes on.")
    _warn_of_idle_queue(cards, settings)


def show_queue(settings: Settings, as_json: bool) -> None:
    """What is to be worked off, in order."""
    with looking(settings) as desk:
        cards, pid = desk.queue(), dispatcher_pid(settings.home)
    if as_json:
        click.echo(_json_of("queue", cards, pid=pid))
    elif cards:
        print_words(studies_text(cards))
        _warn_of_idle_queue(cards, settings)
    else:
        click.echo("Nothing is queued; `tunewright run … --detach` queues a study.")


def _warn_of_idle_queue(cards: Sequence[StudyCard], settings: Settings) -> None:
    """A queue stands still after a restart of the machine, until somebody waits for one of its studies."""
    waiting = next((card.study for card in cards if card.queue_place is not None), None)
    if waiting is not None and not is_worked_off(settings.home):
        click.echo(f"Nobody works on the queue; `tunewright wait {waiting}` starts it again.")


def _json_of(name: str, cards: Sequence[StudyCard], **more: int | None) -> str:
    return json.dumps({name: [card.model_dump(mode="json") for card in cards], **more})


def show_card(card: BaseModel, as_json: bool) -> None:
    """A card in words, or as JSON."""
    if as_json:
        click.echo(card.model_dump_json())
    else:
        print_words(words_of(card))


def show_study(study: str | None, settings: Settings, as_json: bool) -> None:
    """Every trial of a study."""
    with looking(settings) as desk:
        card = desk.status(study)
        trials, cards = desk.store.trials(card.study), desk.trials(card.study)
    if as_json:
        click.echo(json.dumps({"study": card.study, "trials": [t.model_dump(mode="json") for t in trials]}))
    else:
        print_words(studies_text([card]))
        print_words(trials_text(cards, card.metric, trials[0].config if trials else {}))


def show_logs(study: str | None, lines: int, settings: Settings, as_json: bool) -> None:
    """The last lines of each process's log."""
    with looking(settings) as desk:
        row = desk.study(study)
    logs = {
        p.name: p.read_text(errors="replace").splitlines()[-lines:] for p in sorted(row.directory.glob("logs/*.log"))
    }
    if as_json:
        click.echo(json.dumps({"study": row.study_id, "logs": logs}))
        return
    for name, tail in logs.items():
        click.echo(f"== {name}")
        click.echo("\n".join(tail))


def show_events(study: str | None, after: int, follow: bool, settings: Settings, as_json: bool) -> None:
    """Events with a higher number than `after`, one a line; with `follow`, until the study is over."""
    with looking(settings) as desk:
        if follow:
            for event in desk.stream(study, after):
                _print_event(event, as_json)
            return
        more = True
        while more:
            page = desk.events(study, after, MAX_EVENTS)
            for event in page.events:
                _print_event(event, as_json)
            after, more = page.after, page.more


def _print_event(event: StudyEvent, as_json: bool) -> None:
    line = f"{event.seq:>5} {event.at[:19]} {event_sentence(event)}"
    click.echo(event.model_dump_json() if as_json else line)


def show_report(study: str | None, settings: Settings, as_json: bool) -> None:
    """The report of a study that is done. Raises InputError for one that is not."""
    with looking(settings) as desk:
        report = desk.report(study)
    if as_json:
        click.echo(report.model_dump_json())
    else:
        print_report(report, console())


def show_explanation(study: str | None, trial: int | None, settings: Settings, as_json: bool) -> None:
    """Where a trial's configuration came from and how it turned out; the best trial where none is named."""
    with looking(settings) as desk:
        card = desk.explain(study, trial)
        call = desk.llm_call(card.study, card.trial)
    if as_json:
        whole = call.model_dump(mode="json") if call else None
        click.echo(json.dumps(card.model_dump(mode="json") | {"llm_call": whole}))
    else:
        print_words(words_of(card))


def show_comparison(study: str, left: int | None, right: int | None, settings: Settings, as_json: bool) -> None:
    """Two trials of a study beside each other."""
    with looking(settings) as desk:
        show_card(desk.compare(study, left, right), as_json)

"""`tunewright submit`: plan on the running server, ask, and hand the approved plan to it."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from agent.desk.cards import PlanCard, StudyCard
from agent.desk.event_words import event_sentence
from agent.desk.planning import SHORTEST_PREFIX, Approval
from agent.desk.words import plan_text
from agent.errors import NeedsAnswer
from agent.faces.cli.client import NoServer, ServerClient
from agent.faces.cli.run import code_of
from agent.faces.console import console, print_words
from agent.report.terminal import print_report
from agent.report.write import read_report
from agent.request.draft import Overrides
from agent.request.spec_file import is_spec_file
from agent.settings import Settings
from agent.study.nouns import EventKind, StudyEvent


def submit(
    request: str, flags: Overrides, llm: str | None, approval: Approval, settings: Settings, wait: bool, as_json: bool
) -> int:
    """Plan, approve, start; the exit code. Raises NoServer where none runs, NeedsAnswer where nobody approves."""
    with ServerClient.of(settings) as server:
        asked = _asked(request, flags, llm)
        _tell_where(server, as_json)
        card = _plan(server, asked)
        while card.questions and card.problem is None and approval.interactive:
            _show(card, as_json)
            asked["answers"] |= {q.field: str(click.prompt(q.question, default=q.suggestion)) for q in card.questions}
            card = _plan(server, asked)
        if card.plan_hash is None or not as_json:
            _show(card, as_json)
        if card.plan_hash is None:
            return 3 if card.questions and card.problem is None else 2
        _approve(card.plan_hash, approval)
        body = {"plan_hash": card.plan_hash}
        study = StudyCard.model_validate(server.post("/v1/studies", body, key=f"submit-{secrets.token_hex(16)}"))
        if not wait:
            _tell(study, as_json)
            return 0
        return _follow(server, study, as_json)


def _asked(request: str, flags: Overrides, llm: str | None) -> dict[str, Any]:
    """The request, with the paths that are certainly paths made absolute: the server may work somewhere else."""

    words = (
        str(Path(request.strip()).absolute()) if is_spec_file(request) and Path(request.strip()).exists() else request
    )
    data = flags.data
    if data is not None and Path(data).exists():
        data = str(Path(data).absolute())
    given = {"request": words, "data": data, "trials": flags.trials, "seconds": flags.seconds, "llm": llm}
    return {**{name: value for name, value in given.items() if value is not None}, "answers": {}}


def _plan(server: ServerClient, asked: dict[str, Any]) -> PlanCard:
    return PlanCard.model_validate(server.post("/v1/plans", asked))


def _tell_where(server: ServerClient, as_json: bool) -> None:
    here = str(Path.cwd())
    if server.address.cwd != here and not as_json:
        click.echo(f"The server at {server.address.url} works in {server.address.cwd}: relative paths start there.\n")


def _approve(plan_hash: str, approval: Approval) -> None:
    """Raises NeedsAnswer unless this very plan is approved."""
    if approval.plan_hash is not None:
        given = approval.plan_hash.removeprefix("sha256:").lower()
        if len(given) < SHORTEST_PREFIX or not plan_hash.startswith(given):
            rule = f"the approved hash {given} is not that of this plan ({plan_hash[:12]})."
            raise NeedsAnswer(f"{rule} Something changed: look at the plan again.")
    elif not approval.yes:
        if not approval.interactive:
            raise NeedsAnswer(f"the plan waits for approval. Run again with --yes or --approve {plan_hash[:12]}.")
        if not click.confirm(f"Hand plan {plan_hash[:12]} to the server?", default=True):
            raise NeedsAnswer("not approved; nothing was done.")


def _show(card: PlanCard, as_json: bool) -> None:

    if as_json:
        click.echo(card.model_dump_json())
    else:
        print_words(plan_text(card))


def _tell(study: StudyCard, as_json: bool) -> None:
    if as_json:
        click.echo(study.model_dump_json())
        return
    click.echo(f"study {study.study}: {study.state_words}")
    click.echo(f"`tunewright wait {study.study}` waits for it, `tunewright events {study.study} -f` follows it.")


def _follow(server: ServerClient, study: StudyCard, as_json: bool) -> int:
    """Print what happens until the study is over; Ctrl-C, and a server that ends, stop the printing only."""
    try:
        for event in _events(server, study.study):
            if as_json:
                click.echo(event.model_dump_json())
            elif event.kind is not EventKind.PROGRESS:
                click.echo(event_sentence(event))
    except (KeyboardInterrupt, NoServer):
        click.echo(f"\nStudy {study.study} goes on. `tunewright wait {study.study}` waits for it.", err=True)
        raise
    over = StudyCard.model_validate(server.get(f"/v1/studies/{study.study}"))
    if as_json:
        click.echo(over.model_dump_json())
    else:
        if over.report_dir is None:
            click.echo(f"study {over.study}: {over.state_words}{f' ({over.error})' if over.error else ''}")
        else:
            print_report(read_report(Path(over.report_dir)), console())
    return code_of(over)


def _events(server: ServerClient, study: str) -> Iterator[StudyEvent]:
    """Events as they come, over as many connections as it takes."""
    after = 0
    while True:
        for name, data in server.stream(f"/v1/studies/{study}/events", {"after": after, "stream": "true"}):
            if name == "end":
                return
            event = StudyEvent.model_validate(json.loads(data))
            after = event.seq
            yield event

"""`tunewright chat`: in a terminal a session with line editing; a one-shot argument or a pipe without."""

import json
import sys
from collections.abc import Iterator

import click

from agent.desk.chat.conversation import Conversation
from agent.desk.desk import Desk
from agent.errors import InputError
from agent.faces.console import console
from agent.faces.terminal.headless import speak
from agent.faces.terminal.prompt_reader import PromptReader
from agent.faces.terminal.session import Session, conversations_table
from agent.settings import Settings
from trainers.spec import Closed

LATEST = "latest"


class ChatOptions(Closed):
    """What the command line says."""

    text: str | None = None
    resume: str | None = None
    listed: bool = False
    yes: bool = False
    as_json: bool = False


def chat(options: ChatOptions, llm: str | None, settings: Settings) -> int:
    """Carry out `tunewright chat`; the exit code."""

    with Desk(settings) as desk:
        if options.listed:
            _list(desk, options.as_json)
            return 0
        conversation, text = _conversation(desk, options, llm)
        if text is not None:
            return speak(conversation, [text], options.yes, options.as_json)
        if not sys.stdin.isatty() or options.as_json:
            return speak(conversation, _lines(), options.yes, options.as_json)

        Session(desk, conversation, console(), PromptReader(desk)).run()
    return 0


def _conversation(desk: Desk, options: ChatOptions, llm: str | None) -> tuple[Conversation, str | None]:
    """The conversation to talk in, and what to say at once. `--resume WORDS` means the latest one."""
    known, text = options.resume, options.text
    if known is None:
        return Conversation(desk, llm=llm), text
    if known != LATEST and not known.isdigit() and text is None:
        known, text = LATEST, known
    if known == LATEST:
        spoken = [row.conversation_id for row in desk.store.conversations() if row.turns]
        if not spoken:
            raise InputError("resume", "there is no earlier conversation.", "Start one: tunewright chat")
        known = spoken[0]
    return Conversation(desk, known, llm), text


def _list(desk: Desk, as_json: bool) -> None:

    if as_json:
        rows = [row.model_dump(mode="json") for row in desk.store.conversations() if row.turns]
        click.echo(json.dumps({"conversations": rows}, ensure_ascii=False))
    else:
        console().print(conversations_table(desk))


def _lines() -> Iterator[str]:
    """The lines of standard input that say something."""
    for line in sys.stdin:
        if line.strip():
            yield line.strip()

"""`tunewright chat`: in a terminal a session with line editing; a one-shot argument or a pipe without."""

import json
import sys

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
            lines = (line.strip() for line in sys.stdin if line.strip())
            return speak(conversation, lines, options.yes, options.as_json)
        Session(desk, conversation, console(), PromptReader(desk)).run()
    return 0


def _conversation(desk: Desk, options: ChatOptions, llm: str | None) -> tuple[Conversation, str | None]:
    """The conversation to talk in, and what to say at once. `--resume WORDS` means the latest one."""
    number, text = options.resume, options.text
    if number is None:
        return Conversation(desk, llm=llm), text
    if number != LATEST and not number.isdigit() and text is None:
        number, text = LATEST, number
    if number == LATEST:
        number = next((row.conversation_id for row in desk.store.conversations() if row.turns), None)
        if number is None:
            raise InputError("resume", "there is no earlier conversation.", "Start one: tunewright chat")
    return Conversation(desk, number, llm), text


def _list(desk: Desk, as_json: bool) -> None:
    if as_json:
        rows = [row.model_dump(mode="json") for row in desk.store.conversations() if row.turns]
        click.echo(json.dumps({"conversations": rows}, ensure_ascii=False))
    else:
        console().print(conversations_table(desk))

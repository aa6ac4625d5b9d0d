"""The chat without a terminal: each line said in turn, replies as text or as happenings, one JSON object a line."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import cast

import click

from agent.desk.chat.conversation import Conversation
from agent.desk.chat.happenings import ApprovalAsked, Happening, Retracted, Said, ToolDone, TurnOver
from agent.desk.chat.rules import ABILITIES
from agent.errors import InputError
from agent.faces.console import console, print_error
from agent.faces.terminal.reply_view import plan_panel
from agent.faces.terminal.slash import arguments_of, is_command, parsed, words_of_edit

DONE, FAILED, BAD_INPUT, NEEDS_ANSWER = 0, 1, 2, 3
PLANS = ("plan_study", "edit_plan")
ELSEWHERE = {
    "follow": "tunewright events STUDY --follow",
    "report": "tunewright report STUDY",
    "model": "tunewright chat --llm NAME",
    "conversations": "tunewright chat --list",
    "open": "tunewright chat --resume ID",
    "new": "tunewright chat",
}
"""Slash commands of the terminal that are commands of their own outside it."""


def speak(conversation: Conversation, lines: Iterable[str], yes: bool, as_json: bool) -> int:
    """Say the lines; the exit code of the last turn: 3 where something waits for the person, `yes` approves plans.

    A line that begins with a slash is a command of the terminal chat; one that is wrong is reported, and the next line
    is read.
    """
    code = DONE
    for line in lines:
        try:
            happenings = _turn_of(conversation, line)
        except InputError as error:
            print_error(error, as_json)
            code = BAD_INPUT
            continue
        if happenings is None:
            break
        code = _printed(conversation, happenings, as_json, is_command(line))
        plan = conversation.pending
        if yes and code == NEEDS_ANSWER and plan is not None and plan.plan_hash is not None:
            code = _printed(conversation, conversation.approve(plan.plan_hash), as_json)
    return code


def _turn_of(conversation: Conversation, line: str) -> Iterator[Happening] | None:
    """What a line does; None for the end. Raises InputError for a command that cannot be had here."""
    if not is_command(line):
        return conversation.say(line)
    command, rest = parsed(line)
    if command.verb is not None:
        return conversation.do(command.verb.name, **arguments_of(command, rest))
    if command.name in ELSEWHERE:
        raise InputError("command", f"/{command.name} is for the terminal.", f"Outside it: {ELSEWHERE[command.name]}")
    match command.name:
        case "quit":
            return None
        case "approve":
            return conversation.approve(rest or conversation.waiting_plan().plan_hash or "")
        case "no":
            return conversation.decline(conversation.waiting_plan().plan_hash or "")
        case "plan":
            return _plan(conversation)
        case "edit":
            return conversation.say(words_of_edit(rest))
    return _happening(Said(text=ABILITIES))


def _happening(only: Happening) -> Iterator[Happening]:
    yield only


def _plan(conversation: Conversation) -> Iterator[Happening]:
    """The plan that waits, put up again; one that does not is only shown."""
    plan = conversation.pending
    if plan is not None and plan.plan_hash is not None:
        return _happening(ApprovalAsked(plan_hash=plan.plan_hash, plan=plan))
    return conversation.do("show_plan")


def _printed(
    conversation: Conversation, happenings: Iterator[Happening], as_json: bool, commanded: bool = False
) -> int:
    """One turn, printed; its exit code. A tool that the person commanded must do its work; an LLM may try again."""
    reply: list[str] = []
    code = DONE
    with closing(cast("Generator[Happening]", happenings)):  # its reader may go away: the turn ends before the desk
        for happening in happenings:
            code = max(code, _code(happening, commanded))
            if as_json:
                click.echo(happening.model_dump_json())
            elif isinstance(happening, Said):
                reply.append(happening.text)
            elif isinstance(happening, Retracted):
                reply.clear()
            elif isinstance(happening, ApprovalAsked):
                console().print(plan_panel(happening.plan, asks=True))
    if not as_json:
        click.echo("".join(reply).strip())
        if conversation.pending is not None and code == NEEDS_ANSWER:
            click.echo(f"To approve: tunewright chat --resume {conversation.conversation_id} yes", err=True)
    return code


def _code(happening: Happening, commanded: bool) -> int:
    """What one happening means for the exit code; the highest of a turn counts."""
    match happening:
        case ApprovalAsked():
            return NEEDS_ANSWER
        case TurnOver(problem=problem) if problem is not None:
            return BAD_INPUT if problem.code == "bad_input" else FAILED
        case ToolDone(ok=False) if commanded:
            return BAD_INPUT
        case ToolDone(name=name, result=result) if name in PLANS:
            return NEEDS_ANSWER if result.get("questions") else BAD_INPUT if "problem" in result else DONE
    return DONE

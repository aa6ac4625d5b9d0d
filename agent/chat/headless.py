"""The chat without a terminal: each line said in turn, replies as text or as happenings, one JSON object a line."""

from collections.abc import Iterable, Iterator

import click

from agent.chat.conversation import Conversation
from agent.chat.happenings import ApprovalAsked, Happening, Retracted, Said, StudyStarted, ToolDone, TurnOver
from agent.desk.cards import PlanCard

DONE, FAILED, BAD_INPUT, NEEDS_ANSWER = 0, 1, 2, 3


def speak(conversation: Conversation, lines: Iterable[str], yes: bool, as_json: bool) -> int:
    """Say the lines; the exit code of the last turn: 3 where something waits for the person, `yes` approves plans."""
    code = DONE
    for line in lines:
        code = _turn(conversation, conversation.say(line), as_json)
        plan = conversation.pending
        if yes and code == NEEDS_ANSWER and plan is not None and plan.plan_hash is not None:
            code = _turn(conversation, conversation.approve(plan.plan_hash), as_json)
    return code


def _turn(conversation: Conversation, happenings: Iterator[Happening], as_json: bool) -> int:
    """One turn, printed; its exit code."""
    reply: list[str] = []
    code = DONE
    for happening in happenings:
        code = max(code, _code(happening))
        if as_json:
            click.echo(happening.model_dump_json())
        elif isinstance(happening, Said):
            reply.append(happening.text)
        elif isinstance(happening, Retracted):
            reply.clear()
        elif isinstance(happening, ApprovalAsked):
            _print_plan(happening.plan)
    if not as_json:
        click.echo("".join(reply).strip())
        if conversation.pending is not None and code == NEEDS_ANSWER:
            number = conversation.conversation_id
            click.echo(f"To approve: tunewright chat --resume {number} yes", err=True)
    return code


def _code(happening: Happening) -> int:
    """What one happening means for the exit code; the highest of a turn counts."""
    if isinstance(happening, ApprovalAsked):
        return NEEDS_ANSWER
    if isinstance(happening, StudyStarted):
        return DONE
    if isinstance(happening, TurnOver) and happening.problem is not None:
        return BAD_INPUT if happening.problem.code == "bad_input" else FAILED
    if isinstance(happening, ToolDone) and happening.name == "plan_study":
        return (
            NEEDS_ANSWER if happening.result.get("questions") else BAD_INPUT if "problem" in happening.result else DONE
        )
    return DONE


def _print_plan(plan: PlanCard) -> None:
    from agent.chat.plan_shown import plan_shown
    from agent.cli import console

    console().print(plan_shown(plan, asks=True))

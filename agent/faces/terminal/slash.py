"""The slash commands of the terminal chat: those of the session, and every verb, the usual ones by a short name."""

import shlex
from dataclasses import dataclass
from typing import Any, get_args

from agent.desk.chat.toolbox import OVERRIDES
from agent.desk.tools import VERBS, Verb, verb
from agent.errors import InputError

MOST_DIGITS = 18


@dataclass(frozen=True)
class Slash:
    """One command. `verb`: what it calls, with `fields` of its arguments in order; without one the session does it."""

    name: str
    takes: str
    help: str
    aliases: tuple[str, ...] = ()
    verb: Verb | None = None
    fields: tuple[str, ...] = ()


def _calls(name: str, verb_name: str, *fields: str, aliases: tuple[str, ...] = ()) -> Slash:
    work = verb(verb_name)
    fields = fields or tuple(work.arguments.model_fields)
    takes = " ".join(f"[--{f}]" if _is_flag(work, f) else f"[{f.upper()}]" for f in fields)
    return Slash(name, takes, work.title[0].lower() + work.title[1:], aliases, work, fields)


def _is_flag(work: Verb, field: str) -> bool:
    return work.arguments.model_fields[field].annotation is bool


COMMANDS = (
    Slash("help", "", "what you can say, and these commands", ("?",)),
    Slash("plan", "", "the current plan, whole"),
    Slash("approve", "[HASH]", "start the plan that waits", ("yes",)),
    Slash("no", "", "do not start it", ("decline",)),
    Slash("edit", "WORDS", "change the plan: /edit use rank 32"),
    _calls("status", "study_status"),
    _calls("studies", "list_studies"),
    Slash("follow", "[STUDY]", "watch a study live; Ctrl-C looks away", ("attach", "watch")),
    _calls("events", "study_events", "study"),
    _calls("explain", "explain_trial", "trial", "parameter", aliases=("why",)),
    _calls("compare", "compare_trials", "left", "right"),
    Slash("report", "[STUDY]", "the report of a finished study"),
    _calls("budget", "study_budget"),
    _calls("pause", "pause_study"),
    _calls("cancel", "cancel_study", aliases=("stop",)),
    _calls("resume", "resume_study"),
    _calls("export", "export_study", "out", "merge"),
    Slash("model", "[NAME]", "who answers: an LLM as in --llm, or embedded for the rules"),
    Slash("conversations", "", "earlier conversations", ("list",)),
    Slash("open", "ID", "go on with an earlier conversation"),
    Slash("new", "", "start another conversation"),
    Slash("quit", "", "leave; studies go on (also Ctrl-D)", ("exit", "q")),
)
BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}
VERB_COMMANDS = {each.name: _calls(each.name, each.name) for each in VERBS if each.name not in OVERRIDES}


def is_command(line: str) -> bool:
    """Whether a line is meant as a command: it begins with a slash, and not with a path."""
    return line.startswith("/") and "/" not in line.split(maxsplit=1)[0][1:]


def parsed(line: str) -> tuple[Slash, str]:
    """The command of a line that begins with a slash, and the rest of it. Raises InputError for an unknown one."""
    name, _, rest = line.strip().removeprefix("/").partition(" ")
    command = BY_NAME.get(name.lower()) or VERB_COMMANDS.get(name.lower())
    if command is None:
        near = [c.name for c in COMMANDS if name and c.name.startswith(name[:2].lower())]
        hint = f"Did you mean /{near[0]}?" if near else "/help lists them."
        raise InputError("command", f"there is no /{name}.", hint)
    return command, rest.strip()


def words_of_edit(rest: str) -> str:
    """The words of an /edit. Raises InputError where there are none."""
    if not rest:
        raise InputError("edit", "needs words.", "Such as /edit use rank 32.")
    return rest


def arguments_of(command: Slash, rest: str) -> dict[str, Any]:
    """The arguments of a command's verb: words in the order of its fields, a flag for each that is true or false.

    Raises InputError for words that it cannot take.
    """
    assert command.verb is not None
    try:
        words = shlex.split(rest)
    except ValueError:
        words = rest.split()
    arguments = dict[str, Any]()
    for name in command.fields:
        annotation = command.verb.arguments.model_fields[name].annotation
        number = annotation is int or int in get_args(annotation)
        if _is_flag(command.verb, name):
            if f"--{name}" in words:
                words.remove(f"--{name}")
                arguments[name] = True
        elif words and not words[0].startswith("--") and (_is_number(words[0]) or not number):
            word = words.pop(0)
            arguments[name] = int(word) if number else word.removeprefix("#") if name == "study" else word
    if words:
        raise InputError(command.name, f"cannot take {' '.join(words)!r}.", f"/{command.name} {command.takes}")
    return arguments


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= MOST_DIGITS

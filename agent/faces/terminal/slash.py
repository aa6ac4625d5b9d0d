"""The slash commands of the terminal chat: their names, their help, what each takes."""

import shlex
from dataclasses import dataclass
from typing import Any

from agent.errors import InputError


@dataclass(frozen=True)
class Slash:
    """One command. `tool`: the tool that it calls; without one the session carries it out itself."""

    name: str
    takes: str
    help: str
    tool: str | None = None
    aliases: tuple[str, ...] = ()


COMMANDS = (
    Slash("help", "", "what you can say, and these commands", aliases=("?",)),
    Slash("plan", "", "the current plan, whole"),
    Slash("approve", "[HASH]", "start the plan that waits", aliases=("yes",)),
    Slash("no", "", "do not start it", aliases=("decline",)),
    Slash("edit", "WORDS", "change the plan: /edit use rank 32"),
    Slash("status", "[STUDY]", "where a study stands", "status"),
    Slash("studies", "", "all studies", "status"),
    Slash("follow", "[STUDY]", "watch a study live; Ctrl-C looks away", aliases=("attach", "watch")),
    Slash("events", "[STUDY]", "what happened", "events"),
    Slash("explain", "[TRIAL] [NAME]", "why a trial, or one hyperparameter of it, is as it is", "explain", ("why",)),
    Slash("compare", "[TRIAL] [TRIAL]", "two trials; without numbers the best and the default", "compare"),
    Slash("report", "[STUDY]", "the report of a finished study"),
    Slash("budget", "[STUDY]", "what was spent and what is left", "budget"),
    Slash("pause", "[STUDY]", "stop a study, keep its place in the queue", "cancel"),
    Slash("cancel", "[STUDY]", "stop a study; what is finished is kept", "cancel", ("stop",)),
    Slash("resume", "[STUDY]", "go on with a stopped study", "resume"),
    Slash("export", "[DIR] [--merge]", "copy the adapter out, or merge it", "export"),
    Slash("model", "[NAME]", "who answers: an LLM as in --llm, or embedded for the rules"),
    Slash("conversations", "", "earlier conversations", aliases=("list",)),
    Slash("open", "ID", "go on with an earlier conversation"),
    Slash("new", "", "start another conversation"),
    Slash("quit", "", "leave; studies go on (also Ctrl-D)", aliases=("exit", "q")),
)
BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.aliases)}


MOST_DIGITS = 18


def is_command(line: str) -> bool:
    """Whether a line is meant as a command: it begins with a slash, and not with a path."""
    return line.startswith("/") and "/" not in line.split(maxsplit=1)[0][1:]


def parsed(line: str) -> tuple[Slash, str]:
    """The command of a line that begins with a slash, and the rest of it. Raises InputError for an unknown one."""
    name, _, rest = line.strip().removeprefix("/").partition(" ")
    command = BY_NAME.get(name.lower())
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
    """The arguments of a command's tool. Raises InputError for words that it cannot take."""
    words = _words(rest)
    taken: dict[str, Any] = {}
    match command.name:
        case "studies":
            taken["every"] = True
        case "explain":
            taken["trial"] = int(words.pop(0)) if words and _is_number(words[0]) else None
            taken["parameter"] = words.pop(0) if words else None
        case "compare":
            numbers = [int(words.pop(0)) for _ in words[:2] if _is_number(words[0])]
            taken["left"], taken["right"] = (*numbers, None, None)[:2]
        case "export":
            taken["merge"] = "--merge" in words or None
            words = [word for word in words if word != "--merge"]
            taken["out"] = words.pop(0) if words else None
        case _:
            taken["study"] = words.pop(0).removeprefix("#") if words else None
            taken["pause"] = True if command.name == "pause" else None
    if words:
        raise InputError(command.name, f"cannot take {' '.join(words)!r}.", f"/{command.name} {command.takes}")
    return {name: value for name, value in taken.items() if value is not None}


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= MOST_DIGITS


def _words(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError:
        return rest.split()

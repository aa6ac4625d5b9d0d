"""Write the reference pages of docs/ from the objects themselves: commands, models, events, errors, routes, tools.

`python docs/make_reference.py --check` changes nothing and fails where a page is out of date.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
import reference_errors
import reference_interfaces
from pydantic import BaseModel
from reference_tables import HEADER, model_tables, table

from agent.desk import cards
from agent.faces.cli.commands import cli
from agent.report.model import Report
from agent.study.nouns import EventKind, StudyEvent, StudyState, TrialState
from trainers.spec import Budget, Columns, Constraints, Data, FailureReason, Objective, Output, Search, TaskSpec

HERE = Path(__file__).parent

SPEC = (TaskSpec, Data, Columns, Objective, Budget, Search, Constraints, Output)


def pages() -> dict[str, str]:
    """File name to text."""
    made = {
        "reference.md": ["# Commands and spec file", *HEADER, *commands(cli, "tunewright"), *spec_file()],
        "reference_results.md": ["# Results and events", *HEADER, *events(), *states(), *answers()],
        "reference_errors.md": ["# Errors", *HEADER, *reference_errors.lines()],
        **reference_interfaces.pages(),
    }
    return {name: "\n".join(lines).rstrip() + "\n" for name, lines in made.items()}


def commands(command: click.Command, name: str) -> list[str]:
    """Help of a command and of everything below it."""
    # click remembers the option names of the first context that asks for help: they must be the command line's
    names = cli.context_settings["help_option_names"]
    context = click.Context(
        command, info_name=name, max_content_width=100, terminal_width=100, help_option_names=list(names)
    )
    own = [f"## `{name}`", "", "```text", command.get_help(context), "```", ""]
    below = command.commands.items() if isinstance(command, click.Group) else ()
    return own + [line for child, sub in sorted(below) for line in commands(sub, f"{name} {child}")]


def spec_file() -> list[str]:
    """The fields of a spec file."""
    said = "YAML or JSON; unknown keys are refused. `tunewright plan ... --json` prints one under `spec`."
    return ["## Spec file", "", said, "", *model_tables(SPEC)]


def events() -> list[str]:
    """Kinds of events with what they mean."""
    said = (
        "`tunewright events`, `run --json`, the server's event streams and Python's callbacks give these, one by one."
    )
    rows = [(f"`{kind}`", words) for kind, words in sentences(EventKind)]
    return [
        "## Events",
        "",
        said,
        "",
        *model_tables([StudyEvent]),
        "### Kinds of events",
        "",
        *table(("kind", "meaning"), rows),
    ]


def states() -> list[str]:
    """States of studies and trials, and why an attempt failed."""
    lines: list[str] = []
    for enum, title in ((StudyState, "States of a study"), (TrialState, "States of a trial")):
        lines += [f"## {title}", "", *table(("state", "meaning"), [(f"`{k}`", words) for k, words in sentences(enum)])]
    reasons = ", ".join(f"`{reason}`" for reason in FailureReason)
    return [*lines, "## Why a trial failed", "", f"{reasons}.", ""]


def answers() -> list[str]:
    """What the verbs answer."""
    found = [m for m in vars(cards).values() if inspect.isclass(m) and issubclass(m, BaseModel)]
    own = [m for m in found if m.__module__ in (cards.__name__, cards.Question.__module__)]
    lines = ["## Answers", "", "The same models in the chat, over HTTP and MCP, and in Python.", "", *model_tables(own)]
    return [*lines, "## report.json", "", *model_tables(_below(Report))]


def sentences(enum: type[StrEnum]) -> Iterator[tuple[str, str]]:
    """(value, the comment beside it) of every member."""
    source = inspect.getsource(enum)
    for member in enum:
        found = re.search(rf"^ *{member.name} = .*?  # (.*)$", source, re.MULTILINE)
        yield member.value, found[1] if found else ""


def _below(model: type[BaseModel], seen: dict[str, Any] | None = None) -> list[type[BaseModel]]:
    """A model and the models of its own module that its fields hold, each once."""
    found = {} if seen is None else seen
    found.setdefault(model.__name__, model)
    names = "\n".join(str(field.annotation) for field in model.model_fields.values())
    for name, other in vars(sys.modules[model.__module__]).items():
        mine = inspect.isclass(other) and issubclass(other, BaseModel) and other.__module__ == model.__module__
        if mine and name not in found and re.search(rf"\.{name}\b", names):
            _below(other, found)
    return list(found.values())


if __name__ == "__main__":
    written = pages()
    if "--check" in sys.argv[1:]:
        stale = [n for n, text in written.items() if not (HERE / n).exists() or (HERE / n).read_text("utf-8") != text]
        sys.exit(f"out of date, run `make docs`: {', '.join(stale)}" if stale else 0)
    for name, text in written.items():
        (HERE / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"wrote {', '.join(written)}\n")

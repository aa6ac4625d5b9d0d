"""`tunewright call`: any verb by its name, for scripts and agents. Chat, MCP, HTTP and Python have the same ones."""

import json
from collections.abc import Sequence
from typing import Any

import click

from agent.desk.desk import Desk
from agent.desk.tools import VERBS, Verb, call
from agent.desk.words import words_of
from agent.errors import InputError
from agent.faces.console import print_words
from agent.settings import Settings


def call_or_list(name: str | None, fields: tuple[str, ...], settings: Settings, as_json: bool) -> None:
    """`call_verb`, or without a name `list_verbs`."""
    if name is None:
        list_verbs(as_json)
    else:
        call_verb(name, fields, settings, as_json)


def call_verb(
    name: str, fields: Sequence[str], settings: Settings, as_json: bool, verbs: Sequence[Verb] = VERBS
) -> None:
    """Carry out the verb `name` with `fields` (FIELD=VALUE); its card as words or JSON. Raises InputError."""
    with Desk(settings, face="cli") as desk:
        card = call(desk, name, dict(map(_field, fields)), verbs)
    if as_json:
        click.echo(card.model_dump_json())
    else:
        print_words(words_of(card))


def list_verbs(as_json: bool, verbs: Sequence[Verb] = VERBS) -> None:
    """Every verb with what it does and takes; with `as_json` one object a line, arguments as a JSON schema."""
    for verb in verbs:
        if as_json:
            schema = verb.arguments.model_json_schema()
            click.echo(
                json.dumps({"name": verb.name, "description": verb.doc, "effect": verb.effect, "arguments": schema})
            )
        else:
            click.echo(f"{verb.name:16} {verb.title}: {', '.join(verb.arguments.model_fields)}")


def _field(text: str) -> tuple[str, Any]:
    """Name and value of FIELD=VALUE. What begins like a JSON object or list is read as one; the rest is text, which
    the verb's arguments turn into numbers where they want some."""
    name, mark, value = text.partition("=")
    if not mark:
        raise InputError("field", f"must be FIELD=VALUE, got {text!r}.", "Such as study=3.")
    if value[:1] not in ("{", "["):
        return name, value
    try:
        return name, json.loads(value)
    except json.JSONDecodeError as error:
        raise InputError(name, f"must be JSON where it begins with {value[0]}: {error}.", "Correct it.") from error

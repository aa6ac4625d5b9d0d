"""What every face in a terminal needs: the console, and errors as one message with an exit code."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any

import click

from agent.errors import readable
from trainers.errors import InputError, TunewrightError


def guarded(command: Callable[..., int | None]) -> Callable[..., None]:
    """Turn expected errors into one message and their exit code; with --json into one JSON object."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            refuse_broken_text(kwargs)
            code = command(*args, **kwargs) or 0
        except TunewrightError as error:
            with suppress(BrokenPipeError):
                print_error(error, bool(kwargs.get("as_json")))
            code = error.exit_code
        except (KeyboardInterrupt, click.Abort):  # Abort: Ctrl-C at a question
            click.echo("interrupted", err=True)
            code = 130
        except BrokenPipeError:  # the reader of a pipe went away
            code = 0
        let_go_of_closed_streams()
        sys.exit(code)

    return run


def refuse_broken_text(arguments: Mapping[str, Any]) -> None:
    """Raises InputError for an argument that is no text: bytes that are no UTF-8 come as halves of characters."""
    for name, value in arguments.items():
        if isinstance(value, str) and not readable(value):
            raise InputError(name, "must be text in UTF-8.", "Put it in a file in UTF-8, or set the terminal to UTF-8.")


def let_go_of_closed_streams() -> None:
    """Point output whose reader is gone to nowhere: Python flushes it at exit, and failing there exits with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_error(error: TunewrightError, as_json: bool) -> None:
    """One message for people on standard error, or {"error": {code, param, message, hint, retryable}} on standard
    output."""
    if as_json:
        from agent.desk.cards import Problem

        click.echo(json.dumps({"error": Problem.of(error).model_dump()}))
    elif isinstance(error, InputError):
        click.echo(f"{error.param}: {error.rule}\n  → {error.hint}", err=True)
    else:
        click.echo(f"{error}", err=True)


def console() -> Any:
    """The terminal, or plain text of 80 columns where the output is no terminal."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=80, color_system=None)


def print_words(markdown: str) -> None:
    """Print Markdown, such as the words of a card, to the terminal; a path that is wider stays whole."""
    from agent.report.terminal import TerminalMarkdown  # rich takes 50 ms, which `--json` and `--help` do not pay

    console().print(TerminalMarkdown(markdown), crop=False)

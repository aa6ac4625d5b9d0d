"""The MCP server over stdio, for a client that starts it."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from agent.desk.desk import Desk
from agent.faces.mcp.server import DeskServer
from agent.faces.mcp.work import Work
from agent.settings import Settings, load_settings


def settings_away_from_root(llm: str | None = None) -> Settings:
    """The settings. A client that starts us in `/` does not mean that all files may be read: then only the home is."""
    if Path.cwd() == Path(Path.cwd().anchor):
        home = load_settings(llm).home
        home.mkdir(parents=True, exist_ok=True)
        os.chdir(home)
    return load_settings(llm)


def serve_stdio(settings: Settings) -> None:
    """Answer the client at the other end of stdin and stdout until it closes them. Studies go on."""
    if sys.stdin.isatty():
        click.echo(
            "This is an MCP server; a client such as Claude Code starts it and talks to it over stdin and stdout. "
            "Ctrl-C ends it.",
            err=True,
        )
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, _leave)
    with Desk(settings, unattended=True, face="mcp") as desk:
        DeskServer(desk, Work()).run("stdio")


def _leave(number: int, frame: FrameType | None) -> None:
    """A thread waits for the next line of stdin, and Python would wait for it. What is committed is on disk."""
    os._exit(128 + number)

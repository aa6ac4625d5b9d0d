"""What is written must be true: reference, README commands, links."""

import re
import subprocess
import sys
from pathlib import Path

import click

from agent.faces.cli.commands import cli

ROOT = Path(__file__).parent.parent


def test_reference_is_what_the_code_says() -> None:
    """The reference pages are made by `make docs`; a change of a command, model or route without it fails here."""
    check = [sys.executable, str(ROOT / "docs" / "make_reference.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_command_has_a_sentence_of_help() -> None:
    """Each verb says what it does."""
    assert isinstance(cli, click.Group)
    assert [name for name, command in cli.commands.items() if not (command.help or "").strip()] == []


def test_relative_links_lead_somewhere() -> None:
    """A link in a page points at a file in the repository."""
    pages = (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "examples" / "README.md")
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_help_needs_nothing_heavy() -> None:
    """`tunewright --help` imports neither torch nor any other slow library."""
    heavy = ("torch", "transformers", "pandas", "optuna", "sqlite_utils", "rich")
    code = f"import sys, agent.faces.cli.commands; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

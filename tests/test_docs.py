"""What is written must be true: reference, README commands, links."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import click

from agent.cli import cli

ROOT = Path(__file__).parent.parent


def test_reference_is_what_the_code_says() -> None:
    """docs/reference.md is made by `make docs`; a change of a command or field without it fails here."""
    made = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))["reference"]()
    assert (ROOT / "docs" / "reference.md").read_text(encoding="utf-8") == made


def test_every_command_in_the_docs_exists() -> None:
    """`tunewright VERB` in README and docs names a verb of the CLI."""
    assert isinstance(cli, click.Group)
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for verb in re.findall(r"(?:^|`|\$ )tunewright ([a-z]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
            assert verb in cli.commands, f"{page.name} names `tunewright {verb}`"


def test_every_command_has_a_sentence_of_help() -> None:
    """Each verb says what it does."""
    assert isinstance(cli, click.Group)
    assert [name for name, command in cli.commands.items() if not (command.help or "").strip()] == []


def test_relative_links_lead_somewhere() -> None:
    """A link in a page points at a file in the repository."""
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_help_needs_nothing_heavy() -> None:
    """`tunewright --help` imports neither torch nor any other slow library."""
    heavy = ("torch", "transformers", "pandas", "optuna", "sqlite_utils", "rich")
    code = f"import sys, agent.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

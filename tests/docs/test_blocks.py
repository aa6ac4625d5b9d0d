"""Every block of the documentation is run by `test_commands.py` or says why not; what it names exists."""

import json
import re
import shlex

import click
import pytest
import yaml
from docs_pages import NOT_RUN, PAGES, ROOT, RUNS, SHOWN, blocks, missing

from agent.faces.cli.commands import cli

BLOCKS = [block for page in PAGES for block in blocks(page)]
COMMANDS = re.compile(r"(?:^|[;|&(] *|\$ |\.venv/bin/|timeout \d+ )tunewright (?P<rest>[^\n|;&#]*)", re.MULTILINE)
MOST_NOT_RUN = 14
NAMING = (*PAGES, ROOT / "examples" / "README.md", ROOT / "AGENTS.md", ROOT / "agent" / "SKILL.md")
"""Pages that name commands; of the last three the blocks are not run."""


def test_every_block_has_a_known_language() -> None:
    """A block of an unknown language would be neither run nor looked at."""
    assert [b.place for b in BLOCKS if b.language not in (*RUNS, *SHOWN)] == []


def test_blocks_that_are_not_run_say_why() -> None:
    """Few blocks are left out, each for a reason of its own."""
    skipped = [b for b in BLOCKS if b.skipped]
    assert [b.place for b in skipped if len(b.note.removeprefix(NOT_RUN).split()) < 3] == []
    assert len(skipped) <= MOST_NOT_RUN, [b.place for b in skipped]


def test_console_blocks_begin_with_a_command() -> None:
    """What stands before the first `$` would never be checked."""
    assert [b.place for b in BLOCKS if b.language == "console" and not b.text.startswith("$ ")] == []


def test_data_that_is_shown_can_be_read() -> None:
    """JSON and YAML blocks parse."""
    for block in BLOCKS:
        if block.language == "json":
            json.loads(block.text)
        if block.language == "yaml":
            yaml.safe_load(block.text)


@pytest.mark.parametrize("page", NAMING, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_exist(page) -> None:
    """`tunewright VERB --option` in a block or in running text is what the command line knows."""
    text = page.read_text(encoding="utf-8")
    listed = [block.text for block in blocks(page) if block.language in ("bash", "console", "text")]
    spans = [span for span in re.findall(r"`([^`\n]+)`", text) if span.startswith("tunewright ")]
    for source in (*listed, *spans):
        for found in COMMANDS.finditer(source.replace("\\\n", " ")):
            unknown = unknown_words(found["rest"])
            assert unknown is None, f"{page.name}: `tunewright {found['rest']}`: {unknown}"


def unknown_words(rest: str) -> str | None:
    """The first verb or option in the words after `tunewright` that does not exist."""
    try:
        words = shlex.split(rest)
    except ValueError:  # a quote that closes on another line
        words = rest.split()
    command: click.Command = cli
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        if words[0] not in command.commands:
            return words[0]
        command = command.commands[words.pop(0)]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"-h", "--help"}
    known |= {"--version"} if command is cli else set()
    return next(
        (w for w in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", w) and w.partition("=")[0] not in known), None
    )


def test_a_made_up_option_is_found() -> None:
    """The test above can fail."""
    assert unknown_words("run request --yes --no-such") == "--no-such"
    assert unknown_words("fly") == "fly"
    assert unknown_words("events 1 -f --json") is None


def test_missing_words_are_found() -> None:
    """What a page shows is held against what was printed: words, lines that are a number, or all lines."""
    assert missing("study 1 is DONE in 3 s", "study  7 is\nDONE") == []
    assert missing("study 1 is DONE", "study 1 is FAILED") == ["DONE"]
    assert missing("401\n", "200\n") == ["401"]
    assert missing("a 1\n", "a 2\n", exact=True) == ["a 1"]

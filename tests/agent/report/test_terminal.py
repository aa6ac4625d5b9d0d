"""Markdown in a terminal of 80 columns."""

import io

from rich.console import Console

from agent.report.terminal import TerminalMarkdown
from agent.request.markup import code, table


def printed(text: str) -> str:
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(TerminalMarkdown(text), crop=False)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_a_path_stays_whole() -> None:
    """It can be copied, however long it is."""
    path = "/tmp/" + "a-long-directory/" * 8 + "report.html"
    assert path in printed(f"Report: {code(path)}")


def test_the_last_column_gives_way_first() -> None:
    """Words of the other columns are not cut in two, and no line is wider than the terminal."""
    rows = [("base model", "sentence-transformers/all-MiniLM-L6-v2", "default: small, and good at short texts " * 3)]
    text = printed(table(("what", "value", "from"), rows))
    assert "sentence-transformers/all-MiniLM-L6-v2" in text
    assert max(map(len, text.splitlines())) <= 80


def test_headings_stand_at_the_left() -> None:
    """As the tables below them do."""
    assert printed("# First\n\n## Second").split("\n")[0].startswith("First")

"""Markdown in a terminal, made for 80 columns, and the report there: the verdict first, then what it rests on."""

from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Heading, Markdown, MarkdownElement, Paragraph, TableElement
from rich.table import Table
from rich.text import Text

from agent.report.markdown import render_summary
from agent.report.model import Report

TRIALS_SHOWN = 5
LAST_COLUMN = 24
"""Characters that the last column of a table has at least, where it must give way."""
SHORT_TEXT = 16


class _Paragraph(Paragraph):
    """A paragraph with a word that no line holds, such as a path, is left to the terminal to wrap."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if any(len(word) > options.max_width for word in self.text.plain.split()):
            self.text.no_wrap, self.text.overflow = True, "ignore"
        yield self.text


class _Table(TableElement):
    """A table without lines. Its last column gives way first, so that no word of the others is cut in two."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        assert self.header is not None
        assert self.header.row is not None
        body = self.body.rows if self.body is not None else []
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        columns = list(zip(*(row.cells for row in (self.header.row, *body)), strict=True))
        texts = [[cell.content.plain for cell in cells] for cells in columns]
        whole = [max(map(len, cells)) for cells in texts]
        words = [max(len(word) for text in cells for word in ["", *text.split()]) for cells in texts]
        room = options.max_width - 2 * len(columns)
        left = next((n for w in (whole, words) if (n := room - sum(w[:-1])) >= LAST_COLUMN), 0)
        for place, cells in enumerate(columns):
            most = left if place == len(columns) - 1 and left else None
            table.add_column(cells[0].content, justify=cells[0].justify, overflow="fold", max_width=most)
        for row in body:
            table.add_row(*(cell.content for cell in row.cells))
        yield table


class _Heading(Heading):
    """A heading is bold, at the left."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.text.plain, style="bold")


class TerminalMarkdown(Markdown):
    """Markdown as a terminal shows it."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = Markdown.elements | {
        "paragraph_open": _Paragraph,
        "table_open": _Table,
        "heading_open": _Heading,
    }


def print_report(report: Report, console: Console) -> None:
    """Print the report. Text of the user (request, labels, values) is never read as markup."""
    console.print(TerminalMarkdown(render_summary(report, TRIALS_SHOWN)))
    console.print()
    places = {
        "adapter": report.shipped.adapter_dir,
        "report": f"{report.directory}/report.html",
        "again": report.command,
    }
    for name, place in places.items():
        console.print(Text(f"{name:<8} {place}"), soft_wrap=True)

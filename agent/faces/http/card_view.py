"""A plan's card for the terminal; made for 80 columns."""

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from agent.desk.cards import Line, PlanCard
from agent.request.plan_rows import duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_card(card: PlanCard, console: "Console") -> None:
    """What was understood, what was found, what it will take, and what is open."""
    for title, lines in (("Understood", card.understood), ("Data", card.data), ("Search", card.searched)):
        if lines:
            console.print(f"[bold]{title}[/]")
            console.print(_rows(lines))
            console.print()
    if estimate := list(_estimate(card)):
        console.print("[bold]Estimate[/]")
        console.print(_rows(estimate))
    if notes := [*card.notes, *(f"Not obeyed or not understood: “{words}”" for words in card.not_obeyed)]:
        console.print("\n[bold]Notes[/]")
        console.print(_rows(Line(name="·", value=note) for note in notes))
    console.print()
    if card.problem is not None:
        console.print(_plain(f"{card.problem.message} {card.problem.hint or ''}".strip()), style="red", markup=False)
    for question in card.questions:
        hint = f" (suggestion: {question.suggestion})" if question.suggestion else ""
        console.print(_plain(f"Open, {question.field}: {question.question}{hint}"), style="yellow", markup=False)
    if card.plan_hash is not None:
        console.print(f"plan {card.plan_hash[:12]}", style="green")


def _estimate(card: PlanCard) -> Iterable[Line]:
    if card.seconds_p50 is not None:
        worst = f", nine times in ten under {duration(card.seconds_p90)}" if card.seconds_p90 is not None else ""
        yield Line(name="time", value=f"about {duration(card.seconds_p50)}{worst}, on {card.device}")
    if card.peak_memory_mb is not None:
        yield Line(name="memory", value=f"{card.peak_memory_mb:,.0f} MB")
    if card.adapter_mb is not None:
        yield Line(name="adapter", value=f"{card.adapter_mb:g} MB")
    if card.llm_tokens:
        yield Line(name="planner", value=f"at most {card.llm_tokens:,} tokens")


def _rows(lines: Iterable[Line]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="cyan", max_width=16)
    grid.add_column(ratio=2, overflow="fold")
    grid.add_column(ratio=1, overflow="fold", style="dim")
    for line in lines:
        grid.add_row(Text(_plain(line.name)), Text(_plain(line.value)), Text(_plain(line.origin)))
    return grid


def _plain(text: str) -> str:
    """Text without characters that could steer a terminal."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c != "\n" else c for c in text)

"""A plan card for the terminal, at 80 columns: what is to be approved, its hash last."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agent.desk.cards import Line, PlanCard
from agent.desk.chat.compact import short
from agent.request.plan_rows import duration

HASH_SHOWN = 12


def plan_shown(card: PlanCard, asks: bool = False, brief: bool = False) -> RenderableType:
    """The card in a frame; `asks`: as the plan that waits for approval; `brief`: without what an edit leaves as it was.

    Text of the user is never read as markup.
    """
    parts: list[RenderableType] = [_lines(card.understood, 44)]
    if card.data and not brief:
        parts += [Text("\nData", style="bold"), _lines(card.data)]
    if card.searched and not brief:
        parts += [Text("\nSearch", style="bold"), _searched(card.searched)]
    if card.seconds_p50 is not None:
        parts += [Text("\nEstimate", style="bold"), _estimate(card)]
    notes = [*(() if brief else card.notes), *(f"not obeyed or not understood: “{part}”" for part in card.not_obeyed)]
    if notes:
        parts.append(Text())
        parts += [Text.assemble(("· ", "dim"), short(note, 400)) for note in notes]
    if card.changed:
        parts += [Text("\nChanged", style="bold yellow"), _changed(card.changed)]
    parts += _open(card)
    return Panel(Group(*parts), title=_title(card, asks), title_align="left", border_style=_colour(card, asks))


def _title(card: PlanCard, asks: bool) -> Text:
    if card.plan_hash is None:
        return Text("plan, not ready", style="bold yellow")
    return Text.assemble(
        ("plan ", "bold"), (card.plan_hash[:HASH_SHOWN], "bold cyan"), " waits for you" if asks else ""
    )


def _colour(card: PlanCard, asks: bool) -> str:
    return "yellow" if asks or card.plan_hash is None else "dim"


def _lines(lines: Sequence[Line], width: int = 0) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=12, style="cyan")
    grid.add_column(ratio=1, overflow="fold")
    for line in lines:
        origin = f"  {short(line.origin, width)}" if width and line.origin else ""
        grid.add_row(line.name, Text.assemble(short(line.value, 200), (origin, "dim")))
    return grid


def _searched(lines: Sequence[Line]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_column(style="dim", overflow="fold")
    for line in lines:
        grid.add_row(line.name, Text(short(line.value, 120)), Text(line.origin))
    return grid


def _estimate(card: PlanCard) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=12, style="cyan")
    grid.add_column(ratio=1)
    if card.seconds_p50 is not None and card.seconds_p90 is not None:
        span = f"about {duration(card.seconds_p50)}, nine times in ten under {duration(card.seconds_p90)}"
        grid.add_row("time", f"{span}, on {card.device}")
    if card.peak_memory_mb is not None and card.adapter_mb is not None:
        grid.add_row("space", f"{card.peak_memory_mb / 1024:.1f} GB memory, adapter up to {card.adapter_mb:.1f} MB")
    if card.llm_tokens:
        price = "price unknown" if card.llm_usd is None else f"${card.llm_usd:.2f}"
        grid.add_row("planner LLM", f"at most {card.llm_tokens:,} tokens ({price})")
    return grid


def _changed(lines: Sequence[Line]) -> Group:
    return Group(
        *(
            Text.assemble((line.name, "cyan"), "  ", (short(line.value, 80), "bold"), f"  was {short(line.origin, 80)}")
            for line in lines
        )
    )


def _open(card: PlanCard) -> list[RenderableType]:
    """What keeps the plan from being started."""
    parts: list[RenderableType] = []
    if card.problem is not None:
        where = f"{card.problem.param}: " if card.problem.param else ""
        hint = f"\n→ {short(card.problem.hint)}" if card.problem.hint else ""
        parts.append(Text.assemble(("\nCannot be done  ", "bold red"), where, short(card.problem.message, 500), hint))
    for question in card.questions:
        suggestion = f"\n  suggestion: {short(question.suggestion, 100)}" if question.suggestion else ""
        parts.append(Text.assemble(("\nOpen  ", "bold yellow"), short(question.question, 400), suggestion))
    return parts

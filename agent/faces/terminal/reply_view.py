"""A reply as it comes, in the terminal: Markdown that grows, tool calls in a line each, the plan that waits."""

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.text import Text

from agent.desk.cards import PlanCard
from agent.desk.chat.happenings import (
    ApprovalAsked,
    Happening,
    Retracted,
    Said,
    StudyStarted,
    ToolDone,
    ToolStarted,
    TurnOver,
)
from agent.desk.words import plan_text, understood_text
from agent.report.terminal import TerminalMarkdown
from agent.request.markup import short
from agent.request.plan_rows import HASH_SHOWN

ARGUMENT_CHARACTERS = 28


def plan_panel(card: PlanCard, asks: bool = False, brief: bool = False) -> Panel:
    """A plan in a frame; `asks`: as the one that waits for approval; `brief`: only what was understood."""
    title = Text.assemble(("plan ", "bold"), (card.plan_hash[:HASH_SHOWN], "bold cyan")) if card.plan_hash else None
    if title is not None and asks:
        title.append(" waits for you")
    return Panel(
        TerminalMarkdown(understood_text(card) if brief else plan_text(card)),
        title=title or Text("plan, not ready", style="bold yellow"),
        title_align="left",
        border_style="yellow" if asks or title is None else "dim",
    )


class ReplyView:
    """Shows one turn. What it prints stays in the scrollback; only the piece that grows is redrawn."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._text = ""
        self._doing = "thinking"
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(console=console, get_renderable=self._growing, refresh_per_second=10, transient=True)
        self._arguments: dict[str, str] = {}
        self._printed = False

    def __enter__(self) -> "ReplyView":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._settle()
        self._live.stop()

    def show(self, happening: Happening) -> None:
        """Take in what happened."""
        match happening:
            case Said():
                self._text += happening.text
            case Retracted():
                self._withdraw(happening)
            case ToolStarted():
                self._settle()
                self._arguments[happening.call_id] = _arguments(happening)
                self._doing = happening.name
            case ToolDone():
                self._console.print(self._done(happening))
                self._doing = "thinking"
            case ApprovalAsked():
                self._settle()
                self._console.print(plan_panel(happening.plan, asks=True, brief=bool(happening.plan.changed)))
            case StudyStarted():
                self._settle()
                self._console.print(Text.assemble(("● ", "green"), f"study {happening.study.study} is approved"))
            case TurnOver():
                self._settle()

    def _growing(self) -> RenderableType:
        self._spinner.update(text=Text(f"{self._doing} …", "dim"))
        return Group(TerminalMarkdown(self._text), self._spinner) if self._text.strip() else self._spinner

    def _settle(self) -> None:
        """What was said is complete: print it for good."""
        text, self._text = self._text.strip(), ""
        if text:
            self._console.print(TerminalMarkdown(text))
            self._printed = True

    def _withdraw(self, happening: Retracted) -> None:
        self._text = ""
        above = "what is said above" if self._printed else "a reply"
        self._console.print(Text(f"  ✗ {above} was withdrawn: {short(happening.why, 120)}", style="dim"))
        self._printed = False

    def _done(self, happening: ToolDone) -> Text:
        mark = ("✓ ", "green") if happening.ok else ("✗ ", "red")
        took = f" {happening.seconds:.1f} s" if happening.seconds >= 1 else ""
        arguments = self._arguments.pop(happening.call_id, "")
        summary = (f"  {short(happening.summary, 120)}", "" if happening.ok else "red")
        line = Text.assemble("  ", mark, (happening.name, "cyan"), (arguments, "dim"), summary, (took, "dim"))
        line.no_wrap, line.overflow = happening.ok, "ellipsis"
        return line


def _arguments(happening: ToolStarted) -> str:
    """The arguments in short: " study=3 trial=2"."""
    return "".join(f" {name}={short(str(value), ARGUMENT_CHARACTERS)}" for name, value in happening.arguments.items())

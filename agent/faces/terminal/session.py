"""The terminal chat: reads lines, shows replies as they come, asks for approval, watches runs. Owns no study."""

from collections.abc import Callable, Iterator
from typing import Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.desk.cards import PlanCard
from agent.desk.chat.conversation import Conversation
from agent.desk.chat.happenings import ApprovalAsked, Happening, StudyStarted
from agent.desk.chat.rules import ABILITIES
from agent.desk.chat.wishes import is_no, is_yes
from agent.desk.desk import Desk
from agent.desk.words import study_text
from agent.errors import InputError, TunewrightError
from agent.faces.live import LiveView
from agent.faces.terminal.prompt_reader import unechoed
from agent.faces.terminal.reply_view import ReplyView, plan_panel
from agent.faces.terminal.slash import COMMANDS, Slash, arguments_of, is_command, parsed, words_of_edit
from agent.report.terminal import TerminalMarkdown, print_report

SHOWN_CONVERSATIONS = 15
SHOWN_TURNS = 6
CHANGE_WORDS = ("edit", "e", "change", "c")


class Reader(Protocol):
    """Where lines come from. EOFError ends the session, KeyboardInterrupt drops the line."""

    def read(self, asks: bool) -> str:
        """The next line; `asks`: a plan waits for yes, no or a change."""
        ...


Watch = Callable[[Desk, str, Console, Callable[[str], None]], bool]
"""Shows a study until it is over or the person looks away; see `follow`."""


def follow(desk: Desk, study_id: str, console: Console, say: Callable[[str], None]) -> bool:
    """Show a study live; True when it is over, False where Ctrl-C looked away. Nothing of the study is touched."""
    try:
        _watch(desk, study_id, console, say)
    except KeyboardInterrupt:
        say(f"Looked away. Study {study_id} goes on: /follow watches again, /cancel stops it.")
        return False
    card = desk.status(study_id)
    console.print(
        Text.assemble(("● ", "green" if card.result else "yellow"), f"study {study_id} is {card.state_words}")
    )
    console.print(TerminalMarkdown(study_text(card)))
    return True


def _watch(desk: Desk, study_id: str, console: Console, say: Callable[[str], None]) -> None:
    card = desk.status(study_id)
    if card.queue_place is not None and card.queue_place > 1:
        say(f"Study {study_id} is {card.state_words}: it starts when those before it are over.")
    say(f"Watching study {study_id}. Ctrl-C looks away; the study goes on.")
    earlier = desk.store.events(study_id)
    view = LiveView(desk.study(study_id), console, card.seconds_used)
    view.restore(earlier)
    with view:
        for event in desk.stream(study_id, after=earlier[-1].seq if earlier else 0):
            view.on_event(event)


class Leave(Exception):
    """The person is done."""


class Session:
    """One person at one terminal."""

    def __init__(
        self, desk: Desk, conversation: Conversation, console: Console, reader: Reader, watch: Watch = follow
    ) -> None:
        self.desk, self.conversation, self._watch = desk, conversation, watch
        self._console, self._reader = console, reader
        self._shown: str | None = None

    def run(self) -> None:
        """Talk until the person leaves."""
        self._greet()
        while True:
            try:
                line = self._reader.read(asks=self.conversation.pending is not None).strip()
                if line:
                    self.take(line)
            except KeyboardInterrupt:
                self._say("Ctrl-D or /quit leaves.")
            except (EOFError, Leave):
                break
            except TunewrightError as error:
                self._console.print(Text(str(error), style="red"))
        self._bye()

    def take(self, line: str) -> None:
        """One line: a command, an answer to the plan that waits, or something to say."""
        waits = self.conversation.pending is not None
        if is_command(line):
            self._command(*parsed(line))
        elif waits and is_yes(line):
            self._approve("")
        elif waits and is_no(line):
            self._no("")
        elif waits and line.lower() in CHANGE_WORDS:
            self._say("Say what to change, such as: use rank 32 instead")
        else:
            self._tell(self.conversation.say(line))

    def _tell(self, happenings: Iterator[Happening]) -> None:
        """Show a turn as it happens; Ctrl-C stops the reply. A study that was started is watched."""
        started: str | None = None
        try:
            with unechoed(), ReplyView(self._console) as view:
                for happening in happenings:
                    view.show(happening)
                    self._shown = happening.plan_hash if isinstance(happening, ApprovalAsked) else self._shown
                    started = happening.study.study if isinstance(happening, StudyStarted) else started
        except KeyboardInterrupt:
            self._say("Stopped the reply. What was done is kept.")
        finally:
            if hasattr(happenings, "close"):
                happenings.close()
        if started is not None:
            self._look_at(started)

    def _look_at(self, study: str) -> None:
        with unechoed():
            self._watch(self.desk, study, self._console, self._say)

    def _command(self, command: Slash, rest: str) -> None:
        if command.verb is not None:
            self._tell(self.conversation.do(command.verb.name, **arguments_of(command, rest)))
        else:
            getattr(self, f"_{command.name}")(rest)

    def _help(self, rest: str) -> None:
        self._console.print(TerminalMarkdown(ABILITIES))
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
        table.add_column(style="cyan", no_wrap=True)
        table.add_column(overflow="fold")
        for command in COMMANDS:
            aliases = "".join(f", /{name}" for name in command.aliases)
            table.add_row(f"/{command.name} {command.takes}".strip(), Text.assemble(command.help, (aliases, "dim")))
        self._console.print()
        self._console.print(table)
        self._say(
            "Alt-Enter makes a new line. Ctrl-C stops a reply or looks away from a study; neither stops the study."
        )

    def _plan(self, rest: str) -> None:
        plan = self.conversation.memory.plan
        if plan is None:
            raise InputError("plan", "there is none yet.", 'Say what to do, such as "classify tickets.csv".')
        self._show_plan(plan, asks=self.conversation.pending is not None)

    def _show_plan(self, plan: PlanCard, asks: bool) -> None:
        self._shown = plan.plan_hash
        self._console.print(plan_panel(plan, asks))

    def _waiting(self) -> str | None:
        """The hash of the plan that waits, if it is the one last shown here; another is shown first."""
        plan = self.conversation.waiting_plan()
        if plan.plan_hash == self._shown:
            return self._shown
        self._say("Another plan waits by now:")
        self._show_plan(plan, asks=True)
        return None

    def _approve(self, rest: str) -> None:
        if (waiting := self._waiting()) is not None:
            self._tell(self.conversation.approve(rest or waiting))

    def _no(self, rest: str) -> None:
        if (waiting := self._waiting()) is not None:
            self._tell(self.conversation.decline(waiting))

    def _edit(self, rest: str) -> None:
        self._tell(self.conversation.say(words_of_edit(rest)))

    def _follow(self, rest: str) -> None:
        self._look_at(self.desk.study(rest.removeprefix("#") or self.conversation.memory.study).study_id)

    def _report(self, rest: str) -> None:
        print_report(self.desk.report(rest.removeprefix("#") or self.conversation.memory.study), self._console)

    def _model(self, rest: str) -> None:
        if rest:
            self.conversation.switch(rest)
        self._say(f"{_who(self.conversation.llm)} answers.")

    def _conversations(self, rest: str) -> None:
        self._console.print(conversations_table(self.desk))

    def _open(self, rest: str) -> None:
        if not rest:
            raise InputError("open", "needs the id of a conversation.", "/conversations lists them.")
        self.conversation = Conversation(self.desk, rest)
        self._recall()

    def _new(self, rest: str) -> None:
        self.conversation = Conversation(self.desk, llm=self.conversation.llm)
        self._say(f"Conversation {self.conversation.conversation_id}.")

    def _quit(self, rest: str) -> None:
        raise Leave

    def _greet(self) -> None:
        who = _who(self.conversation.llm)
        self._console.print(
            Text.assemble(("tunewright", "bold cyan"), f"  {who} answers  ", ("/help  Ctrl-D leaves", "dim"))
        )
        if self.conversation.turns():
            self._recall()
        else:
            self._say("Say what to do, such as: classify the topics in tickets.csv, macro-F1, 8 trials")

    def _recall(self) -> None:
        """The end of a conversation that is opened again."""
        turns = [turn for turn in self.conversation.turns() if turn.role != "tool" and turn.text.strip()]
        self._say(f"Conversation {self.conversation.conversation_id}" + (", its end:" if turns else "."))
        for turn in turns[-SHOWN_TURNS:]:
            if turn.role == "user":
                self._console.print(Text.assemble(("› ", "bold cyan"), turn.text))
            else:
                self._console.print(TerminalMarkdown(turn.text))
        plan = self.conversation.pending
        if plan is not None:
            self._show_plan(plan, asks=True)

    def _bye(self) -> None:
        for card in self.desk.queue():
            if not card.paused:
                self._say(f"Study {card.study} goes on ({card.state_words}).")
        if self.conversation.turns():
            number = self.conversation.conversation_id
            self._say(f"`tunewright chat --resume {number}` comes back to this conversation.")

    def _say(self, text: str) -> None:
        self._console.print(Text(text, style="dim"))


def _who(llm: str) -> str:
    return "the rules reader (no LLM)" if llm == "embedded" else llm


def conversations_table(desk: Desk) -> Table:
    """The latest conversations in which something was said."""
    table = Table(box=None, pad_edge=False)
    for column in ("id", "started", "turns", "first words"):
        table.add_column(column, justify="right" if column in ("id", "turns") else "left", overflow="fold")
    spoken = [row for row in desk.store.conversations() if row.turns]
    for row in spoken[:SHOWN_CONVERSATIONS]:
        table.add_row(row.conversation_id, row.started_at[:16].replace("T", " "), str(row.turns), Text(row.title))
    return table

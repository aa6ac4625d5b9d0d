"""Lines from a person at a terminal: editing, history, completion of commands, a line on the study that runs."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import HTML
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.styles import Style

from agent.desk.desk import Desk
from agent.faces.terminal.slash import COMMANDS
from agent.report.wording import number

HISTORY_FILE = "chat_history"
MODELS = ("embedded", "openai:", "anthropic:", "vllm:", "http://127.0.0.1:8000/v1#")
STYLE = Style.from_dict({"bottom-toolbar": "noreverse ansibrightblack"})


class PromptReader:
    """See `agent.faces.terminal.session.Reader`. The history file can be read by its owner only."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        history = desk.settings.home / HISTORY_FILE
        os.close(os.open(history, os.O_CREAT | os.O_WRONLY, 0o600))
        self._prompt: PromptSession[str] = PromptSession(
            history=FileHistory(str(history)),
            completer=SlashCompleter(desk),
            key_bindings=_keys(),
            multiline=True,  # a pasted text keeps its lines; Enter sends all the same
            prompt_continuation="  ",
            bottom_toolbar=lambda: standing(self._desk),
            refresh_interval=2.0,
            reserve_space_for_menu=5,
            style=STYLE,
        )

    def read(self, asks: bool) -> str:
        """See `Reader.read`."""
        yellow, cyan = "<ansiyellow><b>yes, no, or a change › </b></ansiyellow>", "<ansicyan><b>› </b></ansicyan>"
        return self._prompt.prompt(HTML(yellow if asks else cyan))


def standing(desk: Desk) -> str:
    """A line on the queue: the study that runs or is next."""
    going = [card for card in desk.queue() if not card.paused]
    if not going:
        return " no study runs"
    card = going[0]
    best = f" · best {card.metric} {number(card.best.score)}" if card.best else ""
    more = f" · {len(going) - 1} waiting" if len(going) > 1 else ""
    return f" study {card.study}: {card.state_words} · {card.trials_over}/{card.trials_limit} trials{best}{more}"


class SlashCompleter(Completer):
    """Completes commands, models after /model and conversations after /open."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """See prompt_toolkit."""
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        name, space, rest = text.partition(" ")
        if not space:
            for command in COMMANDS:
                if command.name.startswith(name[1:]):
                    yield Completion(
                        command.name, -len(name) + 1, display=f"/{command.name}", display_meta=command.help
                    )
        elif name == "/model":
            yield from (Completion(model, -len(rest)) for model in MODELS if model.startswith(rest))
        elif name == "/open":
            for row in self._desk.store.conversations():
                if row.turns and row.conversation_id.startswith(rest):
                    yield Completion(row.conversation_id, -len(rest), display_meta=row.title[:50])


def _keys() -> KeyBindings:
    """Enter sends, Alt-Enter makes a new line; Enter in the menu takes what is marked there."""
    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        state = buffer.complete_state
        if state is not None and state.current_completion is not None:
            buffer.apply_completion(state.current_completion)
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


@contextmanager
def unechoed() -> Iterator[None]:
    """What is typed during the block does not appear; Ctrl-C works. Nothing to do where there is no terminal."""
    import termios

    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (termios.error, ValueError, OSError):
        yield
        return
    quiet = list(before)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)

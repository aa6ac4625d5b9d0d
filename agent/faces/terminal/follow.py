"""Watching a study from the chat: its live display until it is over or the person looks away. Never stops a study."""

from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from agent.desk.desk import Desk
from agent.desk.words import study_text
from agent.faces.live import LiveView
from agent.report.terminal import TerminalMarkdown


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

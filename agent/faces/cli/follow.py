"""Following a study that another process carries out: live in a terminal, an event a line for programs.

Whoever follows with `run` or `resume` stops the study with Ctrl-C, SIGTERM or a closed pipe; with `submit --wait` these
end the following only. A closed terminal or a lost connection ends the following in either case, and the study goes on.
"""

import signal
import sys
from contextlib import ExitStack, suppress

import click

from agent.desk.cards import StudyCard
from agent.desk.desk import Desk
from agent.errors import BudgetSpent, InputError, ObserverGone, StudyFailed
from agent.faces.cli.show import show_report
from agent.faces.console import console
from agent.faces.live import JsonLines, LiveView
from agent.run.carry_out import stopped_by_signals
from agent.run.run import tell
from agent.study.nouns import Observer, StudyState, report_directory

STOP_SECONDS = 60.0
"""How long a stopped study is waited for; a worker in the middle of a training step ends within seconds."""


def follow(desk: Desk, study_id: str, as_json: bool, after: int = 0) -> int:
    """Show a queued study from event `after` on to its report; what ends the following stops the study, but for a
    terminal that is closed.

    The exit code: 0 done, 130 stopped. Raises StudyFailed and BudgetSpent as the study ended, and again
    KeyboardInterrupt and ObserverGone once the study has stopped.
    """
    in_terminal = sys.stdout.isatty()  # asked before: one that is gone is none
    try:
        with stopped_by_signals(signal.SIGTERM):  # SIGHUP ends this process and not the study
            _show_events(desk, study_id, as_json, after)
    except (KeyboardInterrupt, ObserverGone) as end:
        if isinstance(end, ObserverGone) and in_terminal:
            raise
        if _stop(desk, study_id):
            raise
    return _finish(desk, study_id, as_json)


def follow_loosely(desk: Desk, study_id: str, as_json: bool) -> int:
    """`follow`, but the study goes on where the following ends before it; with --json the last line is its card."""
    try:
        _show_events(desk, study_id, as_json, after=0)
    except (KeyboardInterrupt, ObserverGone):
        click.echo(f"\nStudy {study_id} goes on. `tunewright wait {study_id}` waits for it.", err=True)
        raise
    card = desk.status(study_id)
    if not as_json:
        return _finish(desk, study_id, as_json)
    click.echo(card.model_dump_json())
    return code_of(card)


def code_of(card: StudyCard) -> int:
    """0 done or still going, 1 failed, 4 for a budget that was spent before anything useful, 130 stopped before its
    end: cancelled, paused or nobody runs it."""
    if not card.over or card.state is StudyState.DONE:
        return 0
    return _failure(card).exit_code if card.state is StudyState.FAILED else 130


def _failure(card: StudyCard) -> type[BudgetSpent | StudyFailed]:
    """How a study has failed."""
    return BudgetSpent if card.error_code == BudgetSpent.code else StudyFailed


def _show_events(desk: Desk, study_id: str, as_json: bool, after: int) -> None:
    card = desk.status(study_id)
    if card.queue_place is not None and card.queue_place > 1 and not as_json:
        click.echo(f"Study {study_id} is {card.state_words}: studies run one after another.", err=True)
    with ExitStack() as stack:
        observer = _observer(desk, study_id, as_json, after, stack)
        for event in desk.stream(study_id, after):
            tell(observer, event)


def _observer(desk: Desk, study_id: str, as_json: bool, after: int, stack: ExitStack) -> Observer:
    if as_json:
        return JsonLines()
    view = LiveView(desk.study(study_id), console(), desk.store.balance(study_id, "wall_seconds"))
    view.restore([event for event in desk.store.events(study_id) if event.seq <= after])
    return stack.enter_context(view)


def _stop(desk: Desk, study_id: str) -> bool:
    """Ask the process that runs the study to stop, and wait for it; a second Ctrl-C waits no longer.

    False where the study was done before it could be asked.
    """
    try:
        card = desk.cancel(study_id)
    except InputError:
        return False
    with suppress(KeyboardInterrupt):
        card = desk.wait(study_id, STOP_SECONDS)
    with suppress(OSError):  # the terminal may be gone
        click.echo(f"study {study_id} {'has stopped' if card.over else 'is stopping'}; {_go_on(study_id)}", err=True)
    return True


def _finish(desk: Desk, study_id: str, as_json: bool) -> int:
    """Print the report of a study that is done; 130 for one that was cancelled or paused from elsewhere."""
    card, study = desk.status(study_id), desk.study(study_id)
    if card.state is StudyState.FAILED:
        raise _failure(card)(card.error or "the study failed")
    if card.state is not StudyState.DONE:
        click.echo(f"study {study_id} has stopped; {_go_on(study_id)}", err=True)
        return 130
    merged = report_directory(study) / "merged"
    if study.spec.output.merge and merged.exists():
        click.echo(f"merged model in {merged}", err=True)
    show_report(study_id, desk.settings, as_json)
    return 0


def _go_on(study_id: str) -> str:
    return f"`tunewright resume {study_id}` goes on"

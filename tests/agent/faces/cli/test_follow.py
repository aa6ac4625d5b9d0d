"""Following a study that the queue's process carries out: what is shown, what stops it, how it ends."""

import json
import os
import signal
import threading
import time
from contextlib import contextmanager

import pytest

from agent.desk.desk import Desk
from agent.errors import BudgetSpent, ObserverGone, StudyFailed
from agent.faces.cli import follow as following
from agent.faces.cli.follow import code_of, follow, follow_loosely
from agent.report.write import write_report
from agent.settings import load_settings
from agent.study.lock import owning
from agent.study.nouns import EventKind, StudyState


@pytest.fixture
def desk():
    """A desk whose queue is held by this process: nobody else starts to work it off."""
    with Desk(load_settings()) as opened, owning(opened.settings.home / "queue"):
        yield opened


@pytest.fixture
def queued(desk, lab):
    """The id of a study that waits in the queue."""
    study_id = desk.store.create_study(lab.plan(trials=3)).study_id
    desk.store.enqueue(study_id)
    return study_id


@contextmanager
def working(desk, study_id, lab):
    """Carry the study out in a thread while the test follows it."""

    def work():
        with Desk(load_settings()) as other:
            lab.run(other.store, study_id, write_report=write_report)
            other.store.dequeue(study_id)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def ended(desk, study_id, error):
    """Let the study end as a run that raises `error` does."""
    desk.store.dequeue(study_id)
    desk.store.set_state(study_id, StudyState.FAILED, str(error))
    desk.store.log_event(
        study_id, EventKind.STUDY_ENDED, None, {"state": "FAILED", "error": str(error), "code": error.code}
    )


def test_every_event_is_a_line_and_the_report_the_last(desk, queued, lab, capsys):
    """For programs; the study's end is among them."""
    with working(desk, queued, lab):
        assert follow(desk, queued, as_json=True) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["seq"] for line in lines[:-1]] == [e.seq for e in desk.store.events(queued)]
    assert lines[-2]["kind"] == EventKind.STUDY_ENDED
    assert lines[-1]["plan_hash"] == desk.study(queued).plan_hash


def test_a_terminal_shows_trials_and_the_report(desk, queued, lab, capsys):
    """With best and default."""
    with working(desk, queued, lab):
        assert follow(desk, queued, as_json=False) == 0
    out = capsys.readouterr().out
    assert "confirming" in out
    assert "default" in out


@pytest.mark.parametrize(("error", "code"), [(BudgetSpent("no time"), 4), (StudyFailed("all failed"), 1)])
def test_a_failed_study_ends_as_its_run_did(desk, queued, error, code):
    """With the exit code of its error, also for those who only wait."""
    ended(desk, queued, error)
    with pytest.raises(type(error), match=str(error)):
        follow(desk, queued, as_json=True)
    assert code_of(desk.status(queued)) == code


def test_one_that_was_cancelled_from_elsewhere_says_how_to_go_on(desk, queued, capsys):
    """Exit code 130."""
    desk.cancel(queued)
    assert follow(desk, queued, as_json=False) == 130
    assert f"tunewright resume {queued}" in capsys.readouterr().err


def interrupt_when_it_follows():
    """Ctrl-C in a moment."""
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_takes_the_study_off_the_queue(desk, queued, capsys):
    """As Ctrl-C does: it has stopped, and can be resumed."""
    threading.Thread(target=interrupt_when_it_follows, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        follow(desk, queued, as_json=True)
    assert desk.queue() == []
    assert f"study {queued} has stopped; `tunewright resume {queued}` goes on" in capsys.readouterr().err


def test_a_closed_pipe_stops_the_study_but_not_a_submitted_one(desk, queued, monkeypatch):
    """Nobody reads what `run` prints; whoever submitted it wants it done."""
    desk.store.log_event(queued, EventKind.STUDY_STARTED, None, {"pid": 1, "interrupted": []})

    def closed(text, err=False):
        if not err:
            raise BrokenPipeError

    monkeypatch.setattr("agent.faces.live.click.echo", closed)
    with pytest.raises(ObserverGone):
        follow_loosely(desk, queued, as_json=True)
    assert [card.study for card in desk.queue()] == [queued]
    with pytest.raises(ObserverGone):
        follow(desk, queued, as_json=True)
    assert desk.queue() == []


def test_a_terminal_that_is_gone_leaves_the_study_alone(desk, queued, monkeypatch):
    """A lost connection costs no night; SIGHUP has its own effect on the one who follows."""
    before = signal.getsignal(signal.SIGHUP)
    desk.store.log_event(queued, EventKind.STUDY_STARTED, None, {"pid": 1, "interrupted": []})
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    def gone(observer, event):
        assert signal.getsignal(signal.SIGHUP) == before
        raise ObserverGone("the terminal is gone")

    monkeypatch.setattr(following, "tell", gone)
    with pytest.raises(ObserverGone):
        follow(desk, queued, as_json=True)
    assert [card.study for card in desk.queue()] == [queued]


def test_ctrl_c_in_the_last_instant_ends_as_the_study_did(desk, queued, lab, monkeypatch):
    """A study that is done cannot be stopped, and that is no error."""
    with working(desk, queued, lab):
        desk.wait(queued, 60.0)

    def pressed(observer, event):
        raise KeyboardInterrupt

    monkeypatch.setattr(following, "tell", pressed)
    assert follow(desk, queued, as_json=True) == 0


def test_a_place_in_the_queue_is_told(desk, queued, lab, capsys, monkeypatch):
    """Studies run one after another."""
    second = desk.store.create_study(lab.plan(trials=2)).study_id
    desk.store.enqueue(second)
    monkeypatch.setattr(following, "STOP_SECONDS", 1.0)
    threading.Thread(target=interrupt_when_it_follows, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        follow(desk, second, as_json=False)
    assert f"Study {second} is queued, place 2" in capsys.readouterr().err

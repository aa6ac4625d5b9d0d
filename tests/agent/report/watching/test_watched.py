"""Watchers cannot slow, stop or spoil a study: what goes wrong with them is one line of its journal."""

import sys
import threading
import time
from pathlib import Path

import pytest

from agent.errors import ObserverGone
from agent.report.watching.in_thread import MAX_WAITING, ThreadWatcher
from agent.report.watching.watched import Watched, watched
from agent.run.run import tell
from agent.study.nouns import EventKind, StudyEvent

HANGING = Path(__file__).parents[3] / "fakes" / "hanging"


def event(seq=1, kind=EventKind.PROGRESS):
    """An event of a study."""
    return StudyEvent(seq=seq, at="2026-01-01T00:00:00.000+00:00", kind=kind)


def soon(condition, seconds=5.0):
    """Wait until something another thread does has happened."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.005)


@pytest.fixture
def study(lab, store):
    """A study that has not begun."""
    return store.create_study(lab.plan(trials=2))


def test_without_watchers_the_observer_is_left_as_it_is(lab, store, study, settings):
    """What is off costs nothing: not even a wrapper, and no module of a client."""
    recorder = lab.Recorder()
    with watched(recorder, study, store, settings()) as observer:
        assert observer is recorder
    assert not (study.directory / "watch").exists()


def test_a_failing_watcher_is_told_of_once_and_switched_off(lab, store, study):
    """Two lines for a thousand failures; the study's own observer gets every event."""

    def take(event):
        raise ValueError("no\nsuch   thing")

    watcher, recorder = ThreadWatcher("broken", (EventKind.PROGRESS,), take), lab.Recorder()
    everyone = Watched(recorder, [watcher], store, study.study_id)
    for seq in range(1000):
        everyone.on_event(event(seq))
    soon(lambda: not watcher._waiting.qsize() or watcher._off)
    everyone.close(1.0)
    told = [e.data for e in store.events(study.study_id, kind=EventKind.WATCHER)]
    assert told == [
        {"name": "broken", "message": "failed: ValueError: no such thing"},
        {"name": "broken", "message": "failed 3 times and is switched off: ValueError: no such thing"},
    ]
    assert recorder.kinds().count("progress") == 1000
    assert recorder.kinds().count("watcher") == 2


def test_one_failure_does_not_switch_off(lab, store, study):
    """Only failures in a row count."""
    taken = []

    def take(event):
        taken.append(event.seq)
        if event.seq % 3 != 2:
            raise OSError("gone")

    watcher = ThreadWatcher("flaky", (EventKind.PROGRESS,), take)
    everyone = Watched(lab.Recorder(), [watcher], store, study.study_id)
    for seq in range(9):
        everyone.on_event(event(seq))
    everyone.close(5.0)
    assert taken == list(range(9))


def test_a_hanging_watcher_holds_nobody_up(lab, store, study):
    """Events are taken in at once while it hangs, and the end waits for it as long as it was told to."""
    never = threading.Event()
    watcher = ThreadWatcher("stuck", (EventKind.PROGRESS,), lambda event: never.wait())
    everyone = Watched(lab.Recorder(), [watcher], store, study.study_id)
    began = time.monotonic()
    for seq in range(2 * MAX_WAITING):
        everyone.on_event(event(seq))
    fed = time.monotonic() - began
    everyone.close(0.3)
    assert fed < 2.0
    assert time.monotonic() - began < fed + 1.5
    told = [e.data["message"] for e in store.events(study.study_id, kind=EventKind.WATCHER)]
    assert len(told) == 2
    assert "too slow" in told[0]
    assert "not done in time" in told[1]
    never.set()


def test_secrets_in_an_error_are_blotted_out(lab, store, study, monkeypatch):
    """Keys of the environment and logins of addresses reach no event."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "canary-77aa")

    def take(event):
        raise OSError("https://me:pw-canary@box/ refuses canary-77aa")

    everyone = Watched(lab.Recorder(), [ThreadWatcher("x", (EventKind.PROGRESS,), take)], store, study.study_id)
    everyone.on_event(event())
    everyone.close(5.0)
    (told,) = store.events(study.study_id, kind=EventKind.WATCHER)
    assert told.data["message"] == "failed: OSError: https://box/ refuses [redacted]"


def test_the_observers_own_failure_still_ends_the_run(lab, store, study):
    """A closed pipe is noticed through the watchers as without them."""

    class Gone:
        def on_event(self, event):
            raise BrokenPipeError

    everyone = Watched(Gone(), [ThreadWatcher("x", (), lambda event: None)], store, study.study_id)
    with pytest.raises(ObserverGone):
        tell(everyone, event())
    everyone.close(1.0)


def test_a_tracker_that_hangs_costs_a_study_nothing(carry_out, lab, store, study, troubles, monkeypatch, capfd):
    """Its process is stopped at the end; what its client prints does not reach the study's output."""
    if "wandb" in sys.modules:
        pytest.skip("the real client has been imported by this process")
    monkeypatch.syspath_prepend(str(HANGING))
    monkeypatch.setenv("PYTHONPATH", str(HANGING))
    monkeypatch.setenv("WANDB_MODE", "offline")
    events = carry_out(study.study_id, flush_seconds=1.0, export={"wandb": "mine"})
    assert troubles(events) == [("wandb", "was not done in time at the end and was stopped; what it has is incomplete")]
    assert store.study(study.study_id).state == "DONE"
    assert "must not get into" not in capfd.readouterr().out


def test_a_tracker_without_its_client_is_told_of_and_left_out(carry_out, store, study, troubles):
    """A queued study goes on where a package has been removed since it was approved."""
    import importlib.util

    missing = next((n for n in ("mlflow", "wandb", "trackio") if importlib.util.find_spec(n) is None), None)
    if missing is None:
        pytest.skip("every tracker's client is installed here")
    ((name, message),) = troubles(carry_out(study.study_id, export={missing: "mine"}))
    assert name == missing
    assert f"pip install 'tunewright[{missing}]'" in message
    assert store.study(study.study_id).state == "DONE"

"""Watchers cannot slow, stop or spoil a study: what goes wrong with them is one line of its journal."""

import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from pydantic import BaseModel

from agent.errors import ObserverGone
from agent.llm import traces
from agent.llm.planner import Planner
from agent.report.delivery import TIMEOUT_SECONDS
from agent.report.watching import SpanWatcher, Watched, tracker_environment, watched
from agent.report.webhook import WebhookWatcher
from agent.run.run import tell
from agent.settings import Telemetry, Webhook
from agent.study.nouns import EventKind, StudyEvent, StudyState
from prompts import render
from tests.fakes.scripted_chat import ScriptedChat

HANGING = Path(__file__).parents[2] / "fakes" / "hanging"


def event(seq=1, kind=EventKind.PROGRESS, **more):
    """An event of a study."""
    return StudyEvent(seq=seq, at="2026-01-01T00:00:00.000+00:00", kind=kind, **more)


class Broken:
    """A watcher that fails at every event with `error`."""

    name = "broken"

    def __init__(self, error):
        self.error, self.asked = error, 0

    def on_event(self, event):
        """Fail."""
        self.asked += 1
        raise self.error

    def troubles(self):
        """None of its own."""
        return []

    def close(self, until):
        """Nothing waits."""


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
    """One line for a thousand events; the study's own observer gets every one."""
    watcher, recorder = Broken(ValueError("no\nsuch   thing")), lab.Recorder()
    everyone = Watched(recorder, [watcher], store, study.study_id)
    for seq in range(1000):
        everyone.on_event(event(seq))
    everyone.close(1.0)
    lines = [e.data for e in store.events(study.study_id, kind=EventKind.WATCHER)]
    assert lines == [{"name": "broken", "message": "failed and is switched off: ValueError: no such thing"}]
    assert watcher.asked == 1
    assert recorder.kinds().count("progress") == 1000
    assert recorder.kinds().count("watcher") == 1


def test_a_webhook_that_hangs_holds_nobody_up(lab, store, study, settings):
    """It takes connections and never answers; the end waits for it as long as it was told to."""
    store.set_state(study.study_id, StudyState.FAILED, "no reason")
    with socket.create_server(("127.0.0.1", 0)) as server:
        hook = Webhook(url=f"http://127.0.0.1:{server.getsockname()[1]}/")
        watcher = WebhookWatcher(hook, settings().database, study.study_id)
        everyone = Watched(lab.Recorder(), [watcher], store, study.study_id)
        began = time.monotonic()
        everyone.on_event(event(kind=EventKind.STUDY_ENDED, data={"state": "FAILED"}))
        everyone.close(0.3)
        assert time.monotonic() - began < TIMEOUT_SECONDS - 1.0
    (line,) = store.events(study.study_id, kind=EventKind.WATCHER)
    assert line.data["name"] == "webhook"
    assert "not done in time" in line.data["message"]


def test_secrets_in_an_error_are_blotted_out(lab, store, study, monkeypatch):
    """Keys of the environment and logins of addresses reach no event."""
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "canary-77aa")
    watcher = Broken(OSError("https://me:pw-canary@box/ refuses canary-77aa"))
    Watched(lab.Recorder(), [watcher], store, study.study_id).on_event(event())
    (line,) = store.events(study.study_id, kind=EventKind.WATCHER)
    assert line.data["message"].endswith(": OSError: https://box/ refuses [redacted]")


def test_the_observers_own_failure_still_ends_the_run(lab, store, study):
    """A closed pipe is noticed through the watchers as without them."""

    class Gone:
        def on_event(self, event):
            raise BrokenPipeError

    everyone = Watched(Gone(), [SpanWatcher()], store, study.study_id)
    with pytest.raises(ObserverGone):
        tell(everyone, event())
    everyone.close(1.0)


@pytest.fixture
def hanging_wandb(monkeypatch):
    """A client of W&B that never answers and prints where a study's own output goes."""
    if "wandb" in sys.modules:
        pytest.skip("the real client has been imported by this process")
    monkeypatch.syspath_prepend(str(HANGING))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HANGING), os.environ.get("PYTHONPATH", "")]))


def test_a_tracker_that_hangs_costs_a_study_nothing(hanging_wandb, carry_out, store, study, troubles, capfd):
    """Its process is stopped at the end; what its client prints does not reach the study's output."""
    events = carry_out(study.study_id, flush_seconds=1.0, export={"wandb": "mine"})
    assert troubles(events) == [("wandb", "was not done in time at the end and was stopped; what it has is incomplete")]
    assert store.study(study.study_id).state == "DONE"
    assert "must not get into" not in capfd.readouterr().out


def test_a_tracker_that_hangs_does_not_hold_up_another(hanging_wandb, carry_out, store, study, troubles, tmp_path):
    """They share a process, not a thread."""
    pytest.importorskip("tensorboard", reason="pip install 'tunewright[tensorboard]'")
    events = carry_out(study.study_id, flush_seconds=15.0, export={"wandb": "mine", "tensorboard": True})
    assert [name for name, _ in troubles(events)] == ["wandb"]
    assert "must not get into" in (study.directory / "watch" / "trackers.log").read_text()
    (directory,) = (tmp_path / "tensorboard").iterdir()
    assert len([d for d in directory.iterdir() if d.is_dir()]) == len(store.trials(study.study_id))


def test_trackers_see_their_own_keys_and_no_others(monkeypatch):
    """Each tracker of a study's process those of the trackers beside it, too."""
    for name in ("OPENAI_API_KEY", "WANDB_API_KEY", "MLFLOW_TRACKING_TOKEN", "HF_TOKEN", "TUNEWRIGHT_WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "canary")
    assert [k for k, v in tracker_environment("wandb").items() if v == "canary"] == ["WANDB_API_KEY"]
    both = {k for k, v in tracker_environment("mlflow", "wandb").items() if v == "canary"}
    assert both == {"WANDB_API_KEY", "MLFLOW_TRACKING_TOKEN"}


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


def ask_an_llm():
    """One call of a planner."""
    planner = Planner(ScriptedChat('{"n": 1}'), "openai:gpt-9", backoff_seconds=0.0)
    planner.ask(*(render(name, **values) for name, values in PROMPTS), Answer)


class Answer(BaseModel):
    """What the scripted model is asked for."""

    n: int


PROMPTS = (("repair", {"problem": "none", "schema": ""}), ("json_only", {"schema": "{}"}))


def test_a_study_is_one_tree_of_attempts_and_llm_calls(carry_out, lab, store):
    """Also calls made by another thread, such as a planner that thinks while a trial runs."""
    exporting = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter", reason="tunewright[otel]")
    memory = exporting.InMemorySpanExporter()

    class Asking(lab.Recorder):
        def on_event(self, event):
            super().on_event(event)
            if event.kind == "trial_complete" and self.kinds().count("trial_complete") == 1:
                thread = threading.Thread(target=ask_an_llm)
                thread.start()
                thread.join()

    study = store.create_study(lab.plan(trials=2))
    traces.start(Telemetry(otlp="http://127.0.0.1:1"), memory)
    try:
        carry_out(study.study_id, observer=Asking(), telemetry={"otlp": "http://127.0.0.1:1"})
    finally:
        traces.stop()
    spans = {span.name: span for span in memory.get_finished_spans()}
    root, attempt, call = spans["study 1"], spans["trial attempt"], spans["chat gpt-9"]
    assert root.parent is None
    assert attempt.parent.span_id == call.parent.span_id == root.context.span_id
    assert root.attributes["tunewright.state"] == "DONE"
    assert attempt.attributes["tunewright.state"] == "COMPLETE"
    assert isinstance(attempt.attributes["tunewright.score"], float)
    assert root.start_time <= attempt.start_time <= attempt.end_time <= root.end_time


def test_a_collector_that_is_away_is_told_of_once_and_costs_little(carry_out, lab, store, troubles, capfd):
    """The study is done in its own time; nothing is printed over its display."""
    pytest.importorskip("opentelemetry.sdk.trace", reason="pip install 'tunewright[otel]'")
    study = store.create_study(lab.plan(trials=2))
    try:
        began = time.monotonic()
        events = carry_out(study.study_id, telemetry={"otlp": "http://127.0.0.1:1"})
        seconds = time.monotonic() - began
    finally:
        traces.stop()
    assert store.study(study.study_id).state == "DONE"
    ((name, message),) = troubles(events)
    assert name == "traces"
    assert "spans could not be sent" in message
    assert seconds < 4.0 + 2 * traces.SEND_SECONDS
    assert "Transient error" not in capfd.readouterr().err

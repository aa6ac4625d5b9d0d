"""The local executor with processes that are really started, killed and hung.

The module run in place of the worker is a script of the test's own that speaks the same protocol, so that no model is
needed to see what happens to processes.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.run.executor import Slot
from agent.run.local import LocalExecutor, local_slots
from evals.spec import EvalSpec
from tools.attempt import Event, Failed, Finished, TrainAttempt
from tools.child import child_environment
from trainers.spec import Adapter, FailureReason, Metric, Task, TrainSpec

BEHAVIOUR = """
import json, os, sys, time
from tools.worker import end_now
import threading
def say(**event): print(json.dumps(event), flush=True)
lines = iter(sys.stdin.readline, "")
def serve():
    for line in lines:
        spec = json.loads(line); name = spec["attempt_id"]; kind = name.split("-")[0]
        say(event="started", attempt_id=name, pid=os.getpid(), load_seconds=0.0)
        if kind == "die": os.kill(os.getpid(), 9)
        if kind == "exit": print("last words", file=sys.stderr, flush=True); os._exit(7)
        if kind == "torn": sys.stdout.write('{"event": "fini'); sys.stdout.flush(); os._exit(0)
        if kind == "sleep": time.sleep(600)
        if kind == "fail": say(event="failed", attempt_id=name, reason="USER_CODE", message="a bug"); time.sleep(600)
        if kind == "env": print("environment", dict(os.environ), file=sys.stderr, flush=True)
        say(event="finished", attempt_id=name, seconds=0.1, adapter_dir=None,
            train=dict(steps=1, epochs=1.0, train_loss=1.0, eval_loss=None, train_seconds=0.1, tokens_per_second=1.0,
                       peak_memory_mb=1.0, trainable_parameters=1, micro_batch=1, gradient_accumulation=1,
                       n_train_rows=1),
            validation=dict(metric="accuracy", score=1.0, items=[], seconds=0.1))
serve(); end_now()
"""


@pytest.fixture
def executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalExecutor]:
    """One slot whose worker behaves as the attempt's name says."""
    (tmp_path / "scripted_worker.py").write_text(BEHAVIOUR)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    running = LocalExecutor([Slot(name="cpu0", device="cpu")], tmp_path, hang_seconds=3.0, module="scripted_worker")
    yield running
    running.close()


def spec(name: str, timeout_seconds: float | None = None) -> TrainAttempt:
    """An attempt that the scripted worker understands by its name."""
    here = Path("unused")
    train = TrainSpec(
        task=Task.CLASSIFICATION, base_model="none", base_path="none", adapter=Adapter.LORA, config={}, seed=0,
        train_file=here, validation_file=here, max_seq_length=8, output_dir=here,
    )  # fmt: skip
    judged = EvalSpec(task=Task.CLASSIFICATION, metric=Metric.ACCURACY, file=here, max_seq_length=8)
    return TrainAttempt(
        attempt_id=name, train=train, evaluate=judged, keep_adapter=False, timeout_seconds=timeout_seconds
    )


def outcome(executor: LocalExecutor, seconds: float = 20.0) -> Event:
    """The event that ends the running attempt."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for event in executor.poll(0.5):
            if isinstance(event, (Finished, Failed)):
                return event
    raise AssertionError("the attempt did not end")


def test_a_worker_serves_one_attempt_after_another(executor: LocalExecutor) -> None:
    """The process stays between attempts, so a base model can stay in its memory."""
    pids = []
    for name in ("ok-1", "ok-2"):
        executor.submit(spec(name))
        events: list[Event] = []
        while not any(isinstance(e, Finished) for e in events):
            events += executor.poll(1.0)
        pids += [e.pid for e in events if e.event == "started"]
    assert pids[0] == pids[1]


@pytest.mark.parametrize(
    ("kind", "said"), [("die", "signal 9"), ("exit", "exit code 7"), ("torn", "exit code 0")], ids=str
)
def test_a_dead_worker_is_a_lost_attempt(executor: LocalExecutor, kind: str, said: str) -> None:
    """However a worker dies, its attempt ends once, with the way it died, and the next one runs."""
    executor.submit(spec(f"{kind}-1"))
    ended = outcome(executor)
    assert isinstance(ended, Failed)
    assert (ended.reason, said in ended.message) == (FailureReason.LOST, True)
    executor.submit(spec("ok-1"))
    assert isinstance(outcome(executor), Finished)


def test_last_words_of_a_worker_are_told(executor: LocalExecutor) -> None:
    """The last line of its log is in the message, so nobody has to look for it."""
    executor.submit(spec("exit-1"))
    ended = outcome(executor)
    assert isinstance(ended, Failed)
    assert "last words" in ended.message


def test_time_limit_kills_the_attempt(executor: LocalExecutor) -> None:
    """An attempt over its limit is stopped and says so."""
    executor.submit(spec("sleep-1", timeout_seconds=1.0))
    ended = outcome(executor)
    assert isinstance(ended, Failed)
    assert ended.reason is FailureReason.TIMEOUT


def test_silence_is_a_hang(executor: LocalExecutor) -> None:
    """A worker that reports nothing for long is killed."""
    executor.submit(spec("sleep-1"))
    ended = outcome(executor)
    assert isinstance(ended, Failed)
    assert ended.reason is FailureReason.HANG


def test_cancelled_attempt_ends_once_as_preempted(executor: LocalExecutor) -> None:
    """Cancelling is not a failure of the configuration."""
    executor.submit(spec("sleep-1"))
    executor.poll(2.0)
    executor.cancel("sleep-1", grace_seconds=0.1)
    ended = outcome(executor)
    assert isinstance(ended, Failed)
    assert ended.reason is FailureReason.PREEMPTED
    assert executor.poll(0.5) == []


def test_worker_is_replaced_after_damage(executor: LocalExecutor) -> None:
    """After an error of unknown kind the next attempt gets a fresh process, even if the old one lingers."""
    executor.submit(spec("fail-1"))
    assert isinstance(outcome(executor), Failed)
    executor.submit(spec("ok-1"))
    assert isinstance(outcome(executor), Finished)


def test_no_free_slot_is_an_error(executor: LocalExecutor) -> None:
    """Two attempts do not share a slot."""
    executor.submit(spec("sleep-1"))
    with pytest.raises(RuntimeError, match="no free slot"):
        executor.submit(spec("ok-1"))


def test_close_leaves_no_process(executor: LocalExecutor) -> None:
    """A closed executor has no child, busy or not."""
    executor.submit(spec("sleep-1"))
    pid = next(e.pid for e in executor.poll(10.0) if e.event == "started")
    executor.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)


def test_keys_do_not_reach_a_worker(executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a child is an allowlist."""
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "canary-7f3a")
    executor.submit(spec("env-1"))
    assert isinstance(outcome(executor), Finished)
    log = (tmp_path / "logs" / "worker-cpu0.log").read_text()
    assert "environment" in log
    assert "canary-7f3a" not in log


def test_children_stay_off_the_network_hub() -> None:
    """Workers open what is on disk; the coordinator downloads."""
    assert child_environment({})["HF_HUB_OFFLINE"] == "1"


def test_cpu_has_a_slot_for_each_parallel_trial() -> None:
    """parallel_trials is the number of CPU workers."""
    assert [slot.name for slot in local_slots("cpu", 3)] == ["cpu0", "cpu1", "cpu2"]

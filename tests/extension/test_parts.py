"""A proposer, an executor and a kind of attempt of somebody else's work through the seams as they are."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.run.executor import Executor, Slot
from agent.run.local import LocalExecutor
from agent.search.proposer import Proposer
from agent.study.nouns import History, Phase, Proposal, StudyState
from agent.study.store import Store
from evals.spec import EvalResult, Item
from tests.agent import study_lab as lab
from tools.attempt import AttemptSpec, Event, Failed, Finished, Started, TrainAttempt
from trainers.spec import FailureReason, Metric, TrainResult


class Ladder:
    """A proposer: every rank in turn at one learning rate."""

    name = "ladder"

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """The next ranks."""
        ranks = [4, 8, 16] * n
        start = len(history.trials)
        return [
            Proposal(config={"learning_rate": 1e-3, "lora_rank": rank}, source=self.name)
            for rank in ranks[start : start + n]
        ]


class AtOnce:
    """An executor: one slot, on which an attempt is over when it begins, with the rank as its score."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def capacity(self) -> list[Slot]:
        """The slot."""
        return [Slot(name="here", device="cpu")]

    def submit(self, spec: AttemptSpec) -> None:
        """Begin and end."""
        assert isinstance(spec, TrainAttempt)
        score = float(spec.train.config["lora_rank"]) / 100
        spec.train.output_dir.mkdir(parents=True)
        written = json.dumps({"config": spec.train.config, "seed": spec.train.seed})
        (spec.train.output_dir / "scripted.json").write_text(written, encoding="utf-8")
        item = Item(reference="yes", prediction="yes", value=score)
        self.events += [
            Started(attempt_id=spec.attempt_id, pid=1, load_seconds=0.0),
            Finished(
                attempt_id=spec.attempt_id,
                train=TrainResult(
                    steps=1, epochs=1.0, train_loss=1.0, eval_loss=1.0, train_seconds=1.0, tokens_per_second=1.0,
                    peak_memory_mb=1.0, trainable_parameters=1, micro_batch=1, gradient_accumulation=1, n_train_rows=1,
                ),
                validation=EvalResult(metric=spec.evaluate.metric, score=score, items=(item,), seconds=0.0),
                adapter_dir=spec.train.output_dir,
                seconds=1.0,
            ),
        ]  # fmt: skip

    def poll(self, timeout_seconds: float) -> list[Event]:
        """What there is."""
        events, self.events = self.events, []
        return events

    def cancel(self, attempt_id: str, grace_seconds: float = 5.0) -> None:
        """Nothing ever runs."""

    def close(self) -> None:
        """Nothing to close."""


def test_a_study_runs_with_a_proposer_and_an_executor_of_somebody_else(tmp_path: Path) -> None:
    """The loop knows both by their protocols only."""
    proposer: Proposer = Ladder()
    executor: Executor = AtOnce()
    with Store.open(tmp_path / "tunewright.db") as store:
        study = store.create_study(lab.plan(trials=3))
        outcome = lab.run(store, study.study_id, executor, proposer)
        trials = store.trials(study.study_id, Phase.SEARCH)
    assert outcome.state is StudyState.DONE
    assert [trial.proposal.source for trial in trials[1:]] == ["ladder"] * 2
    assert all(trial.score == trial.config["lora_rank"] / 100 for trial in trials)


COUNTING = """
import os
from tools.attempt import AttemptSpec, Finished, Started
from tools.worker import KINDS, serve
from evals.spec import EvalResult
from typing import Literal

class Count(AttemptSpec):
    kind: Literal["count"] = "count"
    upto: int

class Counting:
    def run(self, spec, emit):
        emit(Started(attempt_id=spec.attempt_id, pid=os.getpid(), load_seconds=0.0))
        if spec.upto < 0:
            raise ValueError("cannot count backwards")
        scored = EvalResult(metric="accuracy", score=sum(range(spec.upto)), items=(), seconds=0.0)
        return Finished(attempt_id=spec.attempt_id, validation=scored, seconds=0.0)

    def reset(self):
        pass

if __name__ == "__main__":
    serve({**KINDS, "count": (Count, Counting)})
"""


class Count(AttemptSpec):
    """An attempt that trains nothing."""

    kind: str = "count"
    upto: int


@pytest.fixture
def executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalExecutor]:
    """Worker processes that can count, too."""
    (tmp_path / "counting_worker.py").write_text(COUNTING, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    running = LocalExecutor([Slot(name="cpu0", device="cpu")], tmp_path, module="counting_worker")
    yield running
    running.close()


def ended(executor: LocalExecutor) -> Event:
    """The last event of the running attempt."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for event in executor.poll(0.5):
            if isinstance(event, (Finished, Failed)):
                return event
    raise AssertionError("the attempt did not end")


def test_an_attempt_of_another_kind_goes_through_executor_and_worker(executor: LocalExecutor) -> None:
    """The executor carries it as it is; the worker finds its model and its carrier by the kind."""
    executor.submit(Count(attempt_id="1-1-1", upto=5))
    finished = ended(executor)
    assert isinstance(finished, Finished)
    assert (finished.validation.score, finished.train, finished.adapter_dir) == (10.0, None, None)
    executor.submit(Count(attempt_id="1-1-2", upto=-1))
    failed = ended(executor)
    assert isinstance(failed, Failed)
    assert (failed.reason, "backwards" in failed.message) == (FailureReason.USER_CODE, True)


def test_a_finished_attempt_that_trained_nothing_is_recorded(tmp_path: Path) -> None:
    """The store keeps its score; there is no curve and no training result."""
    with Store.open(tmp_path / "tunewright.db") as store:
        study = store.create_study(lab.plan())
        proposal = Proposal(config={"learning_rate": 1e-3}, source="x")
        (trial,) = store.add_trials(study.study_id, Phase.SEARCH, [(proposal, 1)])
        attempt_id = store.start_attempt(trial.trial_id, "cpu")
        scored = EvalResult(metric=Metric.ACCURACY, score=0.5, items=(), seconds=0.0)
        done = store.finish_attempt(Finished(attempt_id=attempt_id, validation=scored, seconds=1.0))
    assert (done.score, done.costs, done.deviations) == (0.5, None, ())

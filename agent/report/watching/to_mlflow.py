"""MLflow: a parent run for the study, a child run for every trial; to a database file or a tracking server."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from agent.report.model import Result
from agent.report.watching.tracker import Ending, Run, StudyFacts, measured
from agent.study.nouns import TrialState
from trainers.spec import CurvePoint

EXPERIMENT = "tunewright"
KEY = "tunewright.key"
"""Tag by which a run is found again when the study is taken up."""

METRICS_AT_ONCE = 1000
"""What the tracking API takes in one request."""

STATUS = {TrialState.FAILED: "FAILED", TrialState.PRUNED: "KILLED"}


class MlflowTracker:
    """Runs are found by their tag, so nothing of MLflow's own has to be remembered. Live."""

    live = True

    def __init__(self, facts: StudyFacts, uri: str) -> None:
        # the client's own limits are minutes, and it says so in its log instead of failing
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        self._facts, self._client = facts, MlflowClient(tracking_uri=uri)
        named = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        found = self._client.get_experiment_by_name(named)
        if found is None:
            with suppress(MlflowException):  # another study made it at the same time
                self._client.create_experiment(named)
            found = self._client.get_experiment_by_name(named)
        self._experiment = found.experiment_id
        self._runs: dict[str, str] = {}
        self._parent = ""

    def begin(self, run: Run, at: float) -> None:
        """The trial's run, with its configuration as parameters."""
        if not self._parent:
            facts = self._facts
            about = facts.model_dump(mode="json", include={"request", "task", "base_model", "metric", "plan_hash"})
            tags = {f"tunewright.{name}": str(value) for name, value in about.items()}
            self._parent = self._found_or_made(facts.key, facts.name, at, tags)
            self._runs[facts.key] = self._parent
        told = {"phase": str(run.phase), "source": run.source, "number": str(run.number)}
        tags = {f"tunewright.{name}": value for name, value in told.items()} | {"mlflow.parentRunId": self._parent}
        self._runs[run.key] = self._found_or_made(run.key, run.name, at, tags)
        self._log(run.key, params={"seed": run.seed, **run.config})

    def points(self, run: Run, points: Sequence[CurvePoint], at: float) -> None:
        """Metrics `loss`, `eval_loss` and `learning_rate` by step."""
        values = [(name, value, point.step) for point in points for name, value in measured(point).items()]
        for first in range(0, len(values), METRICS_AT_ONCE):
            self._log(run.key, values[first : first + METRICS_AT_ONCE], at)

    def end(self, run: Run, ending: Ending, at: float) -> None:
        """The score as `validation/METRIC`; state and reason as tags. A pruned trial counts as KILLED."""
        values = [("train_seconds_all_attempts", ending.seconds, ending.last_step)]
        if ending.score is not None:
            values.append((f"validation/{self._facts.metric}", ending.score, ending.last_step))
        self._log(
            run.key, values, at, tags={"tunewright.state": ending.state, "tunewright.reason": ending.reason or ""}
        )
        self._client.set_terminated(self._runs.pop(run.key), STATUS.get(ending.state, "FINISHED"), round(at * 1000))

    def finish(self, result: Result, at: float) -> None:
        """Test scores and verdict, at the parent run."""
        tests = {"best": result.best_test, "default": result.default_test, "gain": result.gain}
        values = [(f"test/{name}", value, 0) for name, value in tests.items() if value is not None]
        if not self._parent:  # every trial was told by a process of before
            self._parent = self._runs[self._facts.key] = self._found_or_made(self._facts.key, self._facts.name, at, {})
        self._log(self._facts.key, values, at, tags={"tunewright.verdict": result.verdict})
        self._client.set_terminated(self._runs.pop(self._facts.key), "FINISHED", round(at * 1000))

    def close(self) -> None:
        """What is open was interrupted; it runs again when the study is taken up."""
        while self._runs:
            self._client.set_terminated(self._runs.popitem()[1], "KILLED")

    def _found_or_made(self, key: str, name: str, at: float, tags: Mapping[str, str]) -> str:
        found = self._client.search_runs([self._experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
        if found:
            run_id = str(found[0].info.run_id)
            self._client.update_run(run_id, status="RUNNING")
            return run_id
        made = self._client.create_run(self._experiment, round(at * 1000), {KEY: key, **tags}, run_name=name)
        return str(made.info.run_id)

    def _log(
        self,
        key: str,
        values: Sequence[tuple[str, float, int]] = (),
        at: float = 0.0,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        self._client.log_batch(
            self._runs[key],
            metrics=[Metric(name, value, round(at * 1000), step) for name, value, step in values],
            params=[Param(name, str(value)) for name, value in (params or {}).items() if value is not None],
            tags=[RunTag(name, str(value)) for name, value in (tags or {}).items()],
        )

"""What experiment trackers are told of a study, through the trackers of `accelerate`."""

import hashlib
import importlib.util
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.errors import InputError
from agent.llm.calls import redacted, secrets_of
from agent.report.model import Result
from agent.settings import TrackerName
from agent.study.nouns import Study, Trial
from trainers.spec import Closed, CurvePoint, Scalar

EXPERIMENT = "tunewright"
"""MLflow's, unless $MLFLOW_EXPERIMENT_NAME says another."""

MAX_MESSAGE = 300

_LOGIN = re.compile(r"://[^/@\s]+@")


class Run(Closed):
    """A trial, or the study itself, as trackers show it. No rows and no error texts."""

    key: str
    """The same whenever the study is taken up, so that it goes on in this run; different in every home directory."""

    name: str
    kind: str
    """A trial's phase, or `study`."""

    number: int | None = None
    config: dict[str, Scalar]


def study_run(study: Study) -> Run:
    """The run that holds a study's verdict, and that its trials are grouped under."""
    spec = study.spec
    digest = hashlib.sha256(f"{study.plan_hash} {study.created_at} {study.study_id}".encode()).hexdigest()[:8]
    about = {"request": study.plan.request, "plan_hash": study.plan_hash, "task": spec.task, "seed": spec.seed}
    about |= {"base_model": spec.base_model, "metric": spec.objective.metric, "direction": spec.objective.direction}
    config = {name: value if isinstance(value, int) else str(value) for name, value in about.items()}
    return Run(key=f"tw-{digest}", name=f"study {study.study_id}", kind="study", config=config)


def trial_run(group: Run, trial: Trial) -> Run:
    """The run of a trial of the study whose run is `group`."""
    about = {"trial": trial.number, "seed": trial.seed, "phase": str(trial.phase), "source": trial.proposal.source}
    return Run(
        key=f"{group.key}-{trial.number}",
        name=f"{group.name} trial {trial.number}",
        kind=str(trial.phase),
        number=trial.number,
        config=trial.config | about,
    )


def require(name: TrackerName) -> None:
    """Raises InputError where the tracker's client is not installed. Imports nothing."""
    if importlib.util.find_spec(name) is None:
        raise InputError(
            f"export.{name}",
            f"the package {name} is not installed here.",
            f"pip install 'tunewright[{name}]', or take {name} out of config.toml.",
        )


class Tracker:
    """The runs of one study in one tracker. Used by one thread of the process that follows; may be slow, may raise."""

    def __init__(self, name: TrackerName, place: bool | str, study: Study, home: Path, ids: dict[str, str]) -> None:
        """`place` as in `settings.Export`, relative to `home`; `ids`: MLflow's ids of runs, filled and kept outside."""
        require(name)
        self._name, self._place, self._home, self._ids = name, place, home, ids
        self._group, self._score = study_run(study), f"validation/{study.spec.objective.metric}"
        self._study_id = study.study_id
        self._open: dict[str, Any] = {}
        self.live = name != "trackio"
        """Whether runs are told of while they train; trackio, which has one run open at a time, when a trial ends."""

    def begin(self, run: Run) -> None:
        """A trial runs; also said of a run that is taken up again."""
        self._opened(run)

    def points(self, run: Run, points: Sequence[CurvePoint]) -> None:
        """More of its learning curve. Steps come in order, each once."""
        for point in points:
            values = {"loss": point.loss, "eval_loss": point.eval_loss, "learning_rate": point.learning_rate}
            measured = {name: value for name, value in values.items() if value is not None}
            self._opened(run).log(measured, step=point.step)

    def end(self, run: Run, trial: Trial, last_step: int) -> None:
        """The trial is over: state, reason of a failure, validation score."""
        numbers, words = {"seconds": trial.seconds}, {"state": str(trial.state)}
        if trial.reason:
            words["reason"] = str(trial.reason)
        if trial.score is not None:
            numbers[self._score] = trial.score
            if self._name == "tensorboard":  # its hyperparameters dashboard wants both together, and tells the score
                score = {self._score: numbers.pop(self._score)}
                self._opened(run).tracker.add_hparams(run.config, score, run_name=".", global_step=last_step)
        self._conclude(run, numbers, words, last_step)

    def finish(self, result: Result) -> None:
        """The study is done: test scores and verdict, in its own run."""
        tests = {"best": result.best_test, "default": result.default_test, "gain": result.gain}
        scores = {f"test/{name}": value for name, value in tests.items() if value is not None}
        self._conclude(self._group, scores, {"verdict": result.verdict}, 0)

    def close(self) -> None:
        """Send what waits. Runs that are still open were interrupted."""
        while self._open:
            self._open.popitem()[1].finish()

    def _conclude(self, run: Run, numbers: Mapping[str, float], words: Mapping[str, str], step: int) -> None:
        tracker = self._opened(run)
        if self._name == "mlflow":  # takes numbers only; words are tags
            import mlflow

            mlflow.set_tags({f"tunewright.{name}": value for name, value in words.items()})
            words = {}
        # W&B takes no step again that a run had before it was taken up: there these stand at the next one
        tracker.log({**numbers, **words}, step=None if self._name == "wandb" else step)
        self._open.pop(run.key).finish()

    def _opened(self, run: Run) -> Any:
        """The accelerate tracker of a run, which is opened or taken up where it is not open."""
        if self._name == "mlflow":  # logs to the innermost open run: besides the study's, one trial's is open at a time
            for key in [key for key in self._open if key not in (self._group.key, run.key)]:
                self._open.pop(key).finish()
            if run is not self._group and run.key not in self._open:
                self._opened(self._group)
        if run.key in self._open:
            return self._open[run.key]
        tracker = self._new(run)
        tracker.start()
        self._open[run.key] = tracker
        if self._name == "mlflow":
            self._ids[run.key] = tracker.tracker.info.run_id
            tracker.store_init_configuration(run.config)
        elif self._name == "tensorboard":
            rows = [f"| {name} | {value} |" for name, value in run.config.items()]
            tracker.log({"configuration": "\n".join(["| | |", "|---|---|", *rows])}, step=0)
        return tracker

    def _new(self, run: Run) -> Any:
        from accelerate import tracking  # seconds: it loads torch

        group, label = self._group.key, "report" if run.number is None else f"trial {run.number}"
        grouped = {"group": group, "config": run.config, "resume": "allow"}
        if self._name == "tensorboard":
            base = self._home / ("tensorboard" if self._place is True else Path(str(self._place)).expanduser())
            directory = base / f"study-{self._study_id}-{group.removeprefix('tw-')}"
            return tracking.TensorBoardTracker("" if run.number is None else f"trial-{run.number:03d}", directory)
        if self._name == "mlflow":
            self._use_mlflow()
            nested = run is not self._group
            return tracking.MLflowTracker(
                EXPERIMENT, run_id=self._ids.get(run.key), nested_run=nested, run_name=run.name
            )
        if self._name == "wandb":
            entity, _, project = str(self._place).rpartition("/")
            where = {"entity": entity or None, "dir": os.environ.get("WANDB_DIR", str(self._home))}
            own = {"id": run.key, "name": run.name, "job_type": run.kind, "reinit": "create_new"}
            return tracking.WandBTracker(project, settings=_wandb_settings(), **where, **own, **grouped)
        quiet = {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False}
        return tracking.TrackioTracker(str(self._place), name=f"{group} {label}", **quiet, **grouped)

    def _use_mlflow(self) -> None:
        # the client's own limits are minutes, and it says so in its log instead of failing
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{self._home / 'mlflow.db'}" if self._place is True else str(self._place))


def _wandb_settings() -> Any:
    """A run holds what it is given: no code, no environment, no measurements of the machine."""
    import wandb

    off = ("disable_code", "disable_git", "disable_job_creation", "x_disable_meta", "x_disable_stats", "silent")
    return wandb.Settings(console="off", init_timeout=30, x_save_requirements=False, **dict.fromkeys(off, True))


def error_line(error: Exception) -> str:
    """An error in one line, without secrets."""
    line = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return redacted(without_login(line), secrets_of(os.environ))[:MAX_MESSAGE]


def without_login(text: str) -> str:
    """`text` without the user names and passwords of addresses in it."""
    return _LOGIN.sub("://", text)

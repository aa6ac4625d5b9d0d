"""What an experiment tracker is told of a study, and the protocol of those that tell it."""

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from agent.errors import InputError
from agent.report.model import Result
from agent.settings import TrackerName
from agent.study.nouns import Phase, Study, Trial, TrialState
from trainers.space import CategoricalParameter, Parameter
from trainers.spec import Closed, Config, CurvePoint, Direction, FailureReason, Metric


class StudyFacts(Closed):
    """A study as trackers show it: what its runs are grouped under. No rows and no error texts."""

    key: str = Field(description="the same whenever the study is taken up, different in every home directory")
    name: str
    study_id: str
    plan_hash: str
    request: str
    task: str
    base_model: str
    metric: Metric
    direction: Direction
    seed: int
    hyperparameters: dict[str, Literal["number", "text"]] = Field({}, exclude=True, description="those of the space")


class Run(Closed):
    """A trial as trackers show it."""

    key: str = Field(description="the study's key and the trial's number: taking a study up again makes no second run")
    name: str
    number: int
    phase: Phase
    source: str
    seed: int
    config: Config


class Ending(Closed):
    """How a trial ended."""

    state: TrialState
    score: float | None = Field(description="validation score, only of a COMPLETE trial")
    reason: FailureReason | None
    seconds: float
    last_step: int


class Tracker(Protocol):
    """One experiment tracker, through its own client. Called from one thread, in its own process; may be slow.

    `at` is the time of the event in seconds since 1970. Steps of a run come in order, each once.
    """

    live: bool
    """Whether runs are told of while they train; otherwise all at once when a trial ends."""

    def begin(self, run: Run, at: float) -> None:
        """A trial runs; also called for a run of before that is taken up again."""
        ...

    def points(self, run: Run, points: Sequence[CurvePoint], at: float) -> None:
        """More of its learning curve."""
        ...

    def end(self, run: Run, ending: Ending, at: float) -> None:
        """It is over."""
        ...

    def finish(self, result: Result, at: float) -> None:
        """The study is done."""
        ...

    def close(self) -> None:
        """Send what waits. Runs that are still open were interrupted."""
        ...


def facts_of(study: Study) -> StudyFacts:
    """What trackers may know of a study."""
    spec, space = study.spec, study.plan.space
    told = f"{study.plan_hash} {study.created_at} {study.study_id}"
    return StudyFacts(
        key=f"tw-{hashlib.sha256(told.encode()).hexdigest()[:8]}",
        name=f"study {study.study_id}",
        study_id=study.study_id,
        plan_hash=study.plan_hash,
        request=study.plan.request,
        task=spec.task,
        base_model=spec.base_model,
        metric=spec.objective.metric,
        direction=spec.objective.direction,
        seed=spec.seed,
        hyperparameters={name: _sort(parameter) for name, parameter in space.parameters.items()} if space else {},
    )


def _sort(parameter: Parameter) -> Literal["number", "text"]:
    values = parameter.choices if isinstance(parameter, CategoricalParameter) else (0,)
    return "number" if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values) else "text"


def run_of(facts: StudyFacts, trial: Trial) -> Run:
    """What trackers may know of a trial."""
    return Run(
        key=f"{facts.key}-{trial.number}",
        name=f"{facts.name} trial {trial.number}",
        number=trial.number,
        phase=trial.phase,
        source=trial.proposal.source,
        seed=trial.seed,
        config=trial.config,
    )


def measured(point: CurvePoint) -> dict[str, float]:
    """The values of a point that trackers are told, by name."""
    values = {"loss": point.loss, "eval_loss": point.eval_loss, "learning_rate": point.learning_rate}
    return {name: value for name, value in values.items() if value is not None}


def require(name: TrackerName) -> None:
    """Raises InputError where the tracker's client is not installed. Imports nothing."""
    if importlib.util.find_spec(name) is None:
        raise InputError(
            f"export.{name}",
            f"the package {name} is not installed here.",
            f"pip install 'tunewright[{name}]', or take {name} out of config.toml.",
        )


def open_tracker(name: TrackerName, place: bool | str, facts: StudyFacts, home: Path) -> Tracker:
    """The tracker `name` writing to `place` (True: its default). Relative places lie in `home`."""
    require(name)
    if name == "tensorboard":
        from agent.report.watching.to_tensorboard import TensorBoardTracker

        return TensorBoardTracker(facts, home / ("tensorboard" if place is True else Path(str(place)).expanduser()))
    if name == "mlflow":
        from agent.report.watching.to_mlflow import MlflowTracker

        return MlflowTracker(facts, f"sqlite:///{home / 'mlflow.db'}" if place is True else str(place))
    if name == "wandb":
        from agent.report.watching.to_wandb import WandbTracker

        return WandbTracker(facts, str(place), home)
    from agent.report.watching.to_trackio import TrackioTracker

    return TrackioTracker(facts, str(place))

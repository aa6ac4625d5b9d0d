"""Weights & Biases: a run for every trial, grouped under the study. Without network with WANDB_MODE=offline."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.report.model import Result
from agent.report.watching.tracker import Ending, Run, StudyFacts, measured
from agent.study.nouns import TrialState
from trainers.spec import CurvePoint

STEP = "train/step"
"""Our own x axis: W&B's counts calls and would start anew when a trial is taken up."""


class WandbTracker:
    """Live where W&B is online. An offline run cannot be continued, so there each is written when its trial ends."""

    def __init__(self, facts: StudyFacts, project: str, home: Path) -> None:
        import wandb

        self._wandb, self._facts = wandb, facts
        entity, _, name = project.rpartition("/")
        self._place = {"entity": entity or None, "project": name, "dir": os.environ.get("WANDB_DIR", str(home))}
        self.live = os.environ.get("WANDB_MODE", "online") == "online"
        self._runs: dict[str, Any] = {}

    def begin(self, run: Run, at: float) -> None:
        """The trial's run; its id is ours, so that it is continued and not repeated."""
        config = run.config | {"seed": run.seed, "phase": str(run.phase), "source": run.source, "trial": run.number}
        self._runs[run.key] = self._opened(run.key, run.name, str(run.phase), config)
        self._runs[run.key].define_metric(STEP)
        self._runs[run.key].define_metric("*", step_metric=STEP)

    def points(self, run: Run, points: Sequence[CurvePoint], at: float) -> None:
        """Metrics `loss`, `eval_loss` and `learning_rate` by `train/step`."""
        for point in points:
            self._runs[run.key].log({STEP: point.step, **measured(point)})

    def end(self, run: Run, ending: Ending, at: float) -> None:
        """Score, state and reason in the run's summary; a failed trial's run is marked as failed."""
        opened = self._runs[run.key]
        told = {"state": str(ending.state), "reason": ending.reason, "seconds": ending.seconds}
        opened.summary.update({name: value for name, value in told.items() if value is not None})
        if ending.score is not None:
            opened.summary[f"validation/{self._facts.metric}"] = ending.score
        opened.finish(exit_code=int(ending.state is TrialState.FAILED))
        del self._runs[run.key]

    def finish(self, result: Result, at: float) -> None:
        """Test scores and verdict, as a run of their own of the type `report`."""
        about = self._facts.model_dump(mode="json", exclude={"key", "name"})
        opened = self._opened(f"{self._facts.key}-report", f"{self._facts.name} report", "report", about)
        tests = {"best": result.best_test, "default": result.default_test, "gain": result.gain}
        opened.summary.update({f"test/{name}": value for name, value in tests.items() if value is not None})
        opened.summary["verdict"] = result.verdict
        opened.finish()

    def close(self) -> None:
        """What is open was interrupted; it goes on when the study is taken up."""
        while self._runs:
            self._runs.popitem()[1].finish(exit_code=1)
        self._wandb.teardown()

    def _opened(self, key: str, name: str, kind: str, config: dict[str, Any]) -> Any:
        """A run that holds what it is given: no code, no environment, no measurements of the machine."""
        settings = self._wandb.Settings(
            console="off",
            silent=True,
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            init_timeout=30,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
        )
        return self._wandb.init(
            **self._place,
            id=key,
            name=name,
            group=self._facts.key,
            job_type=kind,
            config=config,
            resume="allow" if self.live else None,
            reinit="create_new",
            settings=settings,
        )

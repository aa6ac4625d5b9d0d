"""trackio: a local run for every trial, grouped under the study; `trackio show --project NAME` opens them."""

from collections.abc import Sequence
from typing import Any

from agent.report.model import Result
from agent.report.watching.tracker import Ending, Run, StudyFacts, measured
from trainers.spec import CurvePoint


class TrackioTracker:
    """One run is open at a time, so each is written when its trial ends."""

    live = False

    def __init__(self, facts: StudyFacts, project: str) -> None:
        import trackio

        self._trackio, self._facts, self._project = trackio, facts, project
        self._run: Any = None

    def begin(self, run: Run, at: float) -> None:
        """The trial's run, found again by its name."""
        told = {"seed": run.seed, "phase": str(run.phase), "source": run.source, "trial": run.number, "key": run.key}
        self._open(f"{self._facts.key} trial {run.number}", run.config | told)

    def points(self, run: Run, points: Sequence[CurvePoint], at: float) -> None:
        """Metrics `loss`, `eval_loss` and `learning_rate` by step."""
        for point in points:
            self._run.log(measured(point), step=point.step)

    def end(self, run: Run, ending: Ending, at: float) -> None:
        """Score, state and reason at the run's last step."""
        told: dict[str, Any] = {"state": str(ending.state), "seconds": ending.seconds}
        if ending.reason is not None:
            told["reason"] = str(ending.reason)
        if ending.score is not None:
            told[f"validation/{self._facts.metric}"] = ending.score
        self._run.log(told, step=ending.last_step)
        self.close()

    def finish(self, result: Result, at: float) -> None:
        """Test scores and verdict, as a run of their own."""
        self._open(f"{self._facts.key} report", self._facts.model_dump(mode="json", exclude={"name"}))
        tests = {"best": result.best_test, "default": result.default_test, "gain": result.gain}
        scores = {f"test/{name}": value for name, value in tests.items() if value is not None}
        self._run.log({**scores, "verdict": result.verdict}, step=0)
        self.close()

    def close(self) -> None:
        """Write what waits."""
        if self._run is not None:
            self._trackio.finish()
            self._run = None

    def _open(self, name: str, config: dict[str, Any]) -> None:
        self._run = self._trackio.init(
            project=self._project,
            name=name,
            group=self._facts.key,
            config={key: value for key, value in config.items() if value is not None},
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

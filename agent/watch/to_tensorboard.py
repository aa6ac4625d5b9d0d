"""TensorBoard: a directory of event files for every trial, with curves, score and the hyperparameters dashboard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.desk.cards import Result
from agent.study import TrialState
from agent.watch.tracker import Ending, Run, StudyFacts, measured
from trainers.spec import CurvePoint


class TensorBoardTracker:
    """Writes `study-ID-KEY/trial-NNN/`, live; hyperparameters, state and result in TensorBoard's own formats."""

    live = True

    def __init__(self, facts: StudyFacts, directory: Path) -> None:
        self._facts = facts
        self._directory = directory / f"study-{facts.study_id}-{facts.key.rpartition('-')[2]}"
        self._writers: dict[str, Any] = {}

    def begin(self, run: Run, at: float) -> None:
        """Open the trial's event file; tell its hyperparameters."""
        from tensorboard.plugins.hparams import summary_v2

        self._describe(at)
        values = {name: value for name, value in run.config.items() if value is not None}
        facts = {"phase": str(run.phase), "source": run.source, "seed": run.seed}
        self._write(
            run.key, summary_v2.hparams_pb(_plain(values | facts), run.key, at), 0, at, f"trial-{run.number:03d}"
        )

    def points(self, run: Run, points: Sequence[CurvePoint], at: float) -> None:
        """Scalars `loss`, `eval_loss` and `learning_rate` by step."""
        for point in points:
            self._scalars(run.key, measured(point), point.step, at)
        self._writers[run.key].flush()

    def end(self, run: Run, ending: Ending, at: float) -> None:
        """The score as `validation/METRIC`, the state as text, the end of the session."""
        from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
        from tensorboard.plugins.text.summary_v2 import text_pb

        if ending.score is not None:
            self._scalars(run.key, {self._score_tag: ending.score}, ending.last_step, at)
        words = f"{ending.state} ({ending.reason})" if ending.reason else str(ending.state)
        self._write(run.key, text_pb("state", words), ending.last_step, at)
        failed = ending.state is TrialState.FAILED
        status = api_pb2.Status.Value("STATUS_FAILURE" if failed else "STATUS_SUCCESS")
        over = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=at)
        self._write(run.key, _session_end(plugin_data_pb2.HParamsPluginData(session_end_info=over)), 0, at)
        self._writers.pop(run.key).close()

    def finish(self, result: Result, at: float) -> None:
        """Test scores and verdict, in the study's own directory."""
        from tensorboard.plugins.text.summary_v2 import text_pb

        tests = {"best": result.best_test, "default": result.default_test}
        scores = {f"test/{side}": score for side, score in tests.items() if score is not None}
        self._scalars(self._facts.key, scores, 0, at)
        self._write(self._facts.key, text_pb("verdict", result.verdict), 0, at)
        self._writers.pop(self._facts.key).close()

    def close(self) -> None:
        """Close what is open."""
        while self._writers:
            self._writers.popitem()[1].close()

    @property
    def _score_tag(self) -> str:
        return f"validation/{self._facts.metric}"

    def _describe(self, at: float) -> None:
        """What the hyperparameters dashboard compares; once for a study."""
        from tensorboard.plugins.hparams import summary_v2
        from tensorboard.plugins.text.summary_v2 import text_pb

        if self._directory.exists():
            return
        metric = summary_v2.Metric(self._score_tag, display_name=str(self._facts.metric))
        self._write(self._facts.key, summary_v2.hparams_config_pb([], [metric], at), 0, at, "")
        facts = self._facts.model_dump(include={"request", "task", "base_model", "metric", "plan_hash"})
        table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())])
        self._write(self._facts.key, text_pb("study", table), 0, at)
        self._writers[self._facts.key].flush()

    def _scalars(self, key: str, values: Mapping[str, float], step: int, at: float) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        told = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._write(key, Summary(value=told), step, at)

    def _write(self, key: str, summary: Any, step: int, at: float, place: str = "") -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if key not in self._writers:
            self._writers[key] = EventFileWriter(str(self._directory / place))
        self._writers[key].add_event(Event(wall_time=at, step=step, summary=summary))


def _plain(values: Mapping[str, object]) -> dict[str, bool | float | int | str]:
    """What the hyperparameters dashboard can hold."""
    return {n: v if isinstance(v, bool | float | int | str) else str(v) for n, v in values.items()}


def _session_end(data: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata

    return Summary(
        value=[
            Summary.Value(
                tag=metadata.SESSION_END_INFO_TAG,
                metadata=metadata.create_summary_metadata(data),
                tensor=metadata.NULL_TENSOR,
            )
        ]
    )

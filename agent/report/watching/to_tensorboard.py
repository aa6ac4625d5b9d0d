"""TensorBoard: a directory of event files for every trial, with curves, score and the hyperparameters dashboard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from agent.report.model import Result
from agent.report.watching.tracker import Ending, Run, StudyFacts, measured
from agent.study.nouns import TrialState
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
        told = run.config | {"phase": str(run.phase), "source": run.source, "seed": run.seed}
        numbers = [name for name, sort in self._columns.items() if sort == "number"]
        values = {name: value if name in numbers else str(value) for name, value in told.items() if value is not None}
        session = summary_v2.hparams_pb(values, run.key, at)
        self._write(run.key, session, 0, at, f"trial-{run.number:03d}")

    def points(self, run: Run, points: Sequence[CurvePoint], at: float) -> None:
        """Scalars `loss`, `eval_loss` and `learning_rate` by step."""
        for point in points:
            self._scalars(run.key, measured(point), point.step, at)
        self._writers[run.key].flush()

    def end(self, run: Run, ending: Ending, at: float) -> None:
        """The score as `validation/METRIC`, the state as text, the end of the session."""
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
        from tensorboard.plugins.text.summary_v2 import text_pb

        if ending.score is not None:
            self._scalars(run.key, {self._score_tag: ending.score}, ending.last_step, at)
        words = f"{ending.state} ({ending.reason})" if ending.reason else str(ending.state)
        self._write(run.key, text_pb("state", words), ending.last_step, at)
        failed = ending.state is TrialState.FAILED
        status = api_pb2.Status.Value("STATUS_FAILURE" if failed else "STATUS_SUCCESS")
        over = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=at)
        data = plugin_data_pb2.HParamsPluginData(session_end_info=over)
        self._write(run.key, _hparams_summary(metadata.SESSION_END_INFO_TAG, data), 0, at)
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
    def _columns(self) -> dict[str, Literal["number", "text"]]:
        return {**self._facts.hyperparameters, "phase": "text", "source": "text", "seed": "number"}

    @property
    def _score_tag(self) -> str:
        return f"validation/{self._facts.metric}"

    def _describe(self, at: float) -> None:
        """What the hyperparameters dashboard compares; once for a study."""
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
        from tensorboard.plugins.text.summary_v2 import text_pb

        if self._directory.exists():
            return
        types = {"number": api_pb2.DATA_TYPE_FLOAT64, "text": api_pb2.DATA_TYPE_STRING}
        score = api_pb2.MetricInfo(name=api_pb2.MetricName(tag=self._score_tag), display_name=str(self._facts.metric))
        experiment = api_pb2.Experiment(
            hparam_infos=[api_pb2.HParamInfo(name=name, type=types[sort]) for name, sort in self._columns.items()],
            metric_infos=[score],
            time_created_secs=at,
        )
        data = plugin_data_pb2.HParamsPluginData(experiment=experiment)
        self._write(self._facts.key, _hparams_summary(metadata.EXPERIMENT_TAG, data), 0, at)
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


def _hparams_summary(tag: str, data: Any) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata

    return Summary(
        value=[
            Summary.Value(
                tag=tag,
                metadata=metadata.create_summary_metadata(data),
                tensor=metadata.NULL_TENSOR,
            )
        ]
    )

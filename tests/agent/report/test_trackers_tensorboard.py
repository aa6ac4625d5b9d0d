"""What is written for TensorBoard, read by TensorBoard's own reader."""

import json

import pytest

from agent.study.nouns import TrialState
from tests.fakes.scripted_executor import ScriptedExecutor
from trainers.spec import FailureReason

pytest.importorskip("tensorboard", reason="pip install 'tunewright[tensorboard]'")

ON = {"export": {"tensorboard": True}}


def read(directory):
    """Run name to accumulator, as TensorBoard loads them."""
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer

    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(directory))
    multiplexer.Reload()
    return {name: multiplexer.GetAccumulator(name) for name in multiplexer.Runs()}


def scalars(run, tag):
    """(step, value) of a scalar."""
    from tensorboard.util.tensor_util import make_ndarray

    return [(e.step, round(float(make_ndarray(e.tensor_proto)), 4)) for e in run.Tensors(tag)]


def text(run, tag):
    """The last text of a tag."""
    from tensorboard.util.tensor_util import make_ndarray

    return make_ndarray(run.Tensors(f"{tag}/text_summary")[-1].tensor_proto).item().decode()


def session(run):
    """(configuration, status) as the hyperparameters dashboard reads them."""
    from tensorboard.plugins.hparams import api_pb2, metadata

    content = run.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    values = metadata.parse_session_start_info_plugin_data(content).hparams
    content = run.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    status = metadata.parse_session_end_info_plugin_data(content).status
    told = {name: value.string_value or value.number_value for name, value in values.items()}
    return told, api_pb2.Status.Name(status)


def test_every_trial_is_a_run_with_curve_score_and_configuration(carry_out, lab, store, tmp_path, troubles):
    """Also a failed one; and the study's verdict stands beside them."""
    study = store.create_study(lab.plan(trials=3))
    failing = lambda spec: (FailureReason.OOM_GPU, "12 rows of data") if spec.attempt_id == "1-1-1" else None  # noqa: E731
    events = carry_out(study.study_id, ScriptedExecutor(lab.objective, failure=failing), **ON)
    assert troubles(events) == []
    (directory,) = (tmp_path / "tensorboard").iterdir()
    runs = read(directory)
    trials = store.trials(study.study_id)
    assert set(runs) == {".", *(f"trial-{t.number:03d}" for t in trials)}
    for trial in trials:
        run = runs[f"trial-{trial.number:03d}"]
        assert scalars(run, "loss") == [(1, 1.0), (2, 0.5), (3, 0.3333)]
        assert [step for step, _ in scalars(run, "learning_rate")] == [1, 2, 3]
        about = {"phase": trial.phase.value, "source": trial.proposal.source, "seed": trial.seed}
        assert all(f"| {name} | {value} |" in text(run, "configuration") for name, value in trial.config.items())
        if trial.state is TrialState.FAILED:
            assert (text(run, "state"), text(run, "reason")) == ("FAILED", "OOM_GPU")
            assert "validation/accuracy" not in run.Tags()["tensors"]
        else:
            assert session(run) == ({**trial.config, **about, "trial": trial.number}, "STATUS_SUCCESS")
            assert text(run, "state") == "COMPLETE"
            assert scalars(run, "validation/accuracy") == [(3, round(trial.score, 4))]
    report = json.loads((study.directory / "output" / "report.json").read_text())
    assert text(runs["."], "verdict") == report["verdict"]
    assert scalars(runs["."], "test/default") == [(0, round(report["default"]["test_score"], 4))]
    written = b"".join(f.read_bytes() for f in directory.rglob("*") if f.is_file())
    assert b"12 rows of data" not in written, "error texts may quote data"


def test_the_hyperparameters_dashboard_lists_the_trials(carry_out, lab, store, tmp_path):
    """TensorBoard's own plugin finds hyperparameters, metric and one session group a trial."""
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    study = store.create_study(lab.plan(trials=2))
    carry_out(study.study_id, **ON)
    (directory,) = (tmp_path / "tensorboard").iterdir()
    multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(directory))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(directory))
    context = backend_context.Context(base_plugin.TBContext(data_provider=provider, logdir=str(directory)))
    metadata = context.hparams_metadata(RequestContext(), "")
    experiment = context.experiment_from_metadata(RequestContext(), "", True, metadata, [])
    assert {info.name for info in experiment.hparam_infos} >= {"learning_rate", "lora_rank", "phase", "source"}
    assert [info.name.tag for info in experiment.metric_infos] == ["validation/accuracy"]
    request = api_pb2.ListSessionGroupsRequest(
        slice_size=100,
        start_index=0,
        allowed_statuses=[api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_RUNNING],
    )
    groups = list_session_groups.Handler(RequestContext(), context, "", request).run().session_groups
    assert len(groups) == len(store.trials(study.study_id))
    assert {session.status for group in groups for session in group.sessions} == {api_pb2.STATUS_SUCCESS}


def test_a_study_that_is_taken_up_again_goes_on_in_its_runs(carry_out, lab, store, tmp_path):
    """No run twice, no step twice: what one process told, the next does not tell again."""

    class Stopped(lab.Recorder):
        def on_event(self, event):
            super().on_event(event)
            if self.kinds().count("trial_complete") == 2:
                raise KeyboardInterrupt

    study = store.create_study(lab.plan(trials=4))
    with pytest.raises(KeyboardInterrupt):
        carry_out(study.study_id, observer=Stopped(), **ON)
    (directory,) = (tmp_path / "tensorboard").iterdir()
    told_before = len(read(directory))
    carry_out(study.study_id, **ON)
    assert [directory] == list((tmp_path / "tensorboard").iterdir())
    runs = read(directory)
    assert 1 < told_before < len(runs) == 1 + len(store.trials(study.study_id))
    for name, run in runs.items():
        if name != ".":
            assert [step for step, _ in scalars(run, "loss")] == [1, 2, 3], name
            assert len(scalars(run, "validation/accuracy")) == 1, name


def test_a_directory_that_cannot_be_written_is_told_of(carry_out, lab, store, tmp_path, troubles):
    """The study goes on; the tracker is switched off after three failures."""
    (tmp_path / "taken").write_text("a file")
    study = store.create_study(lab.plan(trials=2))
    events = carry_out(study.study_id, export={"tensorboard": "taken"})
    told = troubles(events)
    assert [name for name, _ in told] == ["tensorboard", "tensorboard"]
    assert "tried again" in told[0][1]
    assert "switched off" in told[1][1]
    assert store.study(study.study_id).state == "DONE"

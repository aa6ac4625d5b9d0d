"""What MLflow has after a study, read by its own client from its own database."""

import pytest

from tests.fakes.scripted_executor import ScriptedExecutor
from trainers.spec import FailureReason

mlflow = pytest.importorskip("mlflow", reason="pip install 'tunewright[mlflow]'")

ON = {"export": {"mlflow": True}}


@pytest.fixture
def runs(tmp_path):
    """`runs()`: the client and the active runs, by name."""

    def read():
        client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
        experiment = client.get_experiment_by_name("tunewright")
        found = client.search_runs([experiment.experiment_id], max_results=500)
        assert len({run.info.run_name for run in found}) == len(found)
        return client, {run.info.run_name: run for run in found}

    return read


def test_a_run_a_trial_under_one_for_the_study(carry_out, lab, store, runs, troubles):
    """Configuration, curve, score, state and reason; and the verdict at the parent."""
    study = store.create_study(lab.plan(trials=3))
    failing = lambda spec: (FailureReason.OOM_GPU, "12 rows of data") if spec.attempt_id == "1-1-1" else None  # noqa: E731
    assert (
        troubles(carry_out(study.study_id, ScriptedExecutor(lab.objective, failure=failing), flush_seconds=120.0, **ON))
        == []
    )
    client, found = runs()
    parent = found.pop("study 1")
    assert parent.info.status == "FINISHED"
    assert "default" in parent.data.tags["tunewright.verdict"]
    assert {"test/best", "test/default"} <= set(parent.data.metrics)
    trials = store.trials(study.study_id)
    assert set(found) == {f"study 1 trial {t.number}" for t in trials}
    for trial in trials:
        run = found[f"study 1 trial {trial.number}"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["tunewright.state"] == trial.state
        assert run.data.params.items() >= {k: str(v) for k, v in trial.config.items()}.items()
        assert run.data.params.items() >= {"seed": str(trial.seed), "source": trial.proposal.source}.items()
        history = client.get_metric_history(run.info.run_id, "loss")
        assert [(m.step, round(m.value, 3)) for m in history] == [(1, 1.0), (2, 0.5), (3, 0.333)]
        assert run.info.status == "FINISHED"
        if trial.score is None:
            assert run.data.tags["tunewright.reason"] == "OOM_GPU"
        else:
            assert run.data.metrics["validation/accuracy"] == pytest.approx(trial.score)
    assert "12 rows" not in str([run.to_dictionary() for run in found.values()])


def test_a_study_that_is_taken_up_again_goes_on_in_its_runs(carry_out, lab, store, runs):
    """Their ids are kept in the study's directory."""

    class Stopped(lab.Recorder):
        def on_event(self, event):
            super().on_event(event)
            if self.kinds().count("trial_complete") == 2:
                raise KeyboardInterrupt

    study = store.create_study(lab.plan(trials=3))
    with pytest.raises(KeyboardInterrupt):
        carry_out(study.study_id, observer=Stopped(), flush_seconds=120.0, **ON)
    _, before = runs()
    carry_out(study.study_id, flush_seconds=120.0, **ON)
    client, found = runs()
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert len(found) == 1 + len(store.trials(study.study_id))
    for name, run in before.items():
        assert found[name].info.run_id == run.info.run_id
    for run in found.values():
        if run.info.run_name != "study 1":
            assert [m.step for m in client.get_metric_history(run.info.run_id, "loss")] == [1, 2, 3]


def test_a_tracking_server_that_is_away_is_told_of(carry_out, lab, store, troubles):
    """Without its user name and password; the study is done."""
    study = store.create_study(lab.plan(trials=2))
    events = carry_out(study.study_id, export={"mlflow": "http://me:pw-canary@127.0.0.1:1"})
    assert store.study(study.study_id).state == "DONE"
    told = troubles(events)
    assert told
    assert {name for name, _ in told} == {"mlflow"}
    assert "pw-canary" not in str(told)

"""What trackio has after a study, read from its own storage."""

import subprocess
import sys

import pytest

from tests.fakes.scripted_executor import ScriptedExecutor
from trainers.spec import FailureReason

pytest.importorskip("trackio", reason="pip install 'tunewright[trackio]'")

ON = {"export": {"trackio": "mine"}}

READ = """
import json, sys
from trackio.sqlite_storage import SQLiteStorage as storage
found = {}
for record in storage.get_run_records("mine"):
    name = record["name"]
    assert name not in found
    found[name] = {"config": storage.get_run_config("mine", name), "logs": storage.get_logs("mine", name)}
print(json.dumps(found, default=str))
"""


@pytest.fixture(autouse=True)
def own_storage(monkeypatch, tmp_path):
    """In the test's own directory, and without any hub."""
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))


def runs():
    """Run name to configuration and logs; in a process of its own, since the client looks for its place at import."""
    import json

    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_run_a_trial_in_the_study_s_group(carry_out, lab, store, troubles):
    """Configuration, curve, score, state and reason; and a run with the verdict."""
    study = store.create_study(lab.plan(trials=2))
    failing = lambda spec: (FailureReason.OOM_GPU, "12 rows of data") if spec.attempt_id == "1-1-1" else None  # noqa: E731
    events = carry_out(study.study_id, ScriptedExecutor(lab.objective, failure=failing), flush_seconds=60.0, **ON)
    assert troubles(events) == []
    found = runs()
    (group,) = {run["config"]["_Group"] for run in found.values()}
    trials = store.trials(study.study_id)
    assert set(found) == {f"{group} report", *(f"{group} trial {t.number}" for t in trials)}
    for trial in trials:
        run = found[f"{group} trial {trial.number}"]
        assert run["config"]["learning_rate"] == pytest.approx(trial.config["learning_rate"])
        assert run["config"]["source"] == trial.proposal.source
        losses = [(log["step"], round(log["loss"], 3)) for log in run["logs"] if "loss" in log]
        assert losses == [(1, 1.0), (2, 0.5), (3, 0.333)]
        last = run["logs"][-1]
        assert last["state"] == trial.state
        if trial.score is None:
            assert last["reason"] == "OOM_GPU"
        else:
            assert last["validation/accuracy"] == pytest.approx(trial.score)
    assert "default" in found[f"{group} report"]["logs"][-1]["verdict"]


def test_a_study_that_is_taken_up_again_repeats_no_run(carry_out, lab, store):
    """Each trial is written when it ends, once."""

    class Stopped(lab.Recorder):
        def on_event(self, event):
            super().on_event(event)
            if self.kinds().count("trial_complete") == 1:
                raise KeyboardInterrupt

    study = store.create_study(lab.plan(trials=2))
    with pytest.raises(KeyboardInterrupt):
        carry_out(study.study_id, observer=Stopped(), **ON)
    assert len(runs()) == 1
    carry_out(study.study_id, flush_seconds=60.0, **ON)
    found = runs()
    assert len(found) == 1 + len(store.trials(study.study_id))
    for name, run in found.items():
        if "trial" in name:
            assert len([log for log in run["logs"] if "loss" in log]) == 3

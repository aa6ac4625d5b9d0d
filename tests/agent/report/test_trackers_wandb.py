"""What W&B has written after a study without any network, read from its own files."""

import struct

import pytest

from tests.fakes.scripted_executor import ScriptedExecutor
from trainers.spec import FailureReason

pytest.importorskip("wandb.proto.wandb_internal_pb2", reason="pip install 'tunewright[wandb]'")

ON = {"export": {"wandb": "mine"}}
BLOCK = 32768


def records(path):
    """The records of a run's file: LevelDB's log format behind a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(parts)
            parts = b""


@pytest.fixture
def runs(tmp_path):
    """`runs()`: what each offline run's file holds, by run id; every run once."""

    def read():
        files = sorted((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))
        found = {}
        for file in files:
            run = {"history": [], "summary": {}, "config": {}}
            for record in records(file):
                if record.HasField("run"):
                    run |= {"id": record.run.run_id, "group": record.run.run_group, "type": record.run.job_type}
                    run["project"] = record.run.project
                    run["config"] |= {item.key: item.value_json for item in record.run.config.update}
                if record.HasField("history"):
                    items = record.history.item
                    run["history"].append({i.key or ".".join(i.nested_key): i.value_json for i in items})
                if record.HasField("summary"):
                    updates = record.summary.update
                    run["summary"] |= {i.key or ".".join(i.nested_key): i.value_json for i in updates}
                if record.HasField("exit"):
                    run["exit"] = record.exit.exit_code
            assert run["id"] not in found
            found[run["id"]] = run
        return found

    return read


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """As on a machine without network."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))


def test_a_run_a_trial_in_the_study_s_group(carry_out, lab, store, runs, troubles):
    """Configuration, curve by our step, score, state and reason; and a run with the verdict."""
    study = store.create_study(lab.plan(trials=3))
    failing = lambda spec: (FailureReason.OOM_GPU, "12 rows of data") if spec.attempt_id == "1-1-1" else None  # noqa: E731
    assert troubles(carry_out(study.study_id, ScriptedExecutor(lab.objective, failure=failing), **ON)) == []
    found = runs()
    (group,) = {run["group"] for run in found.values()}
    trials = store.trials(study.study_id)
    assert set(found) == {group, *(f"{group}-{t.number}" for t in trials)}
    for trial in trials:
        run = found[f"{group}-{trial.number}"]
        assert (run["project"], run["type"]) == ("mine", trial.phase)
        assert run["config"]["lora_rank"] == str(trial.config["lora_rank"])
        assert run["config"]["source"] == f'"{trial.proposal.source}"'
        curve = [(row["_step"], row["loss"][:5]) for row in run["history"] if "loss" in row]
        assert curve == [("1", "1"), ("2", "0.5"), ("3", "0.333")]
        assert run["summary"]["state"] == f'"{trial.state}"'
        if trial.score is None:
            assert run["summary"]["reason"] == '"OOM_GPU"'
        else:
            assert float(run["summary"]["validation/accuracy"]) == pytest.approx(trial.score)
        assert run["exit"] == 0
    assert "default" in found[group]["summary"]["verdict"]


def test_a_study_that_is_taken_up_again_repeats_no_run(carry_out, lab, store, runs):
    """Each trial is written when it ends, once."""

    class Stopped(lab.Recorder):
        def on_event(self, event):
            super().on_event(event)
            if self.kinds().count("trial_complete") == 2:
                raise KeyboardInterrupt

    study = store.create_study(lab.plan(trials=3))
    with pytest.raises(KeyboardInterrupt):
        carry_out(study.study_id, observer=Stopped(), **ON)
    assert len(runs()) == 2
    carry_out(study.study_id, **ON)
    assert len(runs()) == 1 + len(store.trials(study.study_id))


def test_nothing_of_the_machine_is_told(carry_out, lab, store, tmp_path):
    """No code, no list of packages, no environment, no measurements of the machine."""
    study = store.create_study(lab.plan(trials=2))
    carry_out(study.study_id, **ON)
    kept = {f.name for f in (tmp_path / "wandb").rglob("files/*") if f.is_file()}
    assert kept == set()


def test_without_a_key_it_is_told_of_and_nothing_is_asked(carry_out, lab, store, troubles, monkeypatch, tmp_path):
    """The client would like to ask for a login at the terminal."""
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:1")
    study = store.create_study(lab.plan(trials=2))
    told = troubles(carry_out(study.study_id, **ON))
    assert [name for name, _ in told] == ["wandb", "wandb"]
    assert "wandb login" in told[-1][1]
    assert store.study(study.study_id).state == "DONE"

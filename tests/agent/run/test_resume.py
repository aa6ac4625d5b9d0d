"""kill -9 at any moment, then resume: nothing finished is run again, nothing is lost, no budget comes back."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.study.nouns import Phase, StudyState, TrialState
from agent.study.store import Store
from tests.fakes.scripted_executor import ScriptedExecutor

CHILD = str(Path(__file__).parents[1] / "study_lab.py")


def start(home, seconds_per_trial, *flags):
    """A child process that runs study 1 of `home`."""
    return subprocess.Popen(
        [sys.executable, CHILD, str(home), "1", str(seconds_per_trial), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])},
    )


def kill(child):
    """kill -9, and what the child had acknowledged until then."""
    child.send_signal(signal.SIGKILL)
    out, _ = child.communicate()
    lines = [line for line in out.splitlines(keepends=True) if line.endswith("\n")]
    return [json.loads(line) for line in lines]


def test_killed_again_and_again_a_study_completes_as_if_nothing_had_happened(tmp_path, lab):
    """15 kills at random moments; every trial is finished exactly once, and none is missing or added."""
    with Store.open(tmp_path / "tunewright.db") as store:
        store.create_study(lab.plan(trials=12, parallel_trials=2))
    rng, finished, wall = random.Random(20), {}, 0.0
    for _ in range(15):
        child = start(tmp_path, 0.1)
        child.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.25))
        acknowledged = {trial for kind, trial in kill(child) if kind == "trial_complete"}
        with Store.open(tmp_path / "tunewright.db") as store:
            assert store.query("PRAGMA integrity_check")[0]["integrity_check"] == "ok"
            now = {t.trial_id: t for t in store.trials("1") if t.state is TrialState.COMPLETE}
            spent = store.balance("1", "wall_seconds")
        assert acknowledged | finished.keys() <= now.keys()
        assert all(now[trial_id].attempts == trial.attempts for trial_id, trial in finished.items())
        assert spent >= wall
        finished, wall = now, spent
    child = start(tmp_path, 0.01)
    assert (child.communicate()[1], child.returncode) == ("", 0)
    with Store.open(tmp_path / "tunewright.db") as store:
        assert store.study("1").state is StudyState.DONE
        trials = store.trials("1")
        assert [t.number for t in trials] == list(range(12 + 9))
        assert {t.state for t in trials} == {TrialState.COMPLETE}
        done = [a for a in store.attempts("1") if a["state"] == "COMPLETE"]
        assert len(done) == len({a["trial_id"] for a in done}) == 21
        assert {a["state"] for a in store.attempts("1")} <= {"COMPLETE", "INTERRUPTED"}
        assert len([o for o in store.test_openings("1") if o.results]) == 1


@pytest.mark.parametrize(
    "moment", ["trial_proposed", "new_best", "confirm_planned", "chosen", "test_opened", "report_written"]
)
def test_a_killed_study_ends_as_an_undisturbed_one(tmp_path, lab, moment):
    """Same configurations, seeds and scores; an opening that was cut off is repeated, counted and shown."""
    with Store.open(tmp_path / "tunewright.db") as store:
        store.create_study(lab.plan(trials=3))
    child = start(tmp_path, 0.05)
    while json.loads(child.stdout.readline())[0] != moment:
        pass
    kill(child)
    with Store.open(tmp_path / "tunewright.db") as store:
        before = {t.trial_id: t for t in store.trials("1") if t.state is TrialState.COMPLETE}
        lab.run(store, "1")
        undisturbed = store.create_study(lab.plan(trials=3)).study_id
        lab.run(store, undisturbed)
        one, other = ([(t.config, t.seed, t.score) for t in store.trials(study)] for study in ("1", undisturbed))
        assert one == other
        after = {t.trial_id: t for t in store.trials("1")}
        assert all(after[trial_id].attempts == trial.attempts for trial_id, trial in before.items())
        assert len(store.trials("1", Phase.SEARCH)) == 3
        assert len(store.trials("1", Phase.CONFIRM)) == 9
        openings = store.test_openings("1")
        assert [o.results is not None for o in openings] == ([False, True] if moment == "test_opened" else [True])
        assert store.study("1").state is StudyState.DONE
        assert lab.reported(store, "1")["test_openings"] == len(openings)


def test_an_interrupted_attempt_is_charged_for_its_time(tmp_path, lab):
    """The wall time until shortly before the kill stays in the ledger, and the attempt is closed as LOST."""
    with Store.open(tmp_path / "tunewright.db") as store:
        store.create_study(lab.plan(trials=3))
    child = start(tmp_path, 60.0)
    while json.loads(child.stdout.readline())[0] != "attempt_started":
        pass
    time.sleep(2.4)  # one heartbeat
    kill(child)
    with Store.open(tmp_path / "tunewright.db") as store:
        assert store.balance("1", "wall_seconds") >= 1.9
        [trial] = store.interrupt_attempts("1")
        [attempt] = store.attempts("1")
        assert (trial.state, attempt["state"], attempt["reason"]) == (TrialState.WAITING, "INTERRUPTED", "LOST")
        assert trial.seconds == attempt["seconds"] > 1.0


@pytest.mark.parametrize("moment", ["rung_reached", "trial_pruned"])
def test_a_study_killed_at_a_rung_ends_as_an_undisturbed_one(tmp_path, lab, moment):
    """The same trials are stopped at the same rungs, the same are run again for noise; none that was stopped reruns."""
    with Store.open(tmp_path / "tunewright.db") as store:
        store.create_study(lab.plan(trials=20))
    child, seen = start(tmp_path, 0.02, "rungs"), []
    while seen.count(moment) < 3:
        seen.append(json.loads(child.stdout.readline())[0])
    kill(child)
    with Store.open(tmp_path / "tunewright.db") as store:
        before = {t.trial_id for t in store.trials("1") if t.state is TrialState.PRUNED}
        assert len(before) >= (3 if moment == "trial_pruned" else 0)
        lab.run(store, "1", ScriptedExecutor(lab.objective, curve=lab.rung_curve))
        other = store.create_study(lab.plan(trials=20)).study_id
        lab.run(store, other, ScriptedExecutor(lab.objective, curve=lab.rung_curve))
        one, two = ([(t.config, t.seed, t.state, t.score, t.rung) for t in store.trials(s)] for s in ("1", other))
        assert one == two
        assert {t.proposal.source for t in store.trials("1", Phase.SEARCH)} == {"default", "random", "replicate"}
        attempts = [a["trial_id"] for a in store.attempts("1")]
        assert all(attempts.count(trial_id) == 1 for trial_id in before)

"""From a waiting trial to a recorded result."""

import time

from agent.run.rungs import EVALUATE_AT
from agent.study.nouns import EventKind, Phase, TrialState
from tests.fakes.scripted_executor import ScriptedExecutor


class SlowToStart(ScriptedExecutor):
    """Its worker takes a second and more to start."""

    slept = False

    def poll(self, timeout_seconds):
        """Late, once."""
        if not self.slept:
            self.slept = True
            time.sleep(1.2)
        return super().poll(timeout_seconds)


def test_no_trial_is_stopped_to_save_less_than_a_new_worker_takes(store, lab):
    """Stopping ends the worker: where trials are shorter than its start they run on, and the event says why."""
    executor = SlowToStart(lab.objective, curve=lab.rung_curve)
    lab.run(store, store.create_study(lab.plan(trials=12)).study_id, executor)
    assert {t.state for t in store.trials("1", Phase.SEARCH)} == {TrialState.COMPLETE}
    reached = store.events("1", kind=EventKind.RUNG_REACHED)
    assert not any(e.data["stopped"] for e in reached)
    assert any("starting the worker anew" in e.data["why"] for e in reached)


def test_losses_are_measured_at_the_rungs_while_rungs_are_in_use(store, lab):
    """Every attempt of such a study, fresh seeds included, so that its curves can be laid over each other."""
    asked = []

    def seconds(spec):
        asked.append(spec.train.evaluate_at)
        return 0.0

    lab.run(store, store.create_study(lab.plan(trials=8)).study_id, ScriptedExecutor(lab.objective, seconds=seconds))
    lab.run(store, store.create_study(lab.plan(trials=3)).study_id, ScriptedExecutor(lab.objective, seconds=seconds))
    assert set(asked) == {EVALUATE_AT, ()}


def test_a_stopped_attempt_says_nothing_more(store, lab):
    """What an executor still reports of it is ignored, and its time counts."""
    executor = ScriptedExecutor(lab.objective, curve=lab.rung_curve, seconds=lambda spec: 0.02)
    lab.run(store, store.create_study(lab.plan(trials=12)).study_id, executor)
    pruned = [t for t in store.trials("1", Phase.SEARCH) if t.state is TrialState.PRUNED]
    assert pruned
    ids = {t.trial_id for t in pruned}
    ends = [e for e in store.events("1") if e.trial_id in ids and e.kind in ("trial_complete", "trial_failed")]
    assert ends == []
    assert {a["state"] for a in store.attempts("1") if a["trial_id"] in ids} == {"COMPLETE"}
    assert ids.isdisjoint(store.results("1"))

"""What a study's nouns know: the costs of a trial, and histories with what is about to run."""

import pytest

from agent.study.nouns import Phase, Proposal, TrialState
from tests.fakes.scripted_executor import ScriptedExecutor
from trainers.spec import FailureReason, Tradeoff


def test_a_complete_trial_knows_what_it_cost(store, lab):
    """Seconds, memory and the size of the trained weights come from the run; trials without a result have none."""

    def failure(spec):
        return (FailureReason.NAN, "diverged") if spec.attempt_id.startswith("1-1-") else None

    study = store.create_study(lab.plan(trials=3))
    lab.run(store, study.study_id, ScriptedExecutor(lab.objective, seconds=lambda spec: 0.02, failure=failure))
    complete, failed = store.history(study.study_id).complete, store.history(study.study_id).failed
    assert len(complete) == 2
    for trial in complete:
        assert trial.costs.train_seconds == pytest.approx(0.02)
        assert trial.costs.adapter_mb == pytest.approx(4e-6 * trial.config["lora_rank"])
        assert trial.costs.of(Tradeoff.ADAPTER_MB) == trial.costs.adapter_mb
    assert [t.costs for t in failed] == [None]
    assert all(t.costs is not None for t in store.trials(study.study_id, Phase.CONFIRM))


def test_a_history_can_be_seen_with_what_is_about_to_run(lab):
    """Proposals become waiting trials, numbered on; the history itself stays as it was."""
    past = lab.history(lab.trial(0, {"a": 1}, 0.5), lab.trial(4, {"a": 2}, 0.6))
    seen = past.with_pending([Proposal(config={"a": 3}, source="x"), Proposal(config={"a": 4}, source="x")])
    assert [t.number for t in seen.trials] == [0, 4, 5, 6]
    assert [t.state for t in seen.pending] == [TrialState.WAITING] * 2
    assert [t.config["a"] for t in seen.pending] == [3, 4]
    assert not past.pending
    assert lab.history().with_pending([Proposal(config={}, source="x")]).trials[0].number == 0

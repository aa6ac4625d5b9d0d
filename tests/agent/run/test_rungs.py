"""Stopping trials at rungs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import StoreConflict
from agent.run.confirm import confirm_candidates
from agent.run.rungs import (
    MIN_RUNG_STEPS,
    RUNGS,
    asked_in_vain,
    at_rung,
    curve_digest,
    early_stopping,
    judge,
    rung_at,
)
from agent.study.nouns import EventKind, Phase, Rung, TrialState
from tests.fakes.scripted_executor import ScriptedExecutor
from trainers.priors import default_space
from trainers.spec import CurvePoint, TaskSpec, Tradeoff

STEPS = 120
LATE = RUNGS[1]


def reached_by(losses):
    """What trials 1, 2, … measured at the later rung."""
    return {f"1-{i}": Rung(share=LATE, step=40, eval_loss=loss) for i, loss in enumerate(losses, start=1)}


def at(loss):
    """A trial's stand at the later rung."""
    return Rung(share=LATE, step=40, eval_loss=loss)


def study_spec(task="classification", search=None, **budget):
    """A spec as far as early stopping looks at it."""
    preference = task == "preference"
    return TaskSpec.model_validate(
        {
            "task": task,
            "loss": "sigmoid" if preference else None,
            "base_model": "x",
            "data": {"train": "x"},
            "objective": {"metric": "accuracy", "direction": "maximize"},
            "budget": {"trials": 10} | budget,
            "search": search or {},
        }
    )


def space_of(spec):
    """The default space of a spec."""
    return default_space(spec, hidden_size=None, parameters=None, n_train_rows=1000)


@given(losses=st.lists(st.floats(0.01, 20.0), max_size=12), own=st.floats(0.01, 20.0))
def test_the_worse_half_is_stopped_while_little_is_known(lab, losses, own):
    """The first trials at a rung pass; of later ones those outside the better half are stopped."""
    trial = lab.trial(13, {"lora_rank": 8}, state=TrialState.RUNNING)
    verdict = judge(trial, at(own), reached_by(losses), lab.history())
    better = sum(loss < own for loss in losses)
    assert verdict.stop == (len(losses) >= 3 and better >= math.ceil((len(losses) + 1) / 2))
    assert f"place {better + 1} of {len(losses) + 1}" in verdict.why


def test_the_best_third_goes_on_once_losses_foretell_scores(lab):
    """With eight trials whose rung losses order their scores, the fourth of nine is stopped."""
    losses = [0.1 * i for i in range(1, 9)]
    done = [lab.trial(i, {"lora_rank": i}, 1.0 - 0.1 * i) for i in range(1, 9)]
    trial = lab.trial(13, {"lora_rank": 99}, state=TrialState.RUNNING)
    stops = [judge(trial, at(loss), reached_by(losses), lab.history(*done)).stop for loss in (0.05, 0.25, 0.35)]
    assert stops == [False, False, True]


def test_losses_that_do_not_foretell_scores_stop_nothing(lab):
    """Where the rank correlation of eight pairs is below a half, even the last one goes on."""
    losses = [0.1 * i for i in range(1, 9)]
    shuffled = [0.5, 0.9, 0.3, 0.7, 0.4, 0.8, 0.2, 0.6]
    done = [lab.trial(i, {"lora_rank": i}, score) for i, score in enumerate(shuffled, start=1)]
    verdict = judge(lab.trial(13, {"lora_rank": 99}), at(9.0), reached_by(losses), lab.history(*done))
    assert not verdict.stop
    assert "do not foretell scores" in verdict.why


@pytest.mark.parametrize(("number", "source"), [(0, "default"), (20, "gp"), (7, "replicate")])
def test_some_trials_run_to_their_end_whatever_comes(lab, number, source):
    """The default, replicates and every tenth trial are never stopped."""
    trial = lab.trial(number, {"lora_rank": 8}, source=source)
    assert not judge(trial, at(99.0), reached_by([0.1, 0.2, 0.3, 0.4, 0.5]), lab.history()).stop


@given(total=st.integers(1, 5000), warmup=st.sampled_from([0.0, 0.06, 0.1, 0.3]))
def test_rungs_are_shares_of_each_trials_own_steps(lab, total, warmup):
    """A short run has none, nor has a schedule that is still warming up; others have each rung at one step."""
    trial = lab.trial(1, {"warmup_ratio": warmup})
    found = [rung for step in range(1, total + 1) if (rung := rung_at(trial, step, total, 1.0))]
    expected = [s for s in RUNGS if round(s * total) >= MIN_RUNG_STEPS and s >= 1.5 * warmup]
    assert [r.share for r in found] == expected
    assert all(abs(r.step / total - r.share) <= 0.5 / total for r in found)


def test_it_is_on_where_it_can_save_time():
    """With a time budget or from eight trials on, unless the spec says otherwise."""
    cases = {8: True, 7: False}
    for trials, on in cases.items():
        spec = study_spec(trials=trials)
        assert early_stopping(spec, space_of(spec)) is on
    for budget, on in (
        ({"trials": 4, "seconds": 60.0}, True),
        ({"trials": 4, "early_stopping": True}, True),
        ({"trials": 50, "seconds": 60.0, "early_stopping": False}, False),
    ):
        spec = study_spec(**budget)
        assert early_stopping(spec, space_of(spec)) is on


def test_cheap_trials_are_not_cut_off_where_costs_are_weighed():
    """Rungs know of quality alone: a study with trade-offs uses them only if it asks for early stopping."""
    for wanted, on in ((None, False), (True, True)):
        spec = study_spec(trials=50, early_stopping=wanted)
        weighed = spec.model_copy(
            update={"objective": spec.objective.model_copy(update={"tradeoffs": tuple(Tradeoff)})}
        )
        assert early_stopping(weighed, space_of(weighed)) is on


def test_losses_of_different_objectives_are_not_compared():
    """Preference tuning with a searched beta compares nothing, and says so where it was asked to; a fixed beta may."""
    spec = study_spec("preference", early_stopping=True)
    assert not early_stopping(spec, space_of(spec))
    assert "beta" in asked_in_vain(spec, space_of(spec))
    fixed = study_spec("preference", search={"beta": 0.1}, early_stopping=True)
    assert early_stopping(fixed, space_of(fixed))
    assert asked_in_vain(fixed, space_of(fixed)) is None


def test_hopeless_trials_of_a_study_are_stopped(store, lab):
    """They are PRUNED with their stand at the rung, have no score, and are never candidates; the best one is found."""
    executor = ScriptedExecutor(lab.objective, curve=lab.rung_curve)
    lab.run(store, store.create_study(lab.plan(trials=16)).study_id, executor)
    trials = store.trials("1", Phase.SEARCH)
    pruned = [t for t in trials if t.state is TrialState.PRUNED]
    assert 3 <= len(pruned) <= 12
    assert {t.state for t in trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    for trial in pruned:
        assert trial.score is None
        assert trial.rung.step == round(trial.rung.share * STEPS)
        assert max(p.step for p in store.curves("1")[trial.trial_id]) == trial.rung.step
    assert trials[0].state is TrialState.COMPLETE is trials[10].state
    best = min(trials, key=lambda t: abs(math.log10(t.config["learning_rate"]) + 3))
    assert best.state is TrialState.COMPLETE
    assert not {t.trial_id for t in confirm_candidates(store.history("1"))} & {t.trial_id for t in pruned}
    assert {t.state for t in store.trials("1", Phase.CONFIRM)} == {TrialState.COMPLETE}
    told = [e for e in store.events("1", kind=EventKind.RUNG_REACHED) if e.data["stopped"]]
    assert [e.trial_id for e in told] == [e.trial_id for e in store.events("1", kind=EventKind.TRIAL_PRUNED)]
    assert len(at_rung(store.events("1"), LATE)) >= 4
    with pytest.raises(StoreConflict):
        store.start_attempt(pruned[0].trial_id, "cpu")


def test_a_forbidden_early_stop_leaves_every_trial_whole(store, lab):
    """With `early_stopping: false` nothing is pruned and validation loss is measured as before."""
    asked = []

    def curve(spec):
        asked.append(spec.train.evaluate_at)
        return lab.rung_curve(spec)

    study = store.create_study(lab.plan(trials=16, early_stopping=False))
    lab.run(store, study.study_id, ScriptedExecutor(lab.objective, curve=curve))
    assert {t.state for t in store.trials("1")} == {TrialState.COMPLETE}
    assert set(asked) == {()}
    assert store.events("1", kind=EventKind.RUNG_REACHED) == []


def test_a_curve_in_one_line():
    """Losses at four places, the trend, a spike, divergence; shares of the whole run for one that was stopped."""
    falling = [CurvePoint(step=i, loss=2.0 - 0.01 * i) for i in range(1, 101)]
    checks = [CurvePoint(step=33, eval_loss=1.7), CurvePoint(step=100, eval_loss=1.1)]
    assert curve_digest([*falling, *checks]) == (
        "loss 1.9@10% 1.75@25% 1.5@50% 1@100%, falling at the end (-0.24), eval 1.7@33% 1.1@100%"
    )
    stopped = curve_digest([p for p in falling if p.step <= 33] + checks[:1], 100)
    assert stopped.startswith("loss 1.9@10% 1.75@25%, falling")
    assert stopped.endswith("eval 1.7@33%")
    spiky = [CurvePoint(step=i, loss=5.0 if i == 50 else 1.0) for i in range(1, 101)]
    assert "spike x5" in curve_digest(spiky)
    assert "diverged" in curve_digest([CurvePoint(step=i, loss=1.0 + 0.1 * i) for i in range(1, 31)])
    assert curve_digest([]) == ""


@given(points=st.lists(st.tuples(st.integers(1, 500), st.none() | st.floats(-3, 1e9), st.none() | st.floats(0, 1e9))))
def test_any_curve_has_a_short_digest(points):
    """Whatever was logged, also out of order or negative (some preference losses)."""
    text = curve_digest([CurvePoint(step=s, loss=loss, eval_loss=check) for s, loss, check in points])
    assert len(text) < 200
    assert "\n" not in text

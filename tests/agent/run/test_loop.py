"""The study loop on scores from a function."""

import pytest

from agent.errors import BudgetSpent, ObserverGone, StudyFailed
from agent.study.nouns import EventKind, Phase, Proposal, StudyState, TrialState
from tests.fakes.scripted_executor import ScriptedExecutor
from trainers.space import CategoricalParameter, Space
from trainers.spec import FailureReason, Metric


def test_a_study_runs_from_the_default_to_its_report(store, lab):
    """Trial 0 is the default, the budget is used exactly, three seeds confirm, the report is written once."""
    study = store.create_study(lab.plan(trials=6), command="tunewright run x")
    watcher = lab.Recorder()
    outcome = lab.run(store, study.study_id, observer=watcher)
    assert outcome.state is StudyState.DONE is store.study("1").state
    search, confirm = store.trials("1", Phase.SEARCH), store.trials("1", Phase.CONFIRM)
    assert [t.number for t in search] == list(range(6))
    assert search[0].config == lab.SPACE.default()
    assert search[0].proposal.source == "default"
    assert len(confirm) == 9
    assert len({t.seed for t in search}) == 6
    assert {t.seed for t in search}.isdisjoint(t.seed for t in confirm)
    assert len({t.seed for t in confirm}) == 3
    material = lab.reported(store, "1")
    assert material["test_openings"] == 1
    assert material["spending"]["trials_used"] == 6
    assert material["command"] == "tunewright run x"
    assert (outcome.adapter_dir / "scripted.json").exists()
    assert watcher.events == store.events("1")
    assert watcher.kinds()[0] == "study_started"
    assert watcher.kinds()[-1] == "study_ended"


def test_curves_and_results_are_stored(store, lab):
    """Every complete trial has its learning curve and its measurements."""
    lab.run(store, store.create_study(lab.plan(trials=2)).study_id)
    ids = {t.trial_id for t in store.trials("1")}
    assert set(store.curves("1")) == ids == set(store.results("1"))
    assert [p.step for p in store.curves("1")["1-0"]] == [1, 2, 3]


def test_parallel_trials_use_all_slots(store, lab):
    """With three slots three trials are under way at once, and never more."""
    executor = ScriptedExecutor(lab.objective, slots=8, seconds=lambda spec: 0.02)
    busy = []

    def seconds(spec):
        busy.append(len(executor._running))
        return 0.02

    executor._seconds = seconds
    lab.run(store, store.create_study(lab.plan(trials=7, parallel_trials=3)).study_id, executor)
    assert max(busy) == 3
    assert len(store.trials("1", Phase.SEARCH)) == 7


def test_failed_trials_are_data_and_count(store, lab):
    """A configuration that fails is stored with its reason, spends the budget and is never retried."""

    def failure(spec):
        return (FailureReason.OOM_GPU, "too big") if spec.attempt_id == "1-2-1" else None

    lab.run(store, store.create_study(lab.plan(trials=4)).study_id, ScriptedExecutor(lab.objective, failure=failure))
    trials = store.trials("1", Phase.SEARCH)
    assert [t.state for t in trials].count(TrialState.FAILED) == 1
    assert (trials[2].reason, trials[2].error, trials[2].attempts) == (FailureReason.OOM_GPU, "too big", 1)
    assert len(trials) == 4


def test_a_score_that_is_not_finite_is_a_failure(store, lab):
    """NaN and infinities become NAN failures, never scores."""
    bad = iter([0.5, float("nan"), float("inf"), 0.6])
    executor = ScriptedExecutor(lambda config, seed: next(bad, 0.5))
    lab.run(store, store.create_study(lab.plan(trials=4)).study_id, executor)
    reasons = [t.reason for t in store.trials("1", Phase.SEARCH)]
    assert reasons == [None, FailureReason.NAN, FailureReason.NAN, None]


def test_an_interrupted_trial_is_rerun_and_not_charged(store, lab):
    """A lost worker costs no trial; after two reruns the trial counts as failed."""

    def failure(spec):
        trial, _, attempt = spec.attempt_id.rpartition("-")
        lost = (trial == "1-1" and int(attempt) <= 2) or trial == "1-2"
        return (FailureReason.LOST, "worker died") if lost else None

    lab.run(store, store.create_study(lab.plan(trials=4)).study_id, ScriptedExecutor(lab.objective, failure=failure))
    trials = store.trials("1", Phase.SEARCH)
    assert len(trials) == 4
    assert (trials[1].state, trials[1].attempts) == (TrialState.COMPLETE, 3)
    assert (trials[2].state, trials[2].attempts, trials[2].reason) == (TrialState.FAILED, 3, FailureReason.LOST)


@pytest.mark.parametrize(("trials", "n_run"), [(3, 3), (20, 5)])
def test_a_study_in_which_every_trial_fails_says_why(store, lab, trials, n_run):
    """It stops after five trials, or all there are, with the first error, and stays FAILED in the store."""
    number = iter(range(100))
    executor = ScriptedExecutor(
        lab.objective, failure=lambda spec: (FailureReason.USER_CODE, f"error {next(number)} here")
    )
    with pytest.raises(StudyFailed, match=r"USER_CODE\): error 0 here"):
        lab.run(store, store.create_study(lab.plan(trials=trials)).study_id, executor)
    study = store.study("1")
    assert study.state is StudyState.FAILED
    assert "error 0 here" in study.error
    assert len(store.trials("1")) == n_run


def test_many_failures_for_one_outside_reason_stop_the_study(store, lab):
    """More than 30 % of ten or more trials failing on the data is not the hyperparameters' doing."""

    def failure(spec):
        number = int(spec.attempt_id.split("-")[1])
        return (FailureReason.DATA, f"data of trial {number}") if number % 2 else None

    with pytest.raises(StudyFailed, match=r"5 of 10 trials failed with DATA.*data of trial 1"):
        lab.run(
            store, store.create_study(lab.plan(trials=30)).study_id, ScriptedExecutor(lab.objective, failure=failure)
        )


def test_a_failed_study_goes_on_once_its_reason_is_gone(store, lab):
    """Resuming counts failures afresh, so data that were bad do not end the study again; its trials stay spent."""
    study = store.create_study(lab.plan(trials=9))
    bad = ScriptedExecutor(lab.objective, failure=lambda spec: (FailureReason.DATA, "no rows"))
    with pytest.raises(StudyFailed, match="DATA"):
        lab.run(store, study.study_id, bad)
    lab.run(store, study.study_id)
    states = [t.state for t in store.trials("1", Phase.SEARCH)]
    assert states == [TrialState.FAILED] * 5 + [TrialState.COMPLETE] * 4
    assert store.study("1").error is None


@pytest.mark.parametrize("phase", Phase)
def test_a_full_disk_stops_the_study_and_costs_no_trial(store, lab, phase):
    """The trial that met it is run again after a resume, in the search and on fresh seeds."""

    def failure(spec):
        return (FailureReason.DISK, "no space left") if spec.keep_adapter == (phase is Phase.CONFIRM) else None

    study = store.create_study(lab.plan(trials=2))
    with pytest.raises(StudyFailed, match=r"trial \d \(DISK\): no space left\. Free some"):
        lab.run(store, study.study_id, ScriptedExecutor(lab.objective, failure=failure))
    assert sum(a["reason"] == "DISK" for a in store.attempts("1")) == 1
    lab.run(store, study.study_id)
    assert {t.state for t in store.trials("1")} == {TrialState.COMPLETE}


def test_hyperparameter_failures_do_not_stop_the_study(store, lab):
    """Half of the trials running out of memory is what a search space may be like."""

    def failure(spec):
        return (FailureReason.OOM_GPU, "x") if int(spec.attempt_id.split("-")[1]) in range(1, 12, 2) else None

    lab.run(store, store.create_study(lab.plan(trials=12)).study_id, ScriptedExecutor(lab.objective, failure=failure))
    assert store.study("1").state is StudyState.DONE


def test_the_search_stops_at_its_target(store, lab):
    """Reaching the target ends the search and goes on to confirmation."""
    scores = iter([0.2, 0.3, 0.9])
    lab.run(
        store,
        store.create_study(lab.plan(trials=50, target=0.85)).study_id,
        ScriptedExecutor(lambda config, seed: next(scores, 0.8)),
    )
    assert len(store.trials("1", Phase.SEARCH)) == 3
    [stopped] = store.events("1", kind=EventKind.SEARCH_STOPPED)
    assert "reached the target 0.85" in stopped.data["why"]


def test_a_minimised_target_is_reached_from_above(store, lab):
    """Where smaller is better the target is an upper bound."""
    scores = iter([0.9, 0.5, 0.1])
    study = store.create_study(lab.plan(trials=50, target=0.3, metric=Metric.EVAL_LOSS))
    lab.run(store, study.study_id, ScriptedExecutor(lambda config, seed: next(scores, 0.2)))
    assert len(store.trials("1", Phase.SEARCH)) == 3


def test_a_finite_space_is_searched_once(store, lab):
    """Known configurations are refused and counted; the search ends when nothing new is offered."""
    space = Space(parameters={"lora_rank": CategoricalParameter(choices=(4, 8, 16))})
    study = store.create_study(lab.plan(space=space, trials=20))
    lab.run(
        store, study.study_id, ScriptedExecutor(lambda config, seed: config["lora_rank"]), lab.RandomProposer(space)
    )
    assert sorted(t.config["lora_rank"] for t in store.trials("1", Phase.SEARCH)) == [4, 8, 16]
    assert lab.reported(store, "1")["duplicates_avoided"] >= 8


def test_an_invalid_proposal_is_refused_and_shown(store, lab):
    """A configuration outside the space never becomes a trial."""

    class Wild(lab.RandomProposer):
        def propose(self, history, n, seed):
            wild = Proposal(config={"learning_rate": 5.0, "lora_rank": 8}, source="wild")
            return [wild, *super().propose(history, n, seed)]

    lab.run(store, store.create_study(lab.plan(trials=2)).study_id, proposer=Wild())
    [refused] = store.events("1", kind=EventKind.PROPOSAL_REFUSED)
    assert "learning_rate must be between" in refused.data["why"]


def test_no_complete_trial_within_the_time_is_budget_spent(store, lab):
    """When time runs out before the first score there is nothing to report, and the exit code says so."""
    executor = ScriptedExecutor(lab.objective, seconds=lambda spec: 60.0)
    with pytest.raises(BudgetSpent, match=r"time budget of 0\.3 s ended before any trial was complete") as caught:
        lab.run(store, store.create_study(lab.plan(trials=3, seconds=0.3)).study_id, executor)
    assert caught.value.exit_code == 4


def test_the_same_study_gives_the_same_trials(tmp_path, lab):
    """Configurations, seeds and choice depend on the plan only."""
    from agent.study.store import Store

    seen = []
    for name in "ab":
        with Store.open(tmp_path / name / "tunewright.db") as store:
            lab.run(store, store.create_study(lab.plan(trials=5)).study_id)
            seen.append([(t.config, t.seed, t.score) for t in store.trials("1")])
    assert seen[0] == seen[1]


def test_ctrl_c_leaves_the_study_resumable(store, lab):
    """KeyboardInterrupt cancels what runs, puts it back to waiting and is raised again."""

    class Impatient(lab.Recorder):
        def on_event(self, event):
            super().on_event(event)
            if event.kind is EventKind.ATTEMPT_STARTED and event.trial_id == "1-2":
                raise KeyboardInterrupt

    study = store.create_study(lab.plan(trials=4))
    with pytest.raises(KeyboardInterrupt):
        lab.run(store, study.study_id, ScriptedExecutor(lab.objective), observer=Impatient())
    assert store.study("1").state is StudyState.CANCELLED
    assert [t.state for t in store.trials("1")] == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.WAITING]
    lab.run(store, study.study_id)
    assert store.study("1").state is StudyState.DONE
    assert [t.attempts for t in store.trials("1", Phase.SEARCH)] == [1, 1, 2, 1]


def test_a_cancel_request_stops_the_study(store, lab):
    """Another process asks through the store; the run ends CANCELLED, and a resume goes on."""

    class Canceller(lab.Recorder):
        def on_event(self, event):
            if event.kind is EventKind.TRIAL_COMPLETE and event.trial_id == "1-1":
                assert store.request_cancel("1") is not None

    outcome = lab.run(store, store.create_study(lab.plan(trials=9)).study_id, observer=Canceller())
    assert outcome.state is StudyState.CANCELLED
    assert len(store.trials("1")) == 3
    lab.run(store, "1")
    assert len(store.trials("1", Phase.SEARCH)) == 9


def test_running_a_study_that_is_done_changes_nothing(store, lab):
    """Its outcome is given again; no trial, event or opening is added."""
    first = lab.run(store, store.create_study(lab.plan(trials=2)).study_id)
    events = store.events("1")
    assert lab.run(store, "1") == first
    assert store.events("1") == events


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), SystemExit(1), ValueError("markup")])
def test_an_observer_that_fails_leaves_the_study_resumable(store, lab, error):
    """Nobody reads on, rich ends the program, or the display has a fault: the study is CANCELLED, not FAILED."""

    class Gone(lab.Recorder):
        def on_event(self, event):
            if event.kind is EventKind.TRIAL_COMPLETE:
                raise error

    study = store.create_study(lab.plan(trials=2))
    with pytest.raises(ObserverGone) as raised:
        lab.run(store, study.study_id, observer=Gone())
    assert (raised.value.exit_code, store.study("1").state, store.study("1").error) == (130, "CANCELLED", None)
    lab.run(store, study.study_id)
    assert [t.attempts for t in store.trials("1", Phase.SEARCH)] == [1, 1]


def test_a_cancel_request_finds_a_process_that_takes_the_study_up(store, lab):
    """Asked while nobody owns the study yet, it stops the run that comes; whoever wants to go on withdraws it."""
    study = store.create_study(lab.plan(trials=2))
    assert store.request_cancel("1") is None
    assert lab.run(store, study.study_id).state is StudyState.CANCELLED
    assert store.trials("1") == []
    store.request_cancel("1")
    store.withdraw_cancel("1")
    assert lab.run(store, study.study_id).state is StudyState.DONE


class Ahead:
    """A proposer that works ahead while trials run."""

    name = "ahead"

    def __init__(self, lab):
        self._random, self.seen, self.closed = lab.RandomProposer(), [], 0

    def propose(self, history, n, seed):
        """As `RandomProposer`."""
        return self._random.propose(history, n, seed)

    def prefetch(self, history):
        """What the trials are then."""
        self.seen.append((len(history.trials), len(history.pending)))

    def close(self):
        """Counted."""
        self.closed += 1


def test_a_proposer_may_work_ahead_while_trials_run(store, lab):
    """It is told after trials were started, knowing them as pending, while more are to come; and closed at the end."""
    proposer = Ahead(lab)
    lab.run(store, store.create_study(lab.plan(trials=5)).study_id, proposer=proposer)
    assert proposer.seen == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert proposer.closed == 1


def test_a_proposer_is_closed_whatever_ends_the_study(store, lab):
    """Also by an error."""
    proposer = Ahead(lab)
    bad = ScriptedExecutor(lab.objective, failure=lambda spec: (FailureReason.DATA, "no rows"))
    with pytest.raises(StudyFailed):
        lab.run(store, store.create_study(lab.plan(trials=3)).study_id, bad, proposer)
    assert proposer.closed == 1

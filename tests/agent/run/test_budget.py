"""What may be spent, and that it is never forgotten."""

import time

import pytest

from agent.errors import StoreConflict
from agent.run.budget import Ledger, llm_reservation
from agent.study.nouns import EventKind, Phase, StudyState
from agent.study.store import Store
from tests.fakes.scripted_executor import ScriptedExecutor


class Clock:
    """A clock set by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def timed(store, lab):
    """A ledger over a study of 100 s with a clock set by hand; trials are estimated at 4 s."""
    clock = Clock()
    study = store.create_study(lab.plan(trials=5, seconds=100.0, seconds_per_trial=4.0, llm_usd=1.0))
    return Ledger(store, study.study_id, clock=clock), clock


def test_wall_time_adds_up_over_sessions(timed):
    """Time between sessions does not count."""
    ledger, clock = timed
    with ledger.session():
        clock.now += 10
        assert ledger.seconds_used() == pytest.approx(10)
    clock.now += 1000
    with ledger.session():
        clock.now += 5
        assert ledger.seconds_left() == pytest.approx(85)
    assert ledger.seconds_used() == pytest.approx(15)


def test_a_reserve_is_kept_for_confirmation_and_report(timed):
    """Before anything is measured: 2 seeds x 3 configurations and a report at the plan's 4 s, a quarter to spare."""
    ledger, clock = timed
    assert ledger.reserve_seconds(slots=1) == pytest.approx(1.25 * (2 * 3 * 4 + 4))
    assert ledger.reserve_seconds(slots=2) == pytest.approx(1.25 * (2 * 3 * 4 / 2 + 4))
    with ledger.session():
        assert ledger.may_start_search_trial(slots=1)
        clock.now += 100 - 35 - 4.5
        assert ledger.may_start_search_trial(slots=1)
        clock.now += 0.2
        assert not ledger.may_start_search_trial(slots=1)


def test_the_reserve_never_takes_more_than_half(store, lab):
    """With a budget too small for everything the search still gets its half."""
    study = store.create_study(lab.plan(seconds=30.0, seconds_per_trial=20.0))
    assert Ledger(store, study.study_id).reserve_seconds(slots=1) == 15.0


def test_without_a_time_limit_everything_may_start(store, lab):
    """None means no limit."""
    ledger = Ledger(store, store.create_study(lab.plan()).study_id)
    assert ledger.seconds_left() is None
    assert ledger.search_seconds_left(1) is None
    assert ledger.may_start_search_trial(1)


def test_a_reservation_counts_until_it_is_reconciled(store, lab):
    """What was set aside and never settled stays spent; settling twice keeps the last value."""
    store.create_study(lab.plan())
    store.reserve("1", "llm_usd", "a", 0.5)
    store.reserve("1", "llm_usd", "a", 9.9)
    assert store.balance("1", "llm_usd") == 0.5
    store.reconcile("1", "llm_usd", "a", 0.1)
    store.reconcile("1", "llm_usd", "a", 0.2)
    assert store.balance("1", "llm_usd") == 0.2
    with pytest.raises(StoreConflict, match="nothing was reserved"):
        store.reconcile("1", "llm_usd", "b", 0.1)


def test_llm_calls_are_charged_with_their_reservation_lifted(timed, store):
    """Tokens and dollars come from the recorded calls; an open reservation counts in full, also in a later process."""
    from agent.llm.open import LlmCall

    ledger, _ = timed
    lift = llm_reservation(store, "1", tokens=1000, usd=0.7)
    assert store.llm_spending("1") == (1000, 0.7)
    call = LlmCall(
        prompt_name="propose",
        prompt_sha256="ab",
        text="Which next?",
        reply="[]",
        model="openai:x",
        prompt_tokens=100,
        completion_tokens=20,
        cost_usd=0.25,
        seconds=1.5,
        error="no candidates",
    )
    call_id = store.log_llm_call(call, "1")
    lift()
    spending = ledger.spending()
    assert (spending.llm_tokens_used, spending.llm_usd_used, spending.llm_replies_unusable) == (120, 0.25, 1)
    [row] = store.llm_calls("1")
    assert (row["id"], row["text"], row["reply"], row["prompt_name"]) == (call_id, "Which next?", "[]", "propose")
    assert store.llm_calls() == []


def test_the_time_limit_holds_and_leaves_room_for_the_report(store, lab):
    """80 trials of 0.1 s do not fit into 5 s; the study is done in time all the same (2 s for a busy machine)."""
    study = store.create_study(lab.plan(trials=80, seconds=5.0))
    began = time.monotonic()
    lab.run(store, study.study_id, ScriptedExecutor(lab.objective, seconds=lambda spec: 0.1))
    assert time.monotonic() - began < 5.0 + 2.0
    assert store.study("1").state is StudyState.DONE
    assert 3 <= len(store.trials("1", Phase.SEARCH)) < 50
    assert len(store.trials("1", Phase.CONFIRM)) >= 6
    spending = lab.reported(store, "1")["spending"]
    assert spending["seconds_limit"] == 5.0
    assert 1.0 < spending["seconds_used"] < 7.0


def test_a_short_budget_confirms_on_fewer_seeds_and_says_so(store, lab):
    """Two trials of 0.2 s leave too little of 1.9 s for nine confirm runs."""
    study = store.create_study(lab.plan(trials=3, seconds=1.9))
    lab.run(store, study.study_id, ScriptedExecutor(lab.objective, seconds=lambda spec: 0.2))
    material = lab.reported(store, "1")
    assert len(store.trials("1", Phase.CONFIRM)) < 9
    assert len(material["default"]["seeds"]) in (1, 2)
    [deviation] = store.events("1", kind=EventKind.DEVIATION)
    assert deviation.data["sentence"] in material["deviations"]
    assert "instead of 3" in deviation.data["sentence"]


def test_a_restart_does_not_reset_the_budget(tmp_path, lab):
    """A second process finds the trials and seconds of the first one spent."""
    path = tmp_path / "tunewright.db"
    with Store.open(path) as store:
        study = store.create_study(lab.plan(trials=4, seconds=50.0))

        class Quitter(lab.Recorder):
            def on_event(self, event):
                if event.kind is EventKind.TRIAL_COMPLETE and event.trial_id == "1-2":
                    raise KeyboardInterrupt

        executor = ScriptedExecutor(lab.objective, seconds=lambda spec: 0.1)
        with pytest.raises(KeyboardInterrupt):
            lab.run(store, study.study_id, executor, observer=Quitter())
    with Store.open(path) as store:
        ledger = Ledger(store, "1")
        assert 0.3 <= ledger.seconds_used() < 5
        assert ledger.trials_left() == 1
        lab.run(store, "1")
        assert len(store.trials("1", Phase.SEARCH)) == 4

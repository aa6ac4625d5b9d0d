"""The verbs: plans that wait, approval by hash, idempotency, looking at studies."""

from statistics import fmean

import pytest

from agent.desk.desk import Desk
from agent.errors import InputError, NeedsAnswer, StoreConflict
from agent.report.write import write_report
from agent.request.draft import Overrides
from agent.settings import load_settings
from agent.study.nouns import EventKind, Phase, StudyState

REQUEST = "classify {} with MiniLM, 3 trials, 1 epoch"


@pytest.fixture
def desk(rows):
    """A desk over an empty home."""
    with Desk(load_settings()) as opened:
        yield opened


def test_a_plan_waits_for_its_hash_and_changes_nothing(desk):
    """Nothing is queued by planning."""
    planned = desk.plan(REQUEST.format("tickets.csv"))
    assert planned.card.ready
    assert planned.card.trials == 3
    assert desk.store.kept_plan(planned.card.plan_hash[:12]).plan == planned.plan
    assert (desk.studies(), desk.store.queue()) == ([], [])


def test_an_edit_makes_another_plan_and_says_what_changed(desk):
    """The first one can still be approved."""
    first = desk.plan(REQUEST.format("tickets.csv"))
    second = desk.edit(first, "make it 20 trials")
    assert [(c.name, c.value, c.origin) for c in second.card.changed] == [("budget.trials", "20", "3")]
    assert second.card.plan_hash != first.card.plan_hash
    assert desk.store.kept_plan(first.card.plan_hash).plan.spec.budget.trials == 3


@pytest.mark.parametrize(("edit", "trials"), [("make it 20 trials", 20), ("12 trials", 12), ("use rank 16", 3)])
def test_an_edit_changes_what_a_flag_said(desk, edit, trials):
    """Words said later win over flags given earlier; flags the edit is not about hold."""
    first = desk.plan(REQUEST.format("tickets.csv").replace("3 trials", "12 trials"), Overrides(trials=3))
    assert desk.edit_plan(first.card.plan_hash[:10], edit).card.trials == trials


def test_answers_settle_the_questions_of_a_plan(desk):
    """By the field each question is about; a field that there is not is refused."""
    asked = desk.plan("classify the tickets").card.questions[0]
    assert desk.plan("classify the tickets", answers={asked.field: asked.suggestion}).card.ready
    for field in ("data.nothing", "nothing.at.all", ""):
        with pytest.raises(InputError, match="no field of a spec"):
            desk.plan("classify the tickets", answers={field: "x"})


def test_flags_beside_the_request_count_as_the_users_words(desk):
    """They win over the request."""
    assert desk.plan(REQUEST.format("tickets.csv"), Overrides(trials=5)).card.trials == 5


def test_a_plan_with_a_question_cannot_be_started(desk):
    """It has no hash, and says what is open."""
    card = desk.plan("classify the tickets").card
    assert (card.ready, card.plan_hash) == (False, None)
    assert card.questions or card.problem


@pytest.mark.parametrize("given", ["", "abc", "0" * 64, "' OR 1=1 --", "%"])
def test_an_unknown_hash_is_refused(desk, given):
    """Also what would match everything in a careless query."""
    desk.plan(REQUEST.format("tickets.csv"))
    with pytest.raises(InputError, match="no plan"):
        desk.start(given, face="python")


def test_data_changed_since_the_plan_need_a_new_approval(desk, rows):
    """Approval binds to what the data were."""
    card = desk.plan(REQUEST.format("tickets.csv")).card
    rows.write_text(rows.read_text() + "one more refund,refund\n")
    with pytest.raises(NeedsAnswer, match="have changed since"):
        desk.start(card.plan_hash, face="python")
    assert desk.studies() == []


def test_a_key_stands_for_one_study(desk, monkeypatch):
    """Asked twice it is the same; for another plan it is refused."""
    first, second = (desk.plan(REQUEST.format("tickets.csv"), Overrides(trials=n)).card for n in (1, 2))
    desk.settings.home.mkdir(exist_ok=True)
    with _nobody_works(desk):
        study = desk.start(first.plan_hash, face="http", key="k").study
        assert desk.start(first.plan_hash, face="http", key="k").study == study
        with pytest.raises(StoreConflict, match="another plan"):
            desk.start(second.plan_hash, face="http", key="k")
        assert len(desk.studies()) == len(desk.store.queue()) == 1
        assert desk.store.submission(study_id=study).face == "http"


def _nobody_works(desk):
    """Hold the lock of the queue, so that no process takes it up."""
    from agent.study.lock import owning

    return owning(desk.settings.home / "queue")


def test_an_edited_plan_names_a_command_that_copies_the_study(desk):
    """Its words alone would not give it again."""
    first = desk.plan(REQUEST.format("tickets.csv"))
    second = desk.edit(first, "make it 2 trials")
    with _nobody_works(desk):
        study = desk.start(second.card.plan_hash, face="chat").study
        assert desk.study(study).command == f"tunewright run --from-study {study} --yes"


def test_what_a_finished_study_says(desk, lab):
    """Status, events page by page, explanation, comparison, budget."""
    study = desk.store.create_study(lab.plan(trials=3)).study_id
    lab.run(desk.store, study, write_report=write_report)
    card = desk.status()
    assert (card.study, card.state, card.over) == ("1", StudyState.DONE, True)
    assert (card.trials_over, card.confirm_over, card.result.test_rows) == (3, 9, 1)
    assert desk.compare().basis.startswith("test rows")
    assert "report.html" in desk.report_card().files
    assert card.best.score >= card.default
    page = desk.events(study, limit=5)
    rest = desk.events(study, after=page.after, limit=500)
    assert (page.more, rest.more, rest.over) == (True, False, True)
    assert [e.seq for e in (*page.events, *rest.events)] == sorted({e.seq for e in desk.store.events(study)})
    assert rest.after == card.last_event
    assert {e.kind for e in desk.events(study, kinds=[EventKind.NEW_BEST], limit=500).events} == {EventKind.NEW_BEST}
    first = desk.events(study, kinds=[EventKind.TRIAL_PROPOSED], limit=1)
    assert (first.more, first.after) == (True, first.events[0].seq)
    assert desk.events(study, after=page.after, kinds=[EventKind.WARM_STARTED]).after == card.last_event
    assert desk.explain(study, 0).proposed_by == "default"
    trials = desk.trials()
    confirmed = [t for t in trials if t.phase is Phase.CONFIRM]
    fresh = [fmean(t.score for t in confirmed if t.config == trials[n].config) for n in (1, 0)]
    compared = desk.compare(study, 1, 0)
    assert compared.difference == pytest.approx(fresh[0] - fresh[1])
    assert compared.basis == "validation scores on fresh seeds, means of 3 runs"
    single = desk.compare(study, confirmed[0].trial, confirmed[1].trial)
    assert (single.left, single.right) == (confirmed[0].score, confirmed[1].score)
    assert desk.budget(study).trials_used == 3
    assert list(desk.stream(study))[-1].kind is EventKind.STUDY_ENDED


def test_a_finished_study_is_neither_resumed_nor_paused_nor_cancelled(desk, lab):
    """Each says what there is instead."""
    study = desk.store.create_study(lab.plan(trials=1)).study_id
    lab.run(desk.store, study)
    for verb in (desk.resume, desk.pause, desk.cancel):
        with pytest.raises(InputError, match="done"):
            verb(study)


def test_a_study_whose_report_is_gone_can_still_be_looked_at(desk, lab):
    """Only its result is missing; asking for the report says so."""
    desk.store.create_study(lab.plan(trials=1))
    lab.run(desk.store, "1")  # writes something that is no report
    assert (desk.status().state, desk.status().result) == (StudyState.DONE, None)
    with pytest.raises(InputError, match="must be a report as this version writes it"):
        desk.report()


def test_the_report_of_an_unfinished_study_is_not_there(desk, lab):
    """The error says where it stands."""
    desk.store.create_study(lab.plan())
    with pytest.raises(InputError, match="planned, not started"):
        desk.report()


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_page_of_events_has_a_size(desk, lab, limit):
    """Neither none nor all at once."""
    desk.store.create_study(lab.plan())
    with pytest.raises(InputError, match="between 1 and 500"):
        desk.events(limit=limit)


def test_a_data_set_is_told_by_counts(desk):
    """No rows leave it."""
    card = desk.profile_data("tickets.csv")
    assert (card.task, card.rows, card.classes) == ("classification", 80, {"parcel": 28, "refund": 28})
    assert "number 3 of" not in card.model_dump_json()


def test_wait_returns_after_its_time(desk, lab):
    """With the study as it stands."""
    desk.store.create_study(lab.plan())
    assert desk.wait(timeout=0.1).over  # nobody runs it, nothing is queued

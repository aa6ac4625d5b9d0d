"""The verbs: each once, with arguments that people and models can read, and a result of the kind it promises."""

import shutil

import pytest
from pydantic import TypeAdapter

from agent.desk.desk import Desk
from agent.desk.tools import VERBS, call, verb
from agent.errors import InputError
from agent.settings import load_settings
from agent.study.lock import owning
from agent.study.nouns import EventKind

REQUEST = "classify tickets.csv with MiniLM, 2 trials, 1 epoch"


@pytest.fixture
def desk(tmp_path, rows, finished_home):
    """A desk over a copy of that home, in a directory with rows; nobody works off its queue."""
    shutil.copytree(finished_home, tmp_path / "home")
    with Desk(load_settings()) as opened, owning(opened.settings.home / "queue"):
        yield opened


@pytest.mark.parametrize("known", VERBS, ids=lambda known: known.name)
def test_every_verb_says_what_it_is_for(known):
    """Name, title, one line of words, closed arguments, a result with a schema."""
    assert len(known.doc) > 30
    assert known.title
    assert known.arguments.model_json_schema()["additionalProperties"] is False
    assert TypeAdapter(known.card).json_schema()["type"] == "object"
    assert [other for other in VERBS if other.name == known.name] == [known]


CALLS = [
    ("profile_data", {"data": "tickets.csv", "task": "classification"}),
    ("plan_study", {"request": REQUEST}),
    ("list_studies", {}),
    ("study_status", {}),
    ("study_status", {"study": 1}),
    ("study_events", {}),
    ("list_trials", {}),
    ("explain_trial", {}),
    ("explain_trial", {"parameter": "learning_rate"}),
    ("compare_trials", {}),
    ("study_budget", {}),
    ("study_report", {}),
    ("wait_study", {}),
]


@pytest.mark.parametrize(("name", "arguments"), CALLS)
def test_a_call_gives_the_card_that_the_verb_promises(desk, name, arguments):
    """About the latest study where none is named."""
    card = call(desk, name, arguments)
    assert type(card) is verb(name).card
    assert getattr(card, "study", "1") == "1"


def test_a_plan_is_edited_shown_and_started_once(desk):
    """The hash is the approval; asked twice it is the same study, another key runs it again."""
    first = call(desk, "plan_study", {"request": REQUEST})
    second = call(desk, "edit_plan", {"plan_hash": first.plan_hash, "text": "make it 3 trials"})
    assert call(desk, "show_plan", {"plan_hash": first.plan_hash[:12]}).trials == 2
    studies = [call(desk, "start_study", {"plan_hash": second.plan_hash}) for _ in range(2)]
    assert [(card.study, card.already) for card in studies] == [("2", False), ("2", True)]
    assert call(desk, "start_study", {"plan_hash": second.plan_hash, "idempotency_key": "more"}).study == "3"
    words = [call(desk, name, {"study": "3"}).state_words for name in ("pause_study", "resume_study", "cancel_study")]
    assert words == ["paused", "queued, place 2", "cancelled"]


def test_a_question_is_answered_by_its_field(desk):
    """With what was suggested."""
    [question] = call(desk, "plan_study", {"request": "classify the tickets"}).questions
    answers = {question.field: question.suggestion}
    assert call(desk, "plan_study", {"request": "classify the tickets", "answers": answers}).ready


def test_the_latest_events_come_without_a_cursor(desk):
    """In order, with the cursor of what comes next; from the beginning for 0."""
    latest = call(desk, "study_events", {"limit": 3})
    whole = call(desk, "study_events", {"limit": 200, "after": 0})
    assert latest.events == whole.events[-3:]
    assert (latest.more, latest.events[-1].kind) == (False, EventKind.STUDY_ENDED)
    assert call(desk, "study_events", {"after": latest.after}).events == ()


@pytest.mark.parametrize(
    ("name", "arguments", "param"),
    [
        ("no_such_verb", {}, "name"),
        ("study_status", {"nothing": 1}, "nothing"),
        ("study_status", {"study": "99"}, "study"),
        ("explain_trial", {"trial": -1}, "trial"),
        ("explain_trial", {"parameter": "moon_phase"}, "parameter"),
        ("profile_data", {"data": "x" * 2000}, "data"),
        ("profile_data", {"data": "../../etc/passwd"}, "data.train"),
        ("plan_study", {"request": "/etc/secret.yaml"}, "request"),
        ("plan_study", {"request": ""}, "request"),
        ("start_study", {"plan_hash": "0" * 64}, "plan_hash"),
        ("export_study", {"out": "/etc/cron.d/job"}, "out"),
    ],
)
def test_what_is_wrong_is_named(desk, name, arguments, param):
    """The argument and a next step."""
    with pytest.raises(InputError) as told:
        call(desk, name, arguments)
    assert told.value.param == param
    assert told.value.hint

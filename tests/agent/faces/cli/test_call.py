"""`tunewright call`: every verb from the command line."""

import json

import pytest

from agent.desk.cards import StudyCard
from agent.desk.desk import Desk
from agent.desk.tools import VERBS, Effect, verb_of
from agent.errors import InputError
from agent.faces.cli.call import call_verb, list_verbs
from agent.report.write import write_report
from agent.settings import load_settings


@pytest.fixture
def finished(lab):
    """The id of a study that is done; its trials were scripted."""
    with Desk(load_settings()) as desk:
        study_id = desk.store.create_study(lab.plan(trials=3)).study_id
        lab.run(desk.store, study_id, write_report=write_report)
    return study_id


def test_every_verb_is_listed_with_its_schema(capsys):
    """One object a line for programs, a line each for people."""
    list_verbs(as_json=True)
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["name"] for entry in listed] == [verb.name for verb in VERBS]
    assert all(entry["description"] and entry["arguments"]["type"] == "object" for entry in listed)
    list_verbs(as_json=False)
    assert all(verb.name in line for verb, line in zip(VERBS, capsys.readouterr().out.splitlines(), strict=True))


def test_a_verb_gives_its_card_or_its_words(finished, capsys):
    """Values are text and become what the arguments want."""
    call_verb("list_trials", ["study=1", "limit=2"], load_settings(), as_json=True)
    assert len(json.loads(capsys.readouterr().out)["trials"]) == 2
    call_verb("compare_trials", [f"study={finished}"], load_settings(), as_json=False)
    assert "default" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "fields", "param"),
    [
        ("nothing", [], "name"),
        ("list_trials", ["limit"], "field"),
        ("list_trials", ["limit=many"], "limit"),
        ("list_trials", ["colour=red"], "colour"),
        ("plan_study", ["request=classify", "answers={"], "answers"),
    ],
)
def test_what_is_wrong_is_named(name, fields, param):
    """The verb, the field, the value."""
    with pytest.raises(InputError) as caught:
        call_verb(name, fields, load_settings(), as_json=True)
    assert caught.value.param == param


def test_a_verb_from_outside_is_called_like_ours(finished, capsys):
    """A new verb needs nothing here."""

    def count_trials(desk: Desk, study: str | None = None) -> StudyCard:
        """Where the study stands, by another name."""
        return desk.status(study)

    toy = verb_of(count_trials, "Count", Effect.LOOKS)
    call_verb("count_trials", [], load_settings(), as_json=True, verbs=(*VERBS, toy))
    assert json.loads(capsys.readouterr().out)["study"] == finished

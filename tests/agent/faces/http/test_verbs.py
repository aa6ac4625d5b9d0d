"""Every verb of the desk over HTTP: generated from the one list, checked like every other route."""

import json
import re

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from agent.desk.tools import VERBS, Effect, Verb
from agent.faces.http.app import build_app
from agent.faces.http.guard import Hosts
from tests.agent.faces.http.conftest import HOST, PORT, TOKEN
from trainers.spec import Closed

REQUEST = {"request": "classify tickets.csv with MiniLM, 2 trials, 1 epoch"}


def call(client, name, status=200, **arguments):
    """The answer of a verb."""
    answer = client.post(f"/v1/verbs/{name}", json=arguments)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_the_list_tells_what_each_verb_takes(client):
    """All of them, with schemas to fill a form by."""
    listed = client.get("/v1/verbs").json()["data"]
    assert [one["name"] for one in listed] == [verb.name for verb in VERBS]
    for one in listed:
        assert one["arguments"]["type"] == one["result"]["type"] == "object", one["name"]
        assert len(one["description"]) > 30


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_a_route(client, verb):
    """Which refuses an argument that it does not take, by its name."""
    error = call(client, verb.name, 400, nonsense=1)["error"]
    assert "nonsense" in error["param"] or error["param"] in verb.arguments.model_fields


def test_a_study_is_planned_started_and_stopped_by_verbs(client, service):
    """With cards that the other routes show at once, and a key of its own kind."""
    plan = call(client, "plan_study", **REQUEST)
    plan = call(client, "edit_plan", plan_hash=plan["plan_hash"], text="make it 3 trials")
    study = call(client, "start_study", plan_hash=plan["plan_hash"])
    assert (study["trials_limit"], study["already"]) == (3, False)
    assert call(client, "start_study", plan_hash=plan["plan_hash"])["already"]
    assert service.desk.store.submission(study_id=study["study"]).face == "http"
    for verb, words in (("pause_study", "paused"), ("resume_study", "queued, next"), ("cancel_study", "cancelled")):
        assert call(client, verb, study=study["study"])["state_words"] == words
        assert client.get(f"/v1/studies/{study['study']}").json()["state_words"] == words


def test_a_finished_study_is_looked_at_by_verbs(client, service, lab):
    """The latest one where none is named."""
    study = service.desk.store.create_study(lab.plan(trials=2)).study_id
    lab.run(service.desk.store, study)
    assert call(client, "study_status")["state"] == "DONE"
    assert call(client, "list_studies", limit=1)["studies"][0]["study"] == study
    assert call(client, "study_budget", study=study)["trials_used"] == 2
    assert call(client, "compare_trials", left=1, right=0)["basis"].startswith("validation")
    assert call(client, "explain_trial", 404, study="99")["error"]["code"] == "not_found"


@pytest.mark.parametrize("odd", ["\0", "a\0b", "\ud800"])
def test_what_is_no_text_is_refused(client, odd):
    """In every field that takes words, inside answers too."""
    for name, body in (
        ("plan_study", {"request": f"classify {odd}"}),
        ("plan_study", {"request": "x", "answers": {"data.train": odd}}),
        ("study_status", {"study": odd}),
        ("ask_model", {"prompt": odd}),
        ("start_study", {"plan_hash": odd}),
    ):
        answer = client.post(f"/v1/verbs/{name}", content=json.dumps(body))
        assert answer.status_code == 400, name
        assert re.search("broken characters|valid string", answer.json()["error"]["message"]), name


def test_too_many_long_calls_are_refused(client, service):
    """Models and long calls have their own limits; a look is always answered."""
    for _ in range(16):
        service.verbs.take()
    for _ in range(2):
        service.loading.take()
    call(client, "plan_study", 429, **REQUEST)
    call(client, "ask_model", 429, prompt="x")
    call(client, "list_studies")


def test_a_new_verb_is_there_without_a_line_here(service):
    """It is enough that it is on the list."""

    class Greeting(Closed):
        whom: str

    class Greeted(BaseModel):
        words: str

    def greet(desk, given):
        """Greet somebody by name, whoever it may be."""
        return Greeted(words=f"hello {given.whom}")

    toy = Verb("greet", "Greet somebody", Greeting, Greeted, Effect.LOOKS, greet)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    app = build_app(service, Hosts.of(PORT), (*VERBS, toy))
    with TestClient(app, base_url=f"http://{HOST}", headers=headers) as client:
        assert call(client, "greet", whom="you") == {"words": "hello you"}
        assert call(client, "greet", 400)["error"]["param"] == "whom"
        assert "greet" in [one["name"] for one in client.get("/v1/verbs").json()["data"]]

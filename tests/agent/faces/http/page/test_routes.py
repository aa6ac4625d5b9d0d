"""Pages over a desk, without a browser: whole or in part, what they say, and how a reply comes."""

import pytest

from agent.report.write import write_report

PART = {"hx-request": "true"}
SAID = {"text": "classify tickets.csv with MiniLM, 2 trials, 1 epoch"}


@pytest.fixture
def done(service, lab):
    """A finished study's number."""
    study = service.desk.store.create_study(lab.plan(trials=6)).study_id
    lab.run(service.desk.store, study, write_report=write_report)
    return study


@pytest.mark.parametrize("path", ["/", "/studies", "/studies/1", "/studies/1/trials/2", "/studies/1/report"])
def test_a_page_is_whole_for_a_browser_and_its_changing_part_for_htmx(client, done, path):
    """The part has no side bar; neither is stored, since both have one address."""
    whole, part = client.get(path), client.get(path, headers=PART)
    assert (whole.status_code, part.status_code) == (200, 200)
    assert 'id="nav"' in whole.text
    assert 'id="nav"' not in part.text
    assert {whole.headers["cache-control"], part.headers["cache-control"]} == {"no-store"}
    content = part.text.partition("</title>")[2].strip()
    assert content.replace(" autofocus", "") in whole.text.replace(" autofocus", "")


def test_a_study_shows_its_trials_scores_events_and_result(client, done):
    """The same numbers as the API's."""
    text = client.get(f"/studies/{done}").text
    trials = client.get(f"/v1/studies/{done}/trials").json()["data"]
    card = client.get(f"/v1/studies/{done}").json()
    assert card["result"]["verdict"] in text.replace("&#39;", "'")
    for trial in trials:
        assert f'id="trial-{trial["trial"]}"' in text
        assert f"{trial['score']:.4f}" in text
    assert "The report is written." in text


def test_how_a_study_is_looked_at_stands_in_its_address(client, done):
    """Sorted, as a table, with all events; the part asks for itself in the same way again."""
    query = "sort=-score&amp;tables=scores"
    text = client.get(f"/studies/{done}?{query.replace('&amp;', '&')}", headers=PART).text
    assert f'hx-get="/studies/{done}?{query}"' in text
    assert 'aria-sort="descending"' in text
    assert 'aria-label="Scores as a table"' in text
    latest, every = (client.get(f"/studies/{done}{query}").text.count("<time") for query in ("", "?events=all"))
    assert latest < every


@pytest.mark.parametrize(("path", "status"), [("/studies/99", 404), ("/studies/1/trials/999", 404), ("/chats/77", 404)])
def test_what_is_not_there_is_a_page_with_a_way_out(client, done, path, status):
    """In the server's own words."""
    answer = client.get(path)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert 'href="/studies"' in answer.text


def test_a_conversation_begins_is_followed_and_its_plan_declined(client, service):
    """The reply comes as drawn pieces and an end; then the page has the plan that waits, until it is declined."""
    begun = client.post("/chats", json=SAID, headers=PART)
    path = begun.headers["hx-replace-url"]
    assert SAID["text"] in begun.text
    reply = client.get(f"{path}/reply").text
    assert reply.endswith("event: done\ndata: {}\n\n")
    page = client.get(path).text
    plan = service.desk.store.conversations()[0].conversation_id
    assert path == f"/chats/{plan}"
    waiting = client.get(f"/v1/conversations/{plan}").json()["pending"]["plan_hash"]
    assert waiting in page
    assert 'aria-busy="true"' not in page
    client.post(f"{path}/decline", json={"plan_hash": waiting}, headers=PART)
    client.get(f"{path}/reply")
    assert "Plan that waits" not in client.get(path).text
    assert client.get("/v1/studies").json()["data"] == []


def test_a_wrong_hash_is_told_on_the_page_and_starts_nothing(client):
    """As is an empty message."""
    path = client.post("/chats", json=SAID, headers=PART).headers["hx-replace-url"]
    client.get(f"{path}/reply")
    refused = client.post(f"{path}/approve", json={"plan_hash": "0" * 64}, headers=PART)
    assert 'role="alert"' in refused.text
    assert client.get("/v1/studies").json()["data"] == []


@pytest.mark.parametrize("name", ["VENDORED.md", "routes.py", "..%2froutes.py", "signed_out.html"])
def test_only_scripts_styles_and_the_icon_are_served_as_files(client, name):
    """Nothing else of the package, however it is asked for."""
    for folder in ("static", "vendor", "templates"):
        assert client.get(f"/assets/{folder}/{name}").status_code in (400, 404)

"""Plans and studies over HTTP: approval by hash, idempotency, looking, control."""

import io
import json
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import InputError
from agent.faces.http.studies import within_report, zip_pieces
from agent.report.write import write_report

REQUEST = {"request": "classify tickets.csv with MiniLM, 3 trials, 1 epoch"}
ODD = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=30)


@pytest.fixture
def done(service, lab):
    """A finished study's number."""
    study = service.desk.store.create_study(lab.plan(trials=2)).study_id
    lab.run(service.desk.store, study, write_report=write_report)
    return study


def test_a_plan_is_made_looked_at_and_edited(client):
    """Each has its hash, and nothing is started."""
    plan = client.post("/v1/plans", json=REQUEST).json()
    assert (plan["ready"], plan["trials"]) == (True, 3)
    assert client.get(f"/v1/plans/{plan['plan_hash'][:12]}").json()["plan_hash"] == plan["plan_hash"]
    edited = client.post(f"/v1/plans/{plan['plan_hash']}/edits", json={"text": "make it 5 trials"}).json()
    assert (edited["trials"], edited["changed"][0]["origin"]) == (5, "3")
    assert client.get("/v1/studies").json() == {"data": []}


def test_an_edit_wins_over_a_field_given_before(client):
    """What is said last holds."""
    plan = client.post("/v1/plans", json={**REQUEST, "trials": 7}).json()
    assert plan["trials"] == 7
    assert client.post(f"/v1/plans/{plan['plan_hash']}/edits", json={"text": "make it 5 trials"}).json()["trials"] == 5


def test_a_study_is_started_by_hash_once_a_key(client):
    """201, then 200 with the same; another plan under the key is a conflict."""
    first, second = (client.post("/v1/plans", json={**REQUEST, "trials": n}).json()["plan_hash"] for n in (1, 2))
    started = client.post("/v1/studies", json={"plan_hash": first}, headers={"Idempotency-Key": "k"})
    assert (started.status_code, started.headers["location"]) == (201, "/v1/studies/1")
    again = client.post("/v1/studies", json={"plan_hash": first}, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["study"]) == (200, "1")
    other = client.post("/v1/studies", json={"plan_hash": second}, headers={"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["error"]["type"]) == (409, "conflict_error")
    assert len(client.get("/v1/studies").json()["data"]) == 1


def test_a_request_waits_for_approval_unless_it_says_yes(client):
    """202 with the hash to approve; with yes it is started."""
    asked = client.post("/v1/studies", json=REQUEST)
    assert asked.status_code == 202
    assert asked.json()["approve"]["plan_hash"] == asked.json()["plan"]["plan_hash"]
    assert client.post("/v1/studies", json={**REQUEST, "yes": True}).status_code == 201


def test_what_is_open_is_told_and_can_be_answered(client):
    """400 with the field, the question and the suggestion."""
    asked = client.post("/v1/studies", json={"request": "classify the tickets", "yes": True})
    error = asked.json()["error"]
    assert (asked.status_code, error["param"], asked.json()["plan"]["ready"]) == (400, "data.train", False)
    answers = {"answers": {error["param"]: "tickets.csv"}}
    assert client.post("/v1/studies", json={"request": "classify the tickets", **answers}).status_code == 202


def test_a_plan_whose_data_changed_is_a_conflict(client, tmp_path):
    """What was approved is not what would be done."""
    plan = client.post("/v1/plans", json=REQUEST).json()["plan_hash"]
    path = tmp_path / "tickets.csv"
    path.write_text(path.read_text() + "one more,refund\n")
    answer = client.post("/v1/studies", json={"plan_hash": plan})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "needs_answer")


@pytest.mark.parametrize("body", [{}, {"plan_hash": "a" * 64, "request": "x"}])
def test_one_of_hash_and_request_is_needed(client, body):
    """Neither and both are refused."""
    assert client.post("/v1/studies", json=body).status_code == 400


def test_files_outside_are_not_read(client, tmp_path):
    """Neither data nor a spec file; what they hold is not told."""
    secret = tmp_path.parent / "secret.yaml"
    secret.write_text("hunter2: 1\n")
    for body in ({"request": str(secret)}, {"request": "../secret.yaml"}):
        answer = client.post("/v1/plans", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsafe_path")
        assert "hunter2" not in answer.text
    card = client.post("/v1/plans", json={"request": "classify tickets", "data": "/etc/passwd"}).json()
    assert card["problem"]["code"] == "unsafe_path"


def test_a_planners_address_cannot_be_given(client):
    """Its key would go there."""
    answer = client.post("/v1/plans", json={**REQUEST, "llm": "http://evil.test/v1#m"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "llm")


def test_a_study_is_controlled(client):
    """Pause keeps it, resume queues it, cancel takes it off; each is seen at once by who polls."""
    client.post("/v1/studies", json={**REQUEST, "yes": True})
    words = []
    for verb in ("pause", "resume", "cancel"):
        assert client.post(f"/v1/studies/1/{verb}").status_code == 200
        words.append(client.get("/v1/studies/1").json()["state_words"])
    assert words == ["paused", "queued, next", "cancelled"]


def test_a_finished_study_is_looked_at(client, done):
    """Trials, explanations, curves, budget, comparison, report."""
    card = client.get(f"/v1/studies/{done}").json()
    assert (card["state"], card["over"], card["trials_over"]) == ("DONE", True, 2)
    trials = client.get(f"/v1/studies/{done}/trials").json()["data"]
    assert [t["trial"] for t in trials] == list(range(len(trials)))
    assert client.get(f"/v1/studies/{done}/trials/0").json()["proposed_by"] == "default"
    assert client.get(f"/v1/studies/{done}/budget").json()["trials_used"] == 2
    assert client.get(f"/v1/studies/{done}/compare?left=1&right=0").json()["basis"].startswith("validation")
    assert client.get(f"/v1/studies/{done}/report").json()["plan_hash"] == card["plan_hash"]
    assert isinstance(client.get(f"/v1/studies/{done}/curves").json(), dict)


def test_a_report_is_shown_in_a_box_of_its_own(client, done):
    """Its style is inline, so it has another policy: no script, nothing from anywhere."""
    answer = client.get(f"/v1/studies/{done}/report/report.html")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "<style" in answer.text
    assert client.get(f"/v1/studies/{done}/report/report.md").text.startswith("#")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(ODD)
def test_odd_numbers_of_studies_are_not_there(client, odd):
    """Whatever stands in their place: 404 in our form."""
    from urllib.parse import quote

    for path in (f"/v1/studies/{quote(odd, safe='')}", f"/v1/studies/{quote(odd, safe='')}/trials"):
        if odd in (".", ".."):
            continue  # clients make another path of it
        answer = client.get(path)
        assert answer.status_code == 404, odd
        assert answer.json()["error"]["code"] == "not_found"


PATHS = [
    *("../report.json", "..", "plots/../../rows.csv", "/etc/passwd", "adapter/../report.json", ".report.json"),
    *("rows.csv", "plots", "", "plots/", "adapter/a/b", "plots\\x.png", "report.html\0", "private.txt", "adapter/link"),
]


@pytest.mark.parametrize("path", PATHS)
def test_only_files_of_the_report_are_handed_out(tmp_path, path):
    """Not what else a user keeps in the directory named as output, nor what a link leads to."""
    (tmp_path / "out" / "plots").mkdir(parents=True)
    (tmp_path / "out" / "adapter").mkdir()
    for name in ("out/report.json", "out/private.txt", "rows.csv", "out/.report.json"):
        (tmp_path / name).write_text("x")
    (tmp_path / "out/adapter/link").symlink_to(tmp_path / "rows.csv")
    assert within_report(tmp_path / "out", "report.json").name == "report.json"
    with pytest.raises(InputError, match="no file"):
        within_report(tmp_path / "out", path)


@given(ODD)
def test_no_name_leads_out_of_a_report(name):
    """For any text; the directory need not even exist."""
    from pathlib import Path

    with pytest.raises(InputError):
        within_report(Path("/nonexistent/report"), name)


def test_an_archive_streams_and_can_be_read(tmp_path):
    """All files, no links, the bytes as they were."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "big").write_bytes(bytes(range(256)) * 5000)
    (tmp_path / "small.json").write_text("{}")
    (tmp_path / "link").symlink_to("/etc/passwd")
    pieces = list(zip_pieces(tmp_path))
    assert len(pieces) > 4
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a/big", "small.json"]
        assert archive.read("a/big") == bytes(range(256)) * 5000


@pytest.mark.parametrize("path", ["report", "report/report.html", "adapter.zip"])
def test_what_is_not_done_has_no_report(client, service, lab, path):
    """409, and worth asking again."""
    service.desk.store.create_study(lab.plan())
    answer = client.get(f"/v1/studies/1/{path}")
    assert (answer.status_code, answer.json()["error"]["retryable"]) == (409, True)


def test_too_many_plans_at_once_are_refused(client, service):
    """Instead of waiting behind each other."""
    for _ in range(8):
        service.planning.take()
    answer = client.post("/v1/plans", json=REQUEST)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert json.loads(answer.text)["error"]["retryable"]

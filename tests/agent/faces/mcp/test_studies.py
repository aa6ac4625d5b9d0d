"""Looking at studies, controlling them, reading their reports."""

import json

import pytest

from agent.study.nouns import EventKind

LOOKS = (
    "study_status",
    "wait_study",
    "study_events",
    "list_trials",
    "explain_trial",
    "compare_trials",
    "study_report",
)
REQUEST = "classify tickets.csv with MiniLM, 2 trials, 1 epoch"


@pytest.fixture
def queued(talk, idle):
    """The id of a study that waits in a queue that nobody works off."""
    plan = talk("plan_study", request=REQUEST).structured_content
    return talk("start_study", plan_hash=plan["plan_hash"]).structured_content["study"]


@pytest.mark.parametrize("name", LOOKS)
def test_every_look_at_a_study_is_small_and_tells_its_budget(finished, name):
    """Under a thousand tokens of text, and the budget as numbers."""
    told = finished(name)
    assert not told.is_error
    assert told.structured_content["study"] == "1"
    assert told.structured_content["budget"]["trials_used"] == 3
    assert "used 3 of 3 trials" in told.content[0].text
    assert 40 < len(told.content[0].text) <= 3500
    assert len(json.dumps(told.structured_content)) < 16_000


def test_a_finished_study_tells_its_verdict(finished):
    """In the status, in the list, and not as still running."""
    status = finished("study_status", study=1)
    assert (status.structured_content["state"], status.structured_content["over"]) == ("DONE", True)
    verdict = status.structured_content["result"]["verdict"]
    assert verdict in status.content[0].text
    [line] = finished("list_studies").structured_content["studies"]
    assert (line["verdict"], line["over"], line["trials_limit"]) == (verdict, True, 3)
    assert finished("wait_study").structured_content["still_running"] is False


def test_events_are_read_page_by_page(finished):
    """Each once, in order; without the training steps unless they are asked for."""
    seen, after = [], 0
    while True:
        page = finished("study_events", after=after, limit=7).structured_content
        seen, after = [*seen, *page["events"]], page["after"]
        if not page["more"]:
            break
    everything = finished("study_events", after=0, limit=200, progress=True).structured_content["events"]
    assert [e["seq"] for e in seen] == [e["seq"] for e in everything if e["kind"] != EventKind.PROGRESS]
    assert seen[-1]["kind"] == EventKind.STUDY_ENDED
    last = finished("study_events", after=after)
    assert (last.structured_content["events"], last.structured_content["after"]) == ([], after)
    assert "nothing more will come" in last.content[0].text


def test_trials_are_read_page_by_page(finished):
    """By number; the text shows what differs from the default."""
    first = finished("list_trials", limit=4)
    rest = finished("list_trials", after=first.structured_content["after"], limit=100)
    numbers = [t["trial"] for told in (first, rest) for t in told.structured_content["trials"]]
    assert (first.structured_content["more"], numbers) == (True, list(range(12)))
    assert "| 0 | search |" in first.content[0].text
    assert "the default |" in first.content[0].text


def test_trials_are_explained_and_compared(finished):
    """The best against the default where none is named."""
    why = finished("explain_trial", trial=0)
    assert (why.structured_content["proposed_by"], why.structured_content["trial"]) == ("default", 0)
    both = finished("compare_trials")
    assert both.structured_content["basis"].startswith("test rows")
    assert both.structured_content["verdict"] in both.content[0].text
    pair = finished("compare_trials", left=2, right=1).structured_content
    assert (pair["left_name"], pair["right_name"]) == ("trial 2", "trial 1")
    assert finished.error("explain_trial", trial=99)["param"] == "trial"


def test_a_report_is_linked_and_can_be_read(finished):
    """Report for people, report for programs, spec and plan."""
    told = finished("study_report")
    links = {link.uri: link.mime_type for link in told.content[1:]}
    assert list(links) == told.structured_content["resources"]

    async def read(client):
        listed = [str(r.uri) for r in (await client.list_resources()).resources]
        uris = [*links, "tunewright://studies/1/plan"]
        return listed, {uri: (await client.read_resource(uri)).contents[0] for uri in uris}

    listed, found = finished.run(read)
    assert listed == ["tunewright://studies/1/report.md"]
    assert found["tunewright://studies/1/report.md"].text.startswith("# tunewright study 1")
    assert json.loads(found["tunewright://studies/1/report.json"].text)["study_id"] == "1"
    assert "task: classification" in found["tunewright://studies/1/spec.yaml"].text
    assert json.loads(found["tunewright://studies/1/plan"].text)["plan_hash"]
    assert {uri: content.mime_type for uri, content in found.items()}.items() >= links.items()


@pytest.mark.parametrize(
    "uri",
    [
        "tunewright://studies/2/report.md",
        "tunewright://studies/1/server.token",
        "tunewright://studies/..%2F..%2Fetc/report.md",
        "tunewright://studies/%2Fetc/report.md",
        "tunewright://plans/%25",
        "tunewright://plans/00000000",
        "file:///etc/passwd",
    ],
)
def test_nothing_else_can_be_read(finished, uri):
    """An unknown resource is an error of the protocol."""

    async def read(client):
        with pytest.raises(Exception, match=r"no study|no plan|Unknown resource"):
            await client.read_resource(uri)

    finished.run(read)


def test_waiting_ends_in_time_and_tells_on_the_way(talk, queued):
    """Still running is a normal answer."""
    told = talk("wait_study", study=queued, timeout_seconds=2.5)
    assert (told.is_error, told.structured_content["still_running"]) == (False, True)
    assert told.content[0].text.startswith("Still running")
    assert "study 1 queued, next, 0 of 2 trials" in talk.said


def test_a_study_is_paused_cancelled_and_resumed(talk, queued, desk):
    """Each call tells where it stands then; asked twice it is the same."""
    words = [
        talk(name, study=queued).structured_content["state_words"]
        for name in ("pause_study", "pause_study", "resume_study", "cancel_study", "cancel_study", "resume_study")
    ]
    assert words == ["paused", "paused", "queued, next", "cancelled", "cancelled", "queued, next"]
    assert [entry.study_id for entry in desk.store.queue()] == [queued]


def test_a_study_that_is_done_is_left_alone(finished):
    """Neither stopped nor started again, and an unfinished one has no report."""
    for name in ("pause_study", "cancel_study", "resume_study"):
        assert finished.error(name, study="1")["code"] in ("bad_input", "done")


@pytest.mark.parametrize("out", ["/etc/cron.d/job", "../../elsewhere"])
def test_a_model_is_written_to_a_new_directory_inside_the_roots_only(finished, out):
    """Whatever an agent names."""
    assert finished.error("export_study", study="1", out=out)["code"] == "unsafe_path"


def test_an_unfinished_study_has_no_report_yet(talk, queued):
    """Asking later may help, which the error says."""
    error = talk.error("study_report", study=queued)
    assert (error["code"], error["retryable"]) == ("not_done", True)
    assert talk.error("ask_model", study=queued, prompt="hello")["code"] == "not_done"

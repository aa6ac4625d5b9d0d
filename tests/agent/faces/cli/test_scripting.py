"""The command line for scripts: JSON of every view, queueing without waiting, exit codes."""

import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.desk.cards import PlanCard, StudyCard
from agent.desk.desk import Desk
from agent.faces.cli.commands import cli, main
from agent.faces.cli.run import code_of
from agent.report.write import write_report
from agent.settings import load_settings
from agent.study.lock import owning
from agent.study.nouns import StudyState

REQUEST = "classify tickets.csv with MiniLM, 3 trials, 1 epoch"


@pytest.fixture
def place(tmp_path, rows):
    """A working directory with a file of labelled rows, and an empty home."""
    (tmp_path / "home").mkdir()
    return tmp_path


@pytest.fixture
def done(place, lab):
    """Study 1, finished by scripted training."""
    with Desk(load_settings()) as desk:
        desk.store.create_study(lab.plan(trials=3))
        lab.run(desk.store, "1", write_report=write_report)
    return "1"


def command(*arguments):
    """Exit code and standard output of one command, in this process."""
    result = CliRunner().invoke(cli, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def told(*arguments, code=0):
    """The one JSON object that a command prints."""
    found, out = command(*arguments, "--json")
    assert found == code, out
    (line,) = out.splitlines()
    return json.loads(line)


@pytest.fixture
def nobody_works(place):
    """The queue is held, so that nothing of it is taken up."""
    with owning(place / "home" / "queue"):
        yield


def test_status_is_the_study_card(done):
    """One object a study, also in the list."""
    card = StudyCard.model_validate(told("status", "1"))
    assert (card.state, card.over, card.trials_over, card.best.trial >= 0) == (StudyState.DONE, True, 3, True)
    assert [StudyCard.model_validate(c) for c in told("status")["studies"]] == [card]
    _, text = command("status", "1")
    assert card.result.verdict.split()[0] in text


def test_explanation_holds_the_llm_call_whole_or_null(done):
    """A trial that no LLM proposed has none."""
    explained = told("explain", "1", "0")
    assert (explained["proposed_by"], explained["llm_call"]) == ("default", None)
    _, text = command("explain", "1", "0")
    assert "proposed by" in text
    assert told("explain", "1", "99", code=2)["error"]["param"] == "trial"


def test_compare_names_both_sides_and_what_the_scores_are(done):
    """The best against the default by test rows, other trials by their validation."""
    assert told("compare", "1")["basis"].startswith("test rows")
    assert told("compare", "1", "2", "1")["left_name"] == "trial 2"
    code, text = command("compare", "1")
    assert (code, "Basis: test rows" in text) == (0, True)


def test_events_after_a_cursor_are_those_that_follow(done):
    """Each line an object; following a study that is over ends at once."""
    code, out = command("events", "1", "--json", "--follow")
    seqs = [json.loads(line)["seq"] for line in out.splitlines()]
    assert (code, seqs) == (0, sorted(seqs))
    _, rest = command("events", "1", "--json", "--after", str(seqs[-3]))
    assert [json.loads(line)["seq"] for line in rest.splitlines()] == seqs[-2:]


def test_a_detached_run_queues_the_approved_plan_and_no_other(nobody_works):
    """The study's card comes back at once; the same key gives the same study."""
    plan_hash = told("plan", REQUEST)["plan_hash"]
    refused = told("run", REQUEST, "--approve", "0" * 12, "--detach", code=3)["error"]
    assert (refused["code"], refused["retryable"]) == ("needs_answer", False)
    card = StudyCard.model_validate(told("run", REQUEST, "--approve", plan_hash[:12], "--detach", "--key", "k"))
    assert (card.study, card.plan_hash, card.queue_place, card.over) == ("1", plan_hash, 1, False)
    assert told("run", REQUEST, "--yes", "--detach", "--key", "k")["study"] == "1"
    assert [c["study"] for c in told("queue")["queue"]] == ["1"]
    with Desk(load_settings()) as desk:
        assert desk.study("1").command == f"tunewright run '{REQUEST}' --yes"
        assert desk.store.submission(study_id="1").face == "cli"


def test_a_plan_that_is_not_ready_is_told_instead_of_queued(nobody_works):
    """Exit code 3 and the plan with its questions; 2 for one that breaks a rule."""
    assert told("run", "classify the tickets", "--yes", "--detach", code=3)["questions"]
    assert told("run", f"{REQUEST} and rank 0", "--yes", "--detach", code=2)["error"]["param"] == "search.lora_rank"
    assert told("run", "how is study 1 doing", "--yes", "--detach", code=2)["error"]["param"] == "request"
    assert told("run", REQUEST, "--yes", "--key", "k", code=2)["error"]["param"] == "key"


def test_a_copied_study_is_queued_like_any_other(nobody_works):
    """Unchanged it is the same plan; what reproduces it is a copy of itself."""
    first = told("run", REQUEST, "--yes", "--detach")
    copy = told("run", "--from-study", "1", "--yes", "--detach")
    assert copy["plan_hash"] == first["plan_hash"]
    edited = told("run", "--from-study", "1", "use rank 32", "--trials", "5", "--yes", "--detach")
    assert edited["trials_limit"] == 5
    with Desk(load_settings()) as desk:
        assert desk.study("3").command == "tunewright run --from-study 3 --yes"
    assert told("plan", "--from-study", "3")["plan_hash"] == edited["plan_hash"]
    assert told("plan", "--from-study", "7", code=2)["error"]["param"] == "study"
    assert told("plan", "--from-study", "1", "spec.yaml", code=2)["error"]["param"] == "request"


def test_nothing_to_plan_is_bad_input(place):
    """Neither a request nor a study to copy."""
    assert told("plan", code=2)["error"]["param"] == "request"


def test_waiting_no_longer_than_asked_is_no_error(nobody_works):
    """Exit code 0 and `over` false; a negative time is bad input."""
    told("run", REQUEST, "--yes", "--detach")
    card = told("wait", "1", "--timeout", "0.2")
    assert (card["over"], card["state"]) == (False, "PLANNED")
    code, text = command("wait", "1", "--timeout", "0")
    assert (code, "wait again" in text) == (0, True)
    assert told("wait", "1", "--timeout", "-1", code=2)["error"]["param"] == "timeout"


def test_pause_keeps_the_place_and_cancel_gives_it_up(nobody_works):
    """A paused study is over until somebody resumes it."""
    for _ in range(2):
        told("run", REQUEST, "--yes", "--detach")
    assert told("pause", "1")["paused"]
    assert told("wait", "1", code=130)["state_words"] == "paused"
    assert [(c["study"], c["queue_place"]) for c in told("queue")["queue"]] == [("1", None), ("2", 1)]
    assert told("resume", "1", "--detach")["queue_place"] == 1
    assert told("cancel", "1")["state"] == "CANCELLED"
    assert [c["study"] for c in told("queue")["queue"]] == ["2"]
    assert told("wait", "1", code=130)["over"]


@pytest.mark.parametrize(
    ("state", "over", "code"),
    [("DONE", True, 0), ("FAILED", True, 1), ("CANCELLED", True, 130), ("SEARCHING", True, 130), ("FAILED", False, 0)],
)
def test_the_exit_code_of_wait_says_how_a_study_stands(place, lab, state, over, code):
    """A failed study that is queued again is not over."""
    with Desk(load_settings()) as desk:
        desk.store.create_study(lab.plan())
        card = desk.status().model_copy(update={"state": StudyState(state), "over": over})
    assert code_of(card) == code


def test_a_queued_study_is_followed_though_nobody_has_begun(nobody_works, lab):
    """Following does not end before the study is over."""
    told("run", REQUEST, "--yes", "--detach")
    with Desk(load_settings()) as desk:
        stream = desk.stream("1")
        desk.store.log_event("1", "state_changed", None, {"state": "SEARCHING"})
        assert next(stream).data == {"state": "SEARCHING"}
        desk.cancel("1")
        assert list(stream) == []


def test_views_bring_an_older_database_up_to_date(place):
    """Looking is enough after an upgrade."""
    shutil.copy(Path(__file__).parents[2] / "schema" / "0.1.0.db", place / "home" / "tunewright.db")
    assert told("status")["studies"]


def test_an_empty_queue_says_how_to_fill_it(done):
    """For people; for programs it is an empty list."""
    assert told("queue") == {"queue": [], "pid": None}
    assert "--detach" in command("queue")[1]


def test_a_plan_card_and_the_plan_json_name_the_same_hash(place):
    """What a script approves is what the other faces approve."""
    with Desk(load_settings()) as desk:
        card = desk.plan(REQUEST).card
    assert isinstance(card, PlanCard)
    assert told("plan", REQUEST)["plan_hash"] == card.plan_hash


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        (("wait", "--timeout", "soon"), "timeout"),
        (("compare",), "study"),
        (("status", "--nope"), "--nope"),
        (("nope",), "arguments"),
    ],
)
def test_a_wrong_command_is_told_as_json_too(monkeypatch, capsys, arguments, param):
    """A program that made a mistake in its arguments reads the same form of error."""
    monkeypatch.setattr(sys, "argv", ["tunewright", *arguments, "--json"])
    with pytest.raises(SystemExit) as caught:
        main()
    error = json.loads(capsys.readouterr().out)["error"]
    assert (caught.value.code, error["param"], error["code"]) == (2, param, "usage")


@pytest.mark.usefixtures("nobody_works")
def test_ctrl_c_ends_the_waiting_and_not_the_study():
    """Exit code 130, and a sentence that says so."""
    told("run", REQUEST, "--yes", "--detach")
    waiting = threading.get_ident()

    def interrupt_when_it_waits():
        frame = None
        while frame is None:
            frame = sys._current_frames()[waiting]
            while frame is not None and frame.f_code is not Desk.wait.__code__:
                frame = frame.f_back
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_when_it_waits, daemon=True).start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background has it ignored
    try:
        result = CliRunner().invoke(cli, ["wait"])
    finally:
        signal.signal(signal.SIGINT, before)
    assert (result.exit_code, "study 1 goes on" in result.stderr) == (130, True)
    assert told("status", "1")["queue_place"] == 1


def test_submit_is_a_detached_run(nobody_works):
    """Without approval nothing is started; with the plan's hash that plan is queued."""
    plan_hash = told("submit", REQUEST, code=3)["error"]["message"].rpartition(" ")[2].rstrip(".")
    with Desk(load_settings()) as desk:
        assert desk.studies() == []
    assert told("submit", REQUEST, "--approve", plan_hash)["queue_place"] == 1
    assert told("submit", "classify the tickets", "--yes", code=3)["questions"][0]["field"] == "data.train"
    assert told("submit", "classify nothing.csv", "--yes", code=2)["error"]["code"] == "missing_data"

"""A person at a real terminal of 80 columns: plans, edits twice, approves, looks away, looks again, asks why, cancels,
resumes, leaves; by rules, and with an LLM that calls tools behind a real server. The study trains for real."""

import os
import re
import signal
import sys

import pexpect
import pytest

from agent.desk.desk import Desk
from agent.desk.dispatch import dispatcher_pid
from agent.settings import load_settings
from tests.agent.conftest import write_rows
from tests.agent.desk.chat.conftest import claims
from tests.fakes.openai_server import serve

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
REQUEST = "classify tickets.csv with MiniLM, 2 trials, 40 epochs"
PROMPT = "› "
ASKS = "change › "


class Terminal:
    """The chat in a pseudo-terminal; text is matched as it is read, without colours and cursor movements."""

    def __init__(self, directory, *options):
        environment = os.environ | {
            "TERM": "xterm-256color",
            "COLUMNS": "80",
            "LINES": "45",
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }
        self.child = pexpect.spawn(
            sys.executable,
            ["-P", "-m", "agent.faces.cli", "chat", *options],
            cwd=directory,
            env=environment,
            dimensions=(45, 80),
            encoding="utf-8",
            timeout=180,
        )
        self.seen = ""

    def until(self, *patterns, seconds=180):
        """Wait for each of the patterns in turn."""
        for pattern in patterns:
            self.child.expect(pattern, timeout=seconds)
            self.seen += plain(self.child.before + self.child.after)

    def say(self, line):
        """Type a line."""
        self.child.send(line)
        self.child.expect(re.escape(line[-8:]))
        self.child.send("\r")

    def interrupt(self):
        """Ctrl-C."""
        self.child.sendintr()

    def leave(self):
        """Ctrl-D, to the end of the output."""
        self.child.sendeof()
        self.child.expect(pexpect.EOF)
        self.seen += plain(self.child.before)
        self.child.close()


def plain(text):
    """`text` without escape sequences."""
    return re.sub(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-_=>])", "", text).replace("\r", "")


@pytest.fixture
def place(tmp_path):
    """A directory with rows; whatever runs there at the end is ended."""
    write_rows(tmp_path)
    yield tmp_path
    with Desk(load_settings()) as desk:
        for card in desk.studies():
            if not card.over:
                desk.cancel(card.study)
    if (pid := dispatcher_pid(load_settings().home)) is not None:
        os.kill(pid, signal.SIGTERM)


def session(terminal, edits):
    """The whole session; `edits` are two changes of the plan."""
    terminal.until(PROMPT)
    terminal.say(REQUEST)
    terminal.until("waits for you", ASKS)
    for edit in edits:
        terminal.say(edit)
        terminal.until("Changed", ASKS)
    terminal.say("y")
    terminal.until("study 1 is approved", "Watching study 1", "loss")
    terminal.interrupt()
    terminal.until("Looked away", PROMPT)
    assert running() == "searching"
    terminal.say("/attach")
    terminal.until("Watching study 1", "loss")
    terminal.interrupt()
    terminal.until("Looked away", PROMPT)
    terminal.say("why that learning rate?")
    terminal.until("explain", "0.0005", PROMPT)
    terminal.say("cancel study 1")
    terminal.until("cancel", "stopping|cancelled", PROMPT)
    with Desk(load_settings()) as desk:
        assert desk.wait("1", timeout=60).state_words == "cancelled"
    terminal.say("resume study 1")
    terminal.until("resume", "queued|searching", PROMPT)
    terminal.leave()
    assert "tunewright chat --resume 1" in terminal.seen
    assert running() in ("queued, next", "searching", "starting")
    assert "Traceback" not in terminal.seen


def running():
    """What study 1 is at."""
    with Desk(load_settings()) as desk:
        return desk.status("1").state_words


def test_by_rules(place):
    """And the conversation can be taken up again, with one reply, from a script."""
    terminal = Terminal(place)
    session(terminal, ("use rank 4 instead", "make it 3 trials"))
    assert "the rules reader (no LLM) answers" in terminal.seen
    with Desk(load_settings()) as desk:
        plan = desk.study("1").plan
        assert (plan.spec.budget.trials, plan.spec.search.lora_rank) == (3, 4)
    again = Terminal(place, "--resume", "1", "how is it going?")
    again.until("Study 1")
    again.child.expect(pexpect.EOF)


def test_with_an_llm_behind_a_server(place, tmp_path):
    """It words, calls tools and streams; the approvals are the person's."""
    plan = [("plan_study", {"request": text}) for text in (REQUEST, "use rank 4 instead", "make it 3 trials")]
    steps = [
        step
        for name, arguments in plan
        for step in (
            {"text": "I will plan that.", "calls": [{"name": name, "arguments": arguments}], "pause": 0.02},
            {"calls": [{"name": "start_study", "arguments": {"plan_hash": "$plan_hash"}}]},
        )
    ]
    steps += [
        {"calls": [{"name": "explain_trial", "arguments": {"study": "1", "parameter": "learning_rate"}}]},
        {"text": "It runs with 0.0005, the default, which is where every search begins."},
        {"calls": [{"name": "cancel_study", "arguments": {"study": "1"}}]},
        {"text": "It is $state_words."},
        {"calls": [{"name": "resume_study", "arguments": {"study": "1"}}]},
        {"text": "It is $state_words again."},
    ]
    reader = [
        claims(
            ("intent", "classify", "train"),
            ("task", "classify", "classification"),
            ("data.train", "tickets.csv", "tickets.csv"),
            ("base_model", "MiniLM", "MiniLM"),
            ("budget.trials", "2 trials", "2"),
            ("search.epochs", "40 epochs", "40"),
        ),
        claims(("search.lora_rank", "rank 4", "4")),
        claims(("budget.trials", "3 trials", "3")),
    ]
    answers = {"text": '{"priors": {}, "proposals": []}'}  # what the search asks meanwhile; it does without
    with serve(tmp_path, *steps, without_tools=[*reader, answers]) as served:
        terminal = Terminal(place, "--llm", f"{served.base_url}#fake")
        session(terminal, ("use rank 4 instead", "make it 3 trials"))
        assert "where every search begins" in terminal.seen
        with Desk(load_settings()) as desk:
            assert desk.study("1").plan.spec.budget.trials == 3
            assert {call["prompt_name"] for call in desk.store.llm_calls()} >= {"chat_system"}

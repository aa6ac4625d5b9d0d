"""A desk with rows to learn from, a finished study that was never trained, and an LLM that follows a script."""

import json
import shutil
from contextlib import ExitStack

import pytest

from agent.desk.chat.conversation import Conversation
from agent.desk.desk import Desk
from agent.settings import load_settings
from agent.study.lock import owning
from tests.fakes.openai_server import serve

REQUEST = "classify tickets.csv with MiniLM, 3 trials, 1 epoch"


@pytest.fixture
def desk(tmp_path, rows, request):
    """A desk over a home of its own, in a directory with rows; nobody works off its queue."""
    if "finished" in request.fixturenames:
        shutil.copytree(request.getfixturevalue("finished_home"), tmp_path / "home")
    with Desk(load_settings()) as opened, owning(opened.settings.home / "queue"):
        yield opened


@pytest.fixture
def finished(desk):
    """The id of the study in `finished_home`, of which this test has a copy."""
    return "1"


class Talk:
    """A conversation with what happened in it at hand."""

    def __init__(self, conversation):
        self.conversation = conversation
        self.happened = []

    def say(self, text):
        """Say it; the reply that stands at the end of the turn."""
        return self._taken(self.conversation.say(text))

    def approve(self):
        """Say yes to the plan that waits."""
        return self._taken(self.conversation.approve(self.conversation.pending.plan_hash))

    def do(self, tool, **arguments):
        """Call a tool by command."""
        return self._taken(self.conversation.do(tool, **arguments))

    def _taken(self, happenings):
        self.happened = list(happenings)
        reply = []
        for happening in self.happened:
            if happening.kind == "retracted":
                reply.clear()
            if happening.kind == "text":
                reply.append(happening.text)
        return "".join(reply)

    @property
    def kinds(self):
        """What happened in the last turn, in order."""
        return [happening.kind for happening in self.happened]

    @property
    def tools(self):
        """(name, whether it worked) of the last turn's tool calls."""
        return [(h.name, h.ok) for h in self.happened if h.kind == "tool_done"]

    def result(self, tool):
        """The result of the last call of a tool in the last turn."""
        return [h.result for h in self.happened if h.kind == "tool_done" and h.name == tool][-1]


@pytest.fixture
def talk(desk):
    """A new conversation that the rules answer."""
    return Talk(Conversation(desk))


@pytest.fixture
def scripted(desk, tmp_path):
    """`scripted(step, ...)`: a conversation with an LLM server that follows these steps."""
    with ExitStack() as stack:

        def start(*steps, reader=None, kind=Conversation):
            without_tools = None if reader is None else list(reader)
            served = stack.enter_context(serve(tmp_path, *steps, without_tools=without_tools))
            opened = Talk(kind(desk, llm=f"{served.base_url}#fake"))
            opened.served = served
            return opened

        yield start


def claims(*triples):
    """A reply of the LLM that reads requests: (field, quote, value) each."""
    found = [{"field": f, "quote": q, "value": v, "stated": True} for f, q, v in triples]
    reading = {"thinking": "", "claims": found, "refusal": None, "questions": [], "ignored": []}
    return {"text": json.dumps(reading)}


READ_REQUEST = claims(
    ("intent", "classify", "train"),
    ("task", "classify", "classification"),
    ("data.train", "tickets.csv", "tickets.csv"),
    ("budget.trials", "3 trials", "3"),
    ("search.epochs", "1 epoch", "1"),
)

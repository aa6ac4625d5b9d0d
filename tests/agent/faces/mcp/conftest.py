"""A desk with data, a home with a finished study, and the official client as a plain function."""

import json

import anyio
import pytest
from mcp import Client

from agent.desk.desk import Desk
from agent.faces.mcp.server import DeskServer
from agent.faces.mcp.work import Work
from agent.report.write import write_report
from agent.settings import Settings, load_settings
from agent.study.lock import owning

REQUEST = "classify tickets.csv with MiniLM, 2 trials, 1 epoch"


class Talk:
    """Talks to a server: each call is a connection of its own, and `said` gathers the progress that was reported."""

    def __init__(self, server, **options):
        self.server, self.options, self.said = server, options, []

    def __call__(self, name, **arguments):
        """The result of one tool call."""
        return self.run(lambda client: self.call(client, name, **arguments))

    def error(self, name, **arguments):
        """The error of a call that fails, as its text tells it."""
        result = self(name, **arguments)
        assert result.is_error
        assert result.structured_content is None
        return json.loads(result.content[0].text)

    async def call(self, client, name, **arguments):
        """One tool call of an open connection."""

        async def note(progress, total, message):
            self.said.append(message)

        return await client.call_tool(name, arguments, progress_callback=note)

    def run(self, script):
        """What the coroutine `script(client)` returns."""

        async def connected():
            async with Client(self.server(), **self.options) as client:
                return await script(client)

        return anyio.run(connected)


@pytest.fixture
def desk(rows):
    """A desk over an empty home."""
    with Desk(load_settings(), face="mcp") as opened:
        yield opened


@pytest.fixture
def idle(desk):
    """Nobody takes up what is queued: the lock of the queue is held."""
    with owning(desk.settings.home / "queue"):
        yield


@pytest.fixture
def talk(desk):
    """The official client at a server over `desk`, without a transport between them."""
    return Talk(lambda: DeskServer(desk, Work()))


@pytest.fixture(scope="session")
def finished_home(tmp_path_factory, lab):
    """A home with study 1, done with its report; nothing was trained for it."""
    home = tmp_path_factory.mktemp("finished")
    with Desk(Settings(home=home, roots=(home,))) as desk:
        study = desk.store.create_study(lab.plan(trials=3)).study_id
        lab.run(desk.store, study, write_report=write_report)
    return home


@pytest.fixture
def finished(finished_home):
    """The official client at a server with a finished study."""
    with Desk(Settings(home=finished_home, roots=(finished_home,))) as desk:
        yield Talk(lambda: DeskServer(desk, Work()))

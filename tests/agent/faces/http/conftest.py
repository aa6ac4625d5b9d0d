"""The application over a desk of its own, in process; and a real server process for clients."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from agent.desk.desk import Desk
from agent.faces.http.access import Access
from agent.faces.http.app import build_app
from agent.faces.http.guard import Hosts
from agent.faces.http.service import Service
from agent.faces.http.status import Statuses
from agent.settings import load_settings
from tests.agent.conftest import write_rows

TOKEN = "t" * 43
PORT = 8321
HOST = f"127.0.0.1:{PORT}"


@pytest.fixture
def desk(rows):
    """A desk over an empty home, in a working directory with rows to learn from."""
    with Desk(load_settings(), face="http") as opened:
        yield opened


@pytest.fixture
def service(desk):
    """The server's parts; nobody works off the queue unless a test lets them."""
    from agent.study.lock import owning

    statuses = Statuses(desk.settings.database)
    with owning(desk.settings.home / "queue"):
        yield Service(desk, Access(TOKEN), statuses, f"http://{HOST}", cookie_name=f"tunewright_{PORT}")
    statuses.close()


@pytest.fixture
def client(service):
    """A client with the token."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    with TestClient(build_app(service, Hosts.of(PORT)), base_url=f"http://{HOST}", headers=headers) as opened:
        yield opened


@pytest.fixture
def stranger(service):
    """A client without anything."""
    with TestClient(build_app(service, Hosts.of(PORT)), base_url=f"http://{HOST}", follow_redirects=False) as opened:
        yield opened


@dataclass
class Running:
    """A server process."""

    process: subprocess.Popen
    home: Path
    url: str
    login: str

    @property
    def token(self):
        return (self.home / "server.token").read_text().strip()

    def openai(self, **options):
        """The official client of it."""
        from openai import OpenAI

        return OpenAI(base_url=f"{self.url}/v1", api_key=self.token, **({"max_retries": 0} | options))


@contextmanager
def serving(home: Path, cwd: Path, *options: str):
    """`tunewright serve` on a free port; killed at the end."""
    import json

    command = [sys.executable, "-P", "-m", "agent.faces.cli", "serve", "--port", "0", "--json", *options]
    environment = os.environ | {"TUNEWRIGHT_HOME": str(home)}
    with (cwd / "server.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=log)
        try:
            told = json.loads(process.stdout.readline() or b"{}")
            assert told, (cwd / "server.log").read_text()[-2000:]
            yield Running(process, home, told["url"], told["login"])
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


@contextmanager
def quiet_queue(home: Path):
    """Nobody works off the queue of `home` meanwhile."""
    from agent.study.lock import owning

    with owning(home / "queue"):
        yield


def until(condition, seconds=20.0):
    """Wait for something to become true; what it was then."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One server for the tests that do not end it; its queue is left alone."""
    cwd = tmp_path_factory.mktemp("served")
    write_rows(cwd)
    home = cwd / "home"
    home.mkdir()
    with quiet_queue(home), serving(home, cwd) as server:
        yield server

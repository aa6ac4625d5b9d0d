"""A real server process over streamable HTTP: who is let in, and the official client with the token."""

import os
import re
import signal
import stat
import subprocess
import sys

import anyio
import httpx
import httpx2
import pytest
from click.testing import CliRunner
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

from agent.faces.cli.commands import cli

JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
HELLO = (
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
    '"clientInfo":{"name":"by hand","version":"1"}}}'
)
REQUEST = "classify tickets.csv with MiniLM, 2 trials, 1 epoch"


@pytest.fixture
def server(rows, desk):
    """The URL of a server process, and its token."""
    command = [sys.executable, "-P", "-m", "agent.faces.cli", "mcp", "--http", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = re.search(r"http://\S+", process.stderr.readline()).group()
        for _ in range(2):
            process.stderr.readline()
        yield url, (desk.settings.home / "server.token").read_text().strip()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout.read() == ""


def test_only_those_who_may_are_let_in(server, desk):
    """Every verb: token, own name, own origin; the token file is its owner's alone."""
    url, token = server
    known = {"Authorization": f"Bearer {token}"}
    cases = [
        ({}, 401),
        ({"Authorization": f"Bearer {token[:-1]}x"}, 401),
        ({"Authorization": token}, 401),
        (known | {"Host": "evil.test"}, 403),
        (known | {"Host": "127.0.0.1:1"}, 403),
        (known | {"Origin": "http://evil.test"}, 403),
        (known | {"Origin": "null"}, 403),
    ]
    for verb in ("POST", "GET", "DELETE"):
        for headers, status in cases:
            found = httpx.request(verb, url, headers=JSON | headers, content=HELLO if verb == "POST" else None)
            assert found.status_code == status, (verb, headers)
            assert "error" in found.json()
    for path in ("/", "/healthz", "/mcp/", "/.well-known/oauth-protected-resource"):
        assert httpx.get(httpx.URL(url).copy_with(path=path)).status_code == 401
    refused = httpx.post(url, headers=JSON | known | {"Content-Type": "text/plain"}, content=HELLO)
    assert refused.status_code == 415
    large = httpx.post(url, headers=JSON | known, content="x" * (1024 * 1024 + 1))
    assert large.status_code == 413
    assert httpx.post(url, headers=JSON | known, content=HELLO).status_code == 200
    assert stat.S_IMODE((desk.settings.home / "server.token").stat().st_mode) == 0o600


@pytest.mark.parametrize("era", ["legacy", "auto"])
def test_the_official_client_with_the_token_does_it_all(server, desk, idle, era):
    """Plan, a wrong hash, the person's yes, poll, cancel, resume, the same study when asked again."""
    url, token = server
    shown = []

    async def person(context, params):
        shown.append(params.message)
        return ElicitResult(action="accept", content={"start": True})

    async def script():
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, mode=era, elicitation_callback=person) as client:
                return await _all(client)

    said = anyio.run(script)
    assert said == ["not_found", ("1", False), ("1", True), 0, "cancelled", "queued, next"]
    assert len(shown) == 1
    assert desk.store.submission(study_id="1").face == "mcp"


async def _all(client):
    async def ask(name, **arguments):
        result = await client.call_tool(name, arguments)
        return result.structured_content or result

    plan = await ask("plan_study", request=REQUEST)
    wrong = await ask("start_study", plan_hash="f" * 64)
    first, again = [await ask("start_study", plan_hash=plan["plan_hash"]) for _ in range(2)]
    page = await ask("study_events", study=first["study"])
    more = await ask("study_events", study=first["study"], after=page["after"])
    stopped, on = [await ask(name, study=first["study"]) for name in ("cancel_study", "resume_study")]
    return [
        re.search('"code":"([a-z_]+)"', wrong.content[0].text).group(1),
        *((s["study"], s["already"]) for s in (first, again)),
        len(more["events"]),
        stopped["state_words"],
        on["state_words"],
    ]


def test_other_machines_are_not_served_by_accident():
    """An address beyond loopback needs the names that the server may be called by."""
    done = CliRunner().invoke(cli, ["mcp", "--http", "--host", "0.0.0.0"])
    assert done.exit_code == 2
    assert "--allowed-host" in done.stderr


def test_a_token_that_could_be_guessed_is_refused(monkeypatch):
    """Also from the environment."""
    monkeypatch.setenv("TUNEWRIGHT_SERVER_TOKEN", "secret")
    done = CliRunner().invoke(cli, ["mcp", "--http", "--port", "0"])
    assert (done.exit_code, "32 characters" in done.stderr) == (2, True)
    assert os.environ["TUNEWRIGHT_SERVER_TOKEN"] not in done.stdout

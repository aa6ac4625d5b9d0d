"""A real server process over stdio, by the official client and by hand."""

import json
import os
import signal
import subprocess
import sys

import pytest
from mcp.client.stdio import StdioServerParameters

COMMAND = [sys.executable, "-P", "-m", "agent.faces.cli", "mcp"]
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "by hand", "version": "1"},
    },
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def request(number, name, **arguments):
    """A tool call as it goes over the wire."""
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": number}}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


@pytest.fixture
def by_hand(rows):
    """A server process whose lines are written and read here."""
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def tell(process, *messages):
    """Write messages, one a line."""
    for message in messages:
        process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


@pytest.fixture
def over_stdio(talk, rows):
    """The official client, which starts the server itself, in the directory of the rows."""
    command, *arguments = COMMAND
    server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ), cwd=rows.parent)
    talk.server = lambda: server
    return talk


def test_nothing_but_the_protocol_is_printed(by_hand):
    """Reading data, planning and failing print elsewhere; the process ends when its input does."""
    calls = [
        request(2, "profile_data", data="tickets.csv"),
        request(3, "plan_study", request="classify tickets.csv with MiniLM, 2 trials, 1 epoch"),
        request(4, "plan_study", request="classify stdlib:docstrings@300 with MiniLM, 1 trial"),
        request(5, "profile_data", data="nothing.csv"),
    ]
    tell(by_hand, HELLO, READY, *calls)
    answered = {}
    while set(answered) < {1, 2, 3, 4, 5}:
        message = json.loads(by_hand.stdout.readline())
        assert message["jsonrpc"] == "2.0"
        if "id" in message:
            answered[message["id"]] = message
        else:
            assert message["method"] == "notifications/progress"
    assert answered[1]["result"]["serverInfo"]["name"] == "tunewright"
    assert answered[4]["result"]["structuredContent"]["ready"]
    assert answered[5]["result"]["isError"]
    by_hand.stdin.close()
    assert by_hand.wait(20) == 0
    assert by_hand.stdout.read() == ""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once(by_hand, sign):
    """Though it waits for its input."""
    tell(by_hand, HELLO)
    by_hand.stdout.readline()
    by_hand.send_signal(sign)
    assert by_hand.wait(10) == 128 + sign


def test_a_client_that_starts_it_in_the_root_does_not_open_the_machine(tmp_path, over_stdio):
    """Some desktop clients do: then only the home directory may be read."""
    over_stdio.server().cwd = "/"
    error = over_stdio.error("profile_data", data=str(tmp_path / "tickets.csv"))
    assert error["code"] == "unsafe_path"


def test_the_official_client_plans_starts_polls_cancels_and_resumes(over_stdio, desk, idle):
    """In one connection to one process; the study is there for everybody else."""

    async def script(client):
        tools = {tool.name for tool in (await client.list_tools()).tools}
        plan = await over_stdio.call(
            client, "plan_study", request="classify tickets.csv with MiniLM, 2 trials, 1 epoch"
        )
        wrong = await over_stdio.call(client, "start_study", plan_hash="f" * 64)
        plan_hash = plan.structured_content["plan_hash"]
        started = await over_stdio.call(client, "start_study", plan_hash=plan_hash)
        again = await over_stdio.call(client, "start_study", plan_hash=plan_hash)
        study = started.structured_content["study"]
        events = await over_stdio.call(client, "study_events", study=study)
        more = await over_stdio.call(client, "study_events", study=study, after=events.structured_content["after"])
        words = [
            (await over_stdio.call(client, name, study=study)).structured_content["state_words"]
            for name in ("cancel_study", "resume_study")
        ]
        return tools, wrong, study, again.structured_content, more.structured_content["events"], words

    tools, wrong, study, again, more, words = over_stdio.run(script)
    assert {"plan_study", "start_study", "wait_study"} <= tools
    assert wrong.is_error
    assert (study, again["study"], again["already"], more) == ("1", "1", True, [])
    assert words == ["cancelled", "queued, next"]
    assert desk.status("1").request.startswith("classify tickets.csv")
    assert "planning, 0 s" in over_stdio.said

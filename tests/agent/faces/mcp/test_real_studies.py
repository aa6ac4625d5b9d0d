"""Real studies by MCP: three queued at once, a server killed meanwhile, a report read over stdio."""

import os
import re
import signal
import subprocess
import sys
from itertools import pairwise

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

REQUEST = "classify stdlib:docstrings@300 with MiniLM, 1 trial, 1 epoch"


@pytest.fixture
def killed(rows, desk):
    """Three studies queued by a server over HTTP that is killed with -9 while the first one runs; their ids."""
    command = [sys.executable, "-P", "-m", "agent.faces.cli", "mcp", "--http", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        url = re.search(r"http://\S+", process.stderr.readline()).group()
        process.stderr.readline()
        token = (desk.settings.home / "server.token").read_text().strip()
        ids = anyio.run(_queue_three, url, token)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    return ids


async def _queue_three(url, token):
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        plan = (await client.call_tool("plan_study", {"request": REQUEST})).structured_content["plan_hash"]
        ids = []
        for key in ("a", "b", "c"):
            told = await client.call_tool("start_study", {"plan_hash": plan, "idempotency_key": key})
            ids.append(told.structured_content["study"])
        while True:
            told = await client.call_tool("wait_study", {"study": ids[0], "timeout_seconds": 1})
            if told.structured_content["running"]:
                return ids


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_three_studies_run_in_order_though_the_server_is_killed(killed, talk, desk, rows):
    """Another server, over stdio, follows them to their ends; the report and the model can be had from there."""
    arguments = ["-P", "-m", "agent.faces.cli", "mcp"]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ), cwd=rows.parent)
    talk.server = lambda: server

    async def script(client):
        cards, seen, after = [], [], 0
        for study in killed:
            while (card := (await talk.call(client, "wait_study", study=study)).structured_content)["still_running"]:
                page = (await talk.call(client, "study_events", study=killed[0], after=after)).structured_content
                seen, after = [*seen, *page["events"]], page["after"]
            cards.append(card)
        report = await talk.call(client, "study_report", study=killed[0])
        read = await client.read_resource(report.structured_content["resources"][0])
        asked = {"study": killed[0], "prompt": "Return the logarithm of x."}
        while (answer := await talk.call(client, "ask_model", **asked)).is_error:
            assert "still_working" in answer.content[0].text
        return cards, seen, report.structured_content, read.contents[0].text, answer

    cards, seen, report, text, answer = talk.run(script)
    assert [card["state"] for card in cards] == ["DONE"] * 3
    times = [(card["started_at"], card["finished_at"]) for card in cards]
    assert times == sorted(times)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(times))
    assert [e["seq"] for e in seen] == sorted({e["seq"] for e in seen})
    attempts = [a["trial_id"] for a in desk.store.attempts(killed[0]) if a["state"] == "COMPLETE"]
    assert len(attempts) == len(set(attempts)) > 0
    assert report["result"]["test_rows"] > 0
    assert text.startswith(f"# tunewright study {killed[0]}")
    assert answer.structured_content["probabilities"]

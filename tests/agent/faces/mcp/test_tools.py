"""What the tools say of themselves, and how they refuse."""

import json

import pytest

from agent.desk.tools import VERBS
from agent.faces.mcp.served import Ctx
from agent.faces.mcp.server import DeskServer
from agent.faces.mcp.work import Work

SPEND = {"start_study", "resume_study"}
CHANGE = SPEND | {"pause_study", "cancel_study", "export_study"}


@pytest.fixture
def tools(talk):
    """The list of tools, by name."""

    async def listed(client):
        return {tool.name: tool for tool in (await client.list_tools()).tools}

    return talk.run(listed)


def test_every_tool_says_what_it_does_to_the_world(tools):
    """All four hints are set; only what starts, stops or goes on with a study is no mere look."""
    assert list(tools) == [verb.name for verb in VERBS]
    for name, tool in tools.items():
        hints = tool.annotations
        assert hints.read_only_hint == (name not in CHANGE), name
        assert hints.destructive_hint == (name == "cancel_study"), name
        assert (hints.idempotent_hint, hints.open_world_hint) in ((True, True), (True, False)), name
        assert tool.title
        assert ("SPENDS GPU OR CPU HOURS" in tool.description) == (name in SPEND), name


def test_no_tool_takes_a_secret_or_deletes(tools):
    """The arguments are these and no others; `out` is a new directory, confined as every path is."""
    names = {name for tool in tools.values() for name in tool.input_schema["properties"]}
    assert names == {
        *("request", "data", "task", "trials", "seconds", "answers", "plan_hash", "text", "idempotency_key"),
        *("study", "trial", "left", "right", "after", "limit", "progress", "timeout_seconds", "prompt"),
        *("max_new_tokens", "parameter", "metric", "max_rows", "out", "merge"),
    }


def test_results_have_schemas_and_arguments_are_closed(tools):
    """A study's reply always holds its budget."""
    for name, tool in tools.items():
        assert tool.input_schema["additionalProperties"] is False, name
        assert tool.output_schema["type"] == "object", name
        if name not in ("profile_data", "plan_study", "edit_plan", "show_plan", "list_studies", "study_budget"):
            assert "budget" in tool.output_schema["required"], name


def test_the_list_of_tools_fits_a_context(tools):
    """Names, descriptions and arguments of all tools: some three thousand tokens."""
    told = [(t.name, t.description, t.input_schema) for t in tools.values()]
    assert len(json.dumps(told)) < 12_000


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("plan_study", {"request": "x", "trails": 3}, {"code": "bad_input", "param": "trails"}),
        ("plan_study", {"request": ""}, {"code": "bad_input", "param": "request"}),
        ("plan_study", {}, {"code": "bad_input", "param": "request"}),
        ("study_events", {"limit": 201}, {"code": "bad_input", "param": "limit"}),
        ("wait_study", {"timeout_seconds": 51}, {"code": "bad_input", "param": "timeout_seconds"}),
        ("study_status", {"study": ["1"]}, {"code": "bad_input", "param": "study"}),
        ("study_status", {"study": 7}, {"code": "not_found", "param": "study"}),
        ("study_status", {}, {"code": "bad_input", "param": "study"}),
        ("cancel_study", {"study": "1; DROP TABLE studies"}, {"code": "not_found", "param": "study"}),
        ("cancel_study", {}, {"code": "bad_input", "param": "study"}),
        ("cancel_study", {"study": None}, {"code": "bad_input", "param": "study"}),
        ("delete_study", {"study": "1"}, {"code": "not_found", "param": "name"}),
    ],
)
def test_a_refusal_names_code_argument_and_next_step(talk, name, arguments, error):
    """As one JSON object with always the same keys."""
    told = talk.error(name, **arguments)
    assert {key: told[key] for key in error} == error
    assert list(told) == ["code", "message", "param", "hint", "retryable"]
    assert told["message"]
    assert told["hint"]
    assert "pydantic" not in json.dumps(told)


def test_what_nobody_expected_tells_nothing_of_itself(desk, talk, caplog):
    """The log has it, the client does not."""
    secret = "a secret of the process"
    server = DeskServer(desk, Work())

    def broken(ctx: Ctx) -> str:
        raise RuntimeError(secret)

    server.add_tool(broken)
    talk.server = lambda: server
    told = talk.error("broken")
    assert told["code"] == "internal_error"
    assert secret not in json.dumps(told)
    assert secret in caplog.text


def test_instructions_name_the_directories_that_data_may_lie_in(talk, rows):
    """And that hours are spent only with the person's agreement."""

    async def instructions(client):
        return client.instructions

    told = talk.run(instructions)
    assert str(rows.parent) in told
    assert "never without the person's agreement" in told


def test_prompts_lead_through_plan_approval_and_report(talk):
    """With the person's words in them."""

    async def prompts(client):
        listed = (await client.list_prompts()).prompts
        tune = await client.get_prompt("tune_model", {"goal": "classify {{ 7 * 7 }}", "data": "a.csv"})
        explain = await client.get_prompt("explain_study", {})
        return [p.name for p in listed], tune.messages[0].content.text, explain.messages[0].content.text

    names, tune, explain = talk.run(prompts)
    assert names == ["tune_model", "explain_study"]
    assert "classify {{ 7 * 7 }}" in tune  # words are data of the template, not part of it
    assert "Training data: a.csv" in tune
    assert tune.index("plan_study") < tune.index("Only when I agree") < tune.index("study_report")
    assert "the latest tunewright study" in explain

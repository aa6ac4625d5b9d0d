"""Every verb is in every face, and so is one that a program adds: one list is all there is.

For the routes of HTTP the same is in `http/test_verbs.py`.
"""

import json

import anyio
import pytest
from mcp import Client

from agent import Tunewright
from agent.desk.cards import Problem
from agent.desk.chat.conversation import Conversation
from agent.desk.chat.toolbox import tools_of
from agent.desk.desk import Desk
from agent.desk.tools import VERBS, Effect, verb_of
from agent.desk.words import words_of
from agent.errors import InputError
from agent.faces.cli.call import call_verb, list_verbs
from agent.faces.mcp.server import DeskServer
from agent.faces.mcp.work import Work
from agent.settings import load_settings
from trainers.spec import Closed


class Greeting(Closed):
    """What `greet` gives."""

    greeting: str


def greet(desk: Desk, name: str) -> Greeting:
    """Say hello to somebody by their name, in the words of this test."""
    return Greeting(greeting=f"Hello {name} of {desk.settings.llm}")


@words_of.register
def greeting_text(card: Greeting) -> str:
    """Its words."""
    return f"**{card.greeting}**"


WITH_TOY = (*VERBS, verb_of(greet, "Greet somebody", Effect.LOOKS))


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A desk over an empty home."""
    monkeypatch.chdir(tmp_path)
    with Desk(load_settings()) as opened:
        yield opened


@pytest.fixture
def mcp(desk):
    """`mcp(script)`: what `script(client)` returns, of a client at a server with the toy verb."""

    def run(script):
        async def connected():
            async with Client(DeskServer(desk, Work(), WITH_TOY)) as client:
                return await script(client)

        return anyio.run(connected)

    return run


def test_every_verb_is_a_tool_of_the_mcp_server(mcp):
    """By its name, with its arguments and its words."""

    async def tools(client):
        return (await client.list_tools()).tools

    found = {tool.name: tool for tool in mcp(tools)}
    assert list(found) == [verb.name for verb in WITH_TOY]
    for verb in WITH_TOY:
        assert list(found[verb.name].input_schema["properties"]) == list(verb.arguments.model_fields)
        assert found[verb.name].description == verb.doc
        assert set(found[verb.name].output_schema["properties"]) >= set(verb.card.model_fields)


def test_every_verb_is_a_tool_of_the_chat():
    """Whose arguments are those of the verb, but for the plan that a conversation has anyway."""
    tools = {tool.name: tool for tool in tools_of(WITH_TOY)}
    assert list(tools) == [verb.name for verb in WITH_TOY]
    for verb in WITH_TOY:
        assert set(tools[verb.name].takes.model_fields) <= set(verb.arguments.model_fields)


@pytest.mark.parametrize("name", [verb.name for verb in VERBS])
def test_every_verb_can_be_called_from_python(desk, name):
    """A wrong argument is named."""
    with Tunewright(desk.settings.home) as tw, pytest.raises(InputError) as error:
        tw.call(name, nonsense=1)
    assert error.value.param == "nonsense"


def test_a_verb_of_ones_own_works_in_every_face(desk, mcp):
    """With its words where words are shown, with its card where a program asks."""

    async def called(client):
        return await client.call_tool("greet", {"name": "Ada"})

    told = mcp(called)
    assert (told.structured_content, told.content[0].text) == (
        {"greeting": "Hello Ada of embedded"},
        "**Hello Ada of embedded**",
    )
    happened = list(Conversation(desk, verbs=WITH_TOY).do("greet", name="Ada"))
    [result] = [h.result for h in happened if h.kind == "tool_done"]
    [reply] = [h.text for h in happened if h.kind == "text"]
    assert (result, reply) == ({"greeting": "Hello Ada of embedded"}, "**Hello Ada of embedded**")
    with Tunewright(desk.settings.home, verbs=WITH_TOY) as tw:
        assert tw.call("greet", name="Ada") == Greeting(greeting="Hello Ada of embedded")


def test_without_it_the_verb_is_not_there(desk):
    """No list but the one that a face was given."""
    happened = list(Conversation(desk).do("greet", name="Ada"))
    [done] = [h for h in happened if h.kind == "tool_done"]
    assert (done.ok, Problem.model_validate(done.result).code) == (False, "not_found")


def test_every_verb_is_called_from_the_command_line(desk, capsys):
    """`tunewright call` lists it with its arguments, and shows its words or its card."""
    list_verbs(as_json=True, verbs=WITH_TOY)
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["name"] for entry in entries] == [verb.name for verb in WITH_TOY]
    for as_json in (False, True):
        call_verb("greet", ["name=Ada"], desk.settings, as_json, WITH_TOY)
    assert capsys.readouterr().out.split("\n")[0].strip() == "Hello Ada of embedded"

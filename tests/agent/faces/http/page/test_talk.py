"""A reply as it grows: what happens becomes its parts, in order."""

import pytest

from agent.desk.chat.happenings import Retracted, Said, ToolDone, ToolStarted
from agent.desk.tools import VERBS
from agent.faces.http.page.look import TABLES
from agent.faces.http.page.render import render
from agent.faces.http.page.talk import Bubble, Tool, take


def grown(*happenings):
    """A reply after these."""
    bubble = Bubble("reply")
    for happening in happenings:
        take(bubble, happening)
    return bubble


def answer(call, ok=True):
    """A tool's answer."""
    result = {"study": "1"} if ok else {"message": "no such study", "hint": "List them."}
    return ToolDone(call_id=call, name="study_status", ok=ok, summary="study 1", result=result, seconds=0.2)


def test_pieces_of_text_are_one_text_until_a_tool_is_called():
    """Markdown may go on from one piece to the next."""
    start = ToolStarted(call_id="a", name="study_status", arguments={})
    parts = grown(Said(text="**bo"), Said(text="th**"), start, Said(text="after")).parts
    assert [part if isinstance(part, str) else part.call_id for part in parts] == ["**both**", "a", "after"]


def test_what_does_not_hold_is_forgotten_and_the_calls_stay():
    """A retracted text is gone; what tools did was done."""
    start = ToolStarted(call_id="a", name="study_status", arguments={})
    parts = grown(Said(text="wrong"), start, answer("a"), Retracted(why="figures"), Said(text="right")).parts
    assert [part if isinstance(part, str) else part.result for part in parts] == [{"study": "1"}, "right"]


def test_an_answer_finds_its_call_or_makes_one():
    """Also where two calls of a tool are under way."""
    starts = [ToolStarted(call_id=c, name="study_status", arguments={"study": c}) for c in "ab"]
    first, second, third = grown(*starts, answer("b"), answer("c", ok=False)).parts
    assert isinstance(first, Tool)
    assert first.result is None
    assert (second.arguments, second.result) == ({"study": "b"}, {"study": "1"})
    assert not third.ok


def test_a_call_says_how_it_went():
    """Under way, done, not done, or interrupted where the reply is over."""
    bubble = grown(ToolStarted(call_id="a", name="study_status", arguments={}), answer("b"), answer("c", ok=False))
    growing, over = (render("reply.html", bubble=bubble, growing=growing) for growing in (True, False))
    for text in ("Looked at the study", "Looking at the study did not work", "no such study", "List them."):
        assert text in growing
    assert "interrupted" not in growing
    assert "Looking at the study was interrupted" in " ".join(over.split())


def test_every_verb_of_a_conversation_has_its_words():
    """Under way and done; a verb that is new or has another name is not told by its name."""
    assert set(TABLES.tools) == {verb.name for verb in VERBS}


COMPACT = {"ready": False, "understood": {"task": {"value": "classification", "origin": "“classify”"}, "trials": 3}}


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({"problem": {"code": "x", "message": "no such file"}}, "no such file"),
        ({"questions": [{"field": "task", "question": "Which task?"}]}, "Which task?"),
        ({"changed": {"trials": {"value": "5", "origin": "3"}}}, "<del>3</del>"),
        ({"searched": "eight hyperparameters"}, "eight hyperparameters"),
    ],
)
def test_a_plan_within_a_tools_result_is_shown_however_short_it_is(more, shown):
    """Results leave out what is empty; one that makes no card is shown by names and values."""
    tool = Tool("a", "plan_study", {}, True, "plan open", COMPACT | more)
    html = render("reply.html", bubble=Bubble("reply", [tool]), growing=False)
    assert shown in html
    assert "classification" in html

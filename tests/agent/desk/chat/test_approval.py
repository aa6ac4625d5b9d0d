"""Only a person's yes to the very plan that was shown starts a study."""

import pytest

from agent.desk.chat.conversation import Conversation
from agent.errors import InputError
from tests.agent.desk.chat.conftest import REQUEST, Talk


@pytest.fixture
def asked(talk):
    """A conversation in which a plan waits."""
    talk.say(REQUEST)
    return talk


@pytest.mark.parametrize("given", ["", "0" * 64, "' OR 1=1", "%", "abc"])
def test_another_hash_is_refused_at_once(asked, given, desk):
    """Approving and declining; before anything happens, so that a server can answer 400."""
    for act in (asked.conversation.approve, asked.conversation.decline):
        with pytest.raises(InputError, match="waits for approval"):
            act(given)
    assert desk.studies() == []


def test_a_prefix_of_eight_will_do(asked, desk):
    """As everywhere."""
    list(asked.conversation.approve(asked.conversation.pending.plan_hash[:8]))
    assert len(desk.studies()) == 1


def test_a_plan_that_was_edited_cannot_be_approved_any_more(asked, desk):
    """Only the last one waits."""
    first = asked.conversation.pending.plan_hash
    asked.say("make it 2 trials")
    with pytest.raises(InputError, match="waits for approval"):
        asked.conversation.approve(first)
    assert desk.studies() == []


def test_a_yes_twice_is_one_study(asked, desk):
    """From two windows at once: the second finds the first's study, or that nothing waits."""
    plan_hash = asked.conversation.pending.plan_hash
    other = Conversation(desk, asked.conversation.conversation_id)
    first, second = asked.conversation.approve(plan_hash), other.approve(plan_hash)
    started = [h.study.study for turn in (first, second) for h in turn if h.kind == "study_started"]
    assert set(started) == {"1"}
    assert len(desk.studies()) == 1
    with pytest.raises(InputError, match="no plan waits"):
        asked.conversation.approve(plan_hash)


def test_the_same_plan_can_be_started_again_by_asking_again(asked, desk):
    """A new question, a new study."""
    asked.say("yes")
    asked.say(REQUEST)
    asked.say("yes")
    assert len(desk.studies()) == 2


def test_a_bare_yes_to_something_later_starts_nothing(asked, desk):
    """It is asked again; saying what starts, or the yes to that, does."""
    asked.say("what's in tickets.csv?")
    assert "Do you mean that plan" in asked.say("yes")
    assert "approval" in asked.kinds
    assert desk.studies() == []
    asked.say("yes")
    assert len(desk.studies()) == 1


def test_start_it_says_what_starts(asked, desk):
    """Also after something else was asked."""
    asked.say("what's in tickets.csv?")
    asked.say("start it")
    assert len(desk.studies()) == 1


def test_data_changed_meanwhile_start_nothing(asked, desk, tmp_path):
    """The plan is another one by now; the conversation says so and goes on."""
    with (tmp_path / "tickets.csv").open("a") as file:
        file.write("one more refund,refund\n")
    assert "was not started" in asked.say("yes")
    assert asked.happened[-1].problem.code == "needs_answer"
    assert desk.studies() == []
    asked.say("start it")
    assert asked.conversation.pending is not None


def test_commands_of_the_person_bind_to_the_same(asked, desk):
    """start_study by command only asks, and only for the current plan."""
    assert "not the hash" in asked.do("start_study", plan_hash="f" * 64)
    assert desk.studies() == []


def test_conversations_do_not_share_what_waits(asked, desk):
    """A yes in another one starts nothing."""
    other = Talk(Conversation(desk))
    assert "Nothing waits" in other.say("yes")
    with pytest.raises(InputError, match="no plan waits"):
        other.conversation.approve(asked.conversation.pending.plan_hash)
    assert desk.studies() == []

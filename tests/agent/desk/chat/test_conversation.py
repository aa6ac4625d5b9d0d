"""A conversation by rules: plans, edits, answers, questions about a study, and what it remembers."""

import pytest

from agent.desk.chat.conversation import Conversation
from agent.desk.chat.figures import Known
from agent.desk.desk import Desk
from agent.errors import InputError
from tests.agent.desk.chat.conftest import REQUEST, Talk


def test_a_request_is_planned_and_put_up_for_approval(talk, desk):
    """Nothing starts; the card carries the hash to approve."""
    reply = talk.say(REQUEST)
    assert talk.kinds == ["tool_started", "tool_done"] * 2 + ["approval", "text", "text", "done"]
    assert talk.tools == [("plan_study", True), ("start_study", True)]
    assert talk.conversation.pending.trials == 3
    assert talk.conversation.pending.plan_hash[:12] in reply
    assert desk.studies() == []


def test_edits_follow_each_other(talk):
    """Each stands on the one before; the last plan is the one that waits."""
    talk.say(REQUEST)
    hashes = [talk.conversation.pending.plan_hash]
    for edit, changed in (
        ("use rank 32 instead", {"search.lora_rank"}),
        ("make it 20 trials", {"budget.trials"}),
        ("at most 2 hours", {"budget.seconds"}),
        ("drop the time limit", {"budget.seconds"}),
    ):
        talk.say(edit)
        pending = talk.conversation.pending
        assert {line.name for line in pending.changed} == changed
        hashes.append(pending.plan_hash)
    assert pending.trials == 20
    assert any(line.value == "32" for line in pending.searched) or "rank 32" in pending.model_dump_json()
    assert len(set(hashes)) == 4  # without the limit it is the plan of before again
    assert hashes[-1] == hashes[-3]


def test_what_is_said_of_a_plan_is_in_its_result(talk):
    """Trials, times, what changed; a no while a study runs says that it goes on."""
    for text in (REQUEST, "use rank 32 instead", "at most 90 minutes", "make it 20 trials"):
        reply = talk.say(text)
        results = [h.result for h in talk.happened if h.kind == "tool_done"]
        assert Known.of(results).unknown(reply) == []
    talk.say("yes")
    talk.say("make it 2 trials")
    assert 'say "cancel study 1"' in talk.say("stop")


def test_an_open_question_is_asked_and_answered(talk, tmp_path):
    """First the question; the answer completes the plan."""
    (tmp_path / "notes.csv").write_text((tmp_path / "tickets.csv").read_text().replace("label", "team", 1))
    reply = talk.say("train on notes.csv, 2 trials")
    assert talk.conversation.pending is None
    assert "classification, sft or preference" in reply
    talk.say("classification")
    assert talk.conversation.pending.trials == 2


def test_a_yes_takes_what_was_suggested(talk):
    """Where the question has a suggestion."""
    reply = talk.say("classify the tickets")
    assert "say yes to take it" in reply
    talk.say("yes")
    assert talk.conversation.pending is not None


def test_yes_starts_the_plan_that_was_shown(talk, desk):
    """Queued, once; the conversation is about it from now on."""
    talk.say(REQUEST)
    plan_hash = talk.conversation.pending.plan_hash
    talk.say("yes")
    assert "study_started" in talk.kinds
    assert [card.plan_hash for card in desk.studies()] == [plan_hash]
    assert desk.store.submission(study_id="1").face == "chat"
    assert talk.conversation.pending is None
    assert "**Study 1** is queued" in talk.say("how is it going?")
    assert "Nothing waits" in talk.say("yes")
    assert len(desk.studies()) == 1


def test_no_starts_nothing_and_start_it_asks_again(talk, desk):
    """A plan that was turned down can be put up again."""
    talk.say(REQUEST)
    talk.say("no")
    assert talk.conversation.pending is None
    talk.say("start it")
    assert talk.conversation.pending is not None
    assert desk.studies() == []


def test_an_edit_after_the_start_is_a_new_study(talk, desk):
    """The first stays as it is."""
    talk.say(REQUEST)
    talk.say("yes")
    assert "new study; study 1 stays as it is" in talk.say("use rank 4 instead")
    talk.say("yes")
    assert [card.study for card in desk.studies()] == ["2", "1"]


def test_an_edit_of_a_study_of_another_conversation(talk, finished, desk):
    """Its configuration is taken over and edited; here its data are gone, which is said."""
    talk.say(f"how is study {finished} doing?")
    reply = talk.say("use rank 4 instead")
    assert talk.tools[0] == ("edit_plan", True)
    assert "Which file" in reply
    assert talk.conversation.memory.draft.spec.search.lora_rank == 4


QUESTIONS = [
    ("how is it going?", "study_status", ["is done", "accuracy on", "test rows", "report.html"]),
    ("what happened?", "study_events", ["report is written", "times in UTC"]),
    ("why that learning rate?", "explain_trial", ["learning_rate is", "the default is", "tried so far"]),
    ("why trial 2?", "explain_trial", ["Trial 2", "proposed by random"]),
    ("is it better than the default?", "compare_trials", ["Basis: test rows", "difference"]),
    ("compare trial 1 and trial 2", "compare_trials", ["trial 1", "trial 2"]),
    ("what has it cost?", "study_budget", ["4 of 4 trials"]),
    ("list studies", "list_studies", ["| 1 | done | 4/4 |"]),
    ("what's in tickets.csv?", "profile_data", ["80 rows", "2 classes"]),
]


@pytest.mark.parametrize(("question", "tool", "told"), QUESTIONS)
def test_questions_are_answered_from_results_only(talk, finished, question, tool, told):
    """Every figure of the reply is in a result of its turn."""
    reply = talk.say(question)
    assert talk.tools == [(tool, True)]
    assert [part for part in told if part not in reply] == []
    results = [h.result for h in talk.happened if h.kind == "tool_done"]
    assert Known.of(results).unknown(reply.replace("sha256", "")) == []


@pytest.mark.parametrize("question", [q for q, _, _ in QUESTIONS[:7]] + ["go on", "stop", "export it", "ask it: hello"])
def test_without_a_study_there_is_a_hint(talk, question):
    """And no crash."""
    assert "there is no study yet" in talk.say(question) or "no study yet" in str(talk.happened)


def test_orders_of_the_person_are_carried_out(talk, desk, lab):
    """Cancel, resume, pause, by words."""
    study = desk.store.create_study(lab.plan()).study_id
    desk.store.enqueue(study)
    assert "cancelled" in talk.say("stop")
    assert "queued" in talk.say("go on")
    assert "paused" in talk.say("pause")
    assert desk.status(study).paused


def test_what_cannot_be_done_is_said(talk):
    """Refused jobs, unsafe paths, nonsense, data that are not there."""
    assert "fine-tunes language models" in talk.say("train an image classifier on cats/")
    assert "leaves the working directory" in talk.say("classify ../../etc/passwd.csv")
    assert "did not understand" in talk.say("colourless green ideas")
    assert "there is no" in talk.say("classify nothing.csv")
    assert talk.conversation.pending is None


def test_it_says_once_that_it_works_by_rules(talk):
    """In the first reply of a conversation."""
    assert "by rules here, without an LLM" in talk.say("hi")
    assert "by rules" not in talk.say("help")


def test_a_conversation_goes_on_in_another_process(talk, desk):
    """All that it knows is in the database: draft, plan that waits, study, title, turns."""
    talk.say(REQUEST)
    with Desk(desk.settings) as other:
        again = Talk(Conversation(other, talk.conversation.conversation_id))
        assert again.conversation.pending == talk.conversation.pending
        again.say("make it 2 trials")
        assert again.conversation.pending.trials == 2
    assert talk.conversation.pending.trials == 2  # the first one sees it as well
    [row] = [r for r in desk.store.conversations() if r.turns]
    assert row.title == REQUEST
    assert [t.role for t in talk.conversation.turns()][:4] == ["user", "tool", "tool", "assistant"]
    assert talk.conversation.turns()[1].data["arguments"]["request"] == REQUEST


def test_a_reply_that_is_given_up_is_kept_as_far_as_it_came(talk):
    """Closing the iterator ends the turn; the next one is whole."""
    happenings = talk.conversation.say(REQUEST)
    while next(happenings).kind != "tool_done":
        pass
    happenings.close()
    assert [t.role for t in talk.conversation.turns()] == ["user", "tool", "assistant"]
    assert "80 rows" in talk.say("what's in tickets.csv?")


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 20_001])
def test_nothing_and_too_much_are_refused(talk, text):
    """Before a turn is made of it."""
    with pytest.raises(InputError, match="characters"):
        talk.conversation.say(text)
    assert talk.conversation.turns() == []


@pytest.mark.parametrize("unknown", ["99", "x", "", "1; DROP TABLE turns"])
def test_unknown_conversations_are_refused(desk, unknown):
    """Whatever is given as an id."""
    with pytest.raises(InputError, match="no conversation"):
        Conversation(desk, unknown)


def test_a_bad_spelling_of_an_llm_is_refused_at_once(desk):
    """In the constructor and in a switch."""
    with pytest.raises(InputError, match="must be one of"):
        Conversation(desk, llm="nonsense")
    with pytest.raises(InputError, match="must be one of"):
        Conversation(desk).switch("nonsense")

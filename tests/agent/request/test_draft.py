"""Answers to a plan's questions."""

import pytest

from agent.request.draft import Draft, Question, Quote, answered
from trainers.errors import InputError
from trainers.spec import Range

ASKED = Draft(questions=(Question(field="search.beta", question="Which beta?"),))


@pytest.mark.parametrize(("reply", "value"), [("0.1", 0.1), ('{"low": 0.1, "high": 0.5}', Range(low=0.1, high=0.5))])
def test_an_answer_fills_a_field_that_nothing_was_known_of(reply, value):
    """Also a hyperparameter that has no value yet; the question is settled, and the reply is the user's words."""
    draft = answered(ASKED, "search.beta", reply)
    assert draft.spec.search.beta == value
    assert draft.questions == ()
    assert draft.quotes == (Quote(field="search.beta", quote=reply),)


@pytest.mark.parametrize("field", ["search", "search.betta", "nothing", ""])
def test_only_a_field_of_the_spec_can_be_answered(field):
    """A part of the spec is no field."""
    with pytest.raises(InputError, match="no field of a spec"):
        answered(ASKED, field, "1")


def test_a_reply_that_the_field_cannot_have_is_named():
    """The answer is asked for again."""
    with pytest.raises(InputError, match="'many' is no answer"):
        answered(ASKED, "budget.trials", "many")

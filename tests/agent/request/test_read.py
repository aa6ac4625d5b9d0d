"""One reader for requests, and nothing that the request does not say."""

import json
from typing import Any

import pytest

from agent.llm.planner import Planner
from agent.request.draft import Draft, DraftSpec, Quote
from agent.request.read import MAX_REQUEST_CHARS, read_request
from tests.fakes.scripted_chat import ScriptedChat
from trainers.errors import InputError


def read(request: str, *claims: tuple[str, str, str, bool], previous: Draft | None = None) -> Draft:
    """The draft of a scripted LLM's claims (field, quote, value, stated)."""
    keys = ("field", "quote", "value", "stated")
    form: dict[str, Any] = {"thinking": "", "refusal": None, "questions": [], "ignored": []}
    form["claims"] = [dict(zip(keys, claim, strict=True)) for claim in claims]
    return read_request(request, planner=Planner(ScriptedChat(json.dumps(form)), "fake"), previous=previous)


@pytest.mark.parametrize(
    ("request_text", "quote"), [("please do 8\ntrials", "8  Trials"), ("do “8” trials", '"8" trials')]
)
def test_quotes_are_found_whatever_case_spacing_and_quotation_marks(request_text, quote):
    """A model may tidy white space, case and curly quotes; the words are still the user's."""
    assert read(request_text, ("budget.trials", quote, "8", True)).spec.budget.trials == 8


def test_a_quote_that_is_not_in_the_request_takes_its_value_along():
    """An invented quote is an invented value: dropped, and said."""
    claims = ("budget.trials", "20 trials", "20", True), ("task", "classify", "classification", True)
    draft = read("classify a.csv", *claims)
    assert draft.spec.budget.trials is None
    assert draft.spec.task == "classification"
    assert [quote.field for quote in draft.quotes] == ["task"]
    assert any("budget.trials" in line for line in draft.ignored)


def test_a_value_without_a_quote_is_dropped():
    """Models fill in forms; what nobody said must not become the user's, nor an inference."""
    draft = read("classify a.csv", ("seed", "", "7", False), ("search.learning_rate", "", "1e-5..1e-3", True))
    assert draft.spec.seed is None
    assert draft.spec.search.learning_rate is None
    assert len(draft.ignored) == 2


def test_inferred_values_keep_their_reason():
    """What follows from other words is allowed if it says from which."""
    draft = read("ipo on a.jsonl", ("task", "ipo", "preference", False))
    assert draft.spec.task == "preference"
    assert draft.inferred == {"task": "follows from 'ipo'"}


def test_an_empty_quote_is_no_quote():
    """Every text contains the empty text."""
    assert read("classify", ("seed", " ", "3", True)).spec.seed is None


def test_an_edit_keeps_what_earlier_words_said():
    """In a second turn the values of the first need no words of the second; a change needs them."""
    before = Draft(
        spec=DraftSpec.model_validate({"budget": {"trials": 8}, "seed": 3}),
        quotes=(Quote(field="budget.trials", quote="8 trials"), Quote(field="seed", quote="seed 3")),
    )
    draft = read("use dora", ("seed", "seed 3", "4", True), previous=before)
    assert (draft.spec.budget.trials, draft.spec.seed) == (8, 3)
    assert any("seed 3" in line for line in draft.ignored)


@pytest.mark.parametrize("request_text", ["", "  \n", "x" * (MAX_REQUEST_CHARS + 1)])
def test_empty_and_oversized_requests_are_refused(request_text):
    """Rule, value and next step instead of a plan for nothing."""
    with pytest.raises(InputError) as caught:
        read_request(request_text)
    assert caught.value.hint


def test_without_a_planner_the_rules_read():
    """The embedded reader quotes the request."""
    draft = read_request("classify the tickets in tickets.csv, 8 trials")
    assert draft.spec.budget.trials == 8
    assert draft.spec.data.train == "tickets.csv"
    assert all(quote.quote in "classify the tickets in tickets.csv, 8 trials" for quote in draft.quotes)

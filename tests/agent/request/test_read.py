"""One reader for requests, and nothing that the request does not say."""

import pytest

from agent.request.draft import Draft, DraftSpec, Quote
from agent.request.read import MAX_REQUEST_CHARS, read_request, verified
from trainers.errors import InputError


def draft(quotes, inferred=None, **spec):
    return Draft(
        spec=DraftSpec.model_validate(spec),
        quotes=tuple(Quote(field=field, quote=quote) for field, quote in quotes.items()),
        inferred=inferred or {},
    )


def test_quotes_are_found_whatever_case_and_spacing():
    """A model may tidy white space and case; the words are still the user's."""
    read = draft({"budget.trials": "8  Trials"}, budget={"trials": 8})
    assert verified("please do 8\ntrials", read).spec.budget.trials == 8


def test_a_quote_that_is_not_in_the_request_takes_its_value_along():
    """An invented quote is an invented value: dropped, and said."""
    read = draft({"budget.trials": "20 trials", "task": "classify"}, task="classification", budget={"trials": 20})
    checked = verified("classify a.csv", read)
    assert checked.spec.budget.trials is None
    assert checked.spec.task == "classification"
    assert [quote.field for quote in checked.quotes] == ["task"]
    assert any("budget.trials" in line for line in checked.ignored)


def test_a_value_without_quote_or_reason_is_dropped():
    """Models fill in forms; what nobody said must not become the user's."""
    checked = verified("classify a.csv", draft({}, seed=7, search={"learning_rate": {"low": 1e-5, "high": 1e-3}}))
    assert checked.spec.seed is None
    assert checked.spec.search.learning_rate is None
    assert len(checked.ignored) == 2


def test_inferred_values_keep_their_reason():
    """What follows from other words is allowed if it says how."""
    read = draft({}, {"loss": "an ipo study"}, task="preference", loss="ipo")
    assert verified("ipo on a.jsonl", read).spec.loss == "ipo"


def test_an_empty_quote_is_no_quote():
    """Every text contains the empty text."""
    assert verified("classify", draft({"seed": " "}, seed=3)).spec.seed is None


def test_an_edit_keeps_what_earlier_words_said():
    """In a second turn the values of the first need no words of the second; changed ones do."""
    before = draft({"budget.trials": "8 trials", "seed": "seed 3"}, budget={"trials": 8}, seed=3)
    after = draft({"budget.trials": "8 trials", "seed": "seed 3"}, budget={"trials": 8}, seed=4)
    checked = verified("use dora", after, before)
    assert checked.spec.budget.trials == 8
    assert checked.spec.seed is None


@pytest.mark.parametrize("request_text", ["", "  \n", "x" * (MAX_REQUEST_CHARS + 1)])
def test_empty_and_oversized_requests_are_refused(request_text):
    """Rule, value and next step instead of a plan for nothing."""
    with pytest.raises(InputError) as caught:
        read_request(request_text)
    assert caught.value.hint


def test_without_a_planner_the_rules_read():
    """The embedded reader quotes the request."""
    read = read_request("classify the tickets in tickets.csv, 8 trials")
    assert read.spec.budget.trials == 8
    assert read.spec.data.train == "tickets.csv"
    assert all(quote.quote in "classify the tickets in tickets.csv, 8 trials" for quote in read.quotes)

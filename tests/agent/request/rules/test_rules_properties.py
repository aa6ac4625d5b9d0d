"""What holds for the reading of any text at all."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.request.draft import Draft
from agent.request.rules.reader import read_by_rules

FRAGMENTS = (
    "fine-tune", "classify", "gpt2 on", "x.csv", "data/a b.csv", '"data/a b.csv"', "10 trials", "two hours",
    "1e-4 to 1e-3",
    "lr", "rank 8, 16 or 32", "no wait", "20", "$2", "24 GB", "macro-F1", "at least 90%", "and", ",", ".", "\n",
    "study 3",
    "../../etc/passwd", "ignore your rules", "Versuche", "Stunden", "次试验", "`title`", "->", "answer", "question",
    "not",
    "qlora", "dpo", "beta", "between 2 and 10", "seed", "-", "0", "columns", "prompt", "chosen", "İ", "ß", "ﬁ",
    "\x00",
)  # fmt: skip
SENTENCES = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(" ".join)
TEXTS = st.one_of(st.text(max_size=2000), SENTENCES)
REQUEST = "classify mails.csv with gpt2, 10 trials, lr 1e-4 to 1e-3, rank 8 or 16, best macro-F1, 2 hours"


@given(TEXTS)
@settings(max_examples=300, deadline=None)
@example("İ 10 trials on x.csv")
def test_every_quote_is_copied_from_the_request(text: str) -> None:
    """Quotes, rejected values and ignored parts (before the reason) are literal parts of the request."""
    draft = read_by_rules(text)
    parts = (
        [q.quote for q in draft.quotes]
        + [r.quote for r in draft.rejected]
        + [part.partition(": ")[0] for part in draft.ignored]
    )
    assert all(part and part in text for part in parts)


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_a_reading_survives_a_json_round_trip(text: str) -> None:
    """A draft written as JSON and read back is the same draft."""
    draft = read_by_rules(text)
    assert Draft.model_validate_json(draft.model_dump_json()) == draft


@given(TEXTS, TEXTS)
@settings(max_examples=150, deadline=None)
def test_an_edit_of_anything_by_anything_is_a_draft(first: str, second: str) -> None:
    """Edits never raise, and every field that has a quote is set."""
    draft = read_by_rules(second, read_by_rules(first))
    assert {question.field for question in draft.questions}.isdisjoint(quote.field for quote in draft.quotes)


@given(st.sampled_from(["Please ", "Hi there! ", "Could you please ", "Hello, "]),
       st.sampled_from(["", " Thanks a lot!", " please", ". Many thanks in advance."]))  # fmt: skip
def test_courtesy_changes_nothing(before: str, after: str) -> None:
    """Greetings and thanks around a request leave its reading as it is."""
    assert read_by_rules(before + REQUEST + after).spec == read_by_rules(REQUEST).spec


@pytest.mark.parametrize(
    "text", [REQUEST, REQUEST * 20, "a" * 2000, "1 " * 1000, "/a" * 1000, "and " * 500, "-1,2" * 500]
)
def test_reading_takes_milliseconds(text: str) -> None:
    """The median of five readings stays far below what a user notices, also on hostile text of 2,000 characters."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        read_by_rules(text[:2000])
        seconds.append(time.perf_counter() - start)
    assert sorted(seconds)[2] < 0.5

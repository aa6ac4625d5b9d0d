"""The ledger: what a call costs, whatever comes of it."""

import pytest

from agent.llm.calls import Ledger, LlmCapReached, LlmCaps, Price
from prompts import Rendered

PROMPT = Rendered("role", "aa", "You answer.")


def ledger(**caps: float) -> Ledger:
    """A ledger of a model at a dollar per thousand tokens."""
    return Ledger("m", LlmCaps.model_validate(caps), Price(prompt=1000, completion=1000), secrets=("canary-1",))


def test_a_reply_costs_what_the_backend_says() -> None:
    """Tokens and dollars are booked; secrets stand in no record."""
    book = ledger()
    ticket = book.begin([PROMPT], "the key is canary-1", 100)
    call = book.settle(ticket, "canary-1", 10, 5)
    assert (call.prompt_tokens, call.completion_tokens, call.cost_usd) == (10, 5, pytest.approx(0.015))
    assert (call.prompt_name, call.prompt_sha256, call.text, call.reply) == (
        "role",
        "aa",
        "the key is [redacted]",
        "[redacted]",
    )
    assert (book.tokens_used, book.usd_used) == (15, pytest.approx(0.015))


@pytest.mark.parametrize("told", [None, -1])
def test_without_counts_both_sides_are_estimated(told: int | None) -> None:
    """A token every third character."""
    book = ledger()
    call = book.settle(book.begin([PROMPT], "x" * 30, 100, more_characters=60), "y" * 9, told, told)
    assert (call.prompt_tokens, call.completion_tokens) == (30, 3)


def test_a_prompt_that_was_read_is_paid_for_and_so_is_the_part_of_a_reply() -> None:
    """A call that never reached the server costs nothing."""
    book = ledger()
    lost = book.fail(book.begin([PROMPT], "x" * 30, 100), "timed out.", read=True, partial="y" * 9)
    assert (lost.prompt_tokens, lost.completion_tokens, lost.reply) == (10, 3, "y" * 9)
    assert lost.error == "timed out. Its prompt is counted as about 10 tokens."
    refused = book.fail(book.begin([PROMPT], "x" * 30, 100), "refused.", read=False)
    assert (refused.prompt_tokens, refused.cost_usd, refused.error) == (0, 0.0, "refused.")
    assert book.tokens_used == 13


def test_dense_prompts_make_estimates_more_careful() -> None:
    """A long table of numbers that took a token every other character."""
    book = ledger()
    book.settle(book.begin([PROMPT], "1" * 2000, 100), "", 1000, 0)
    assert book.begin([PROMPT], "1" * 2000, 100).call.prompt_tokens == 1000


def test_a_reply_gets_the_room_that_the_caps_leave() -> None:
    """Less than asked for, and with too little left no call at all."""
    book = ledger(tokens=1000)
    ticket = book.begin([PROMPT], "x" * 300, 5000)
    assert ticket.room == 900
    assert book.most(ticket) == (1000, pytest.approx(1.0))
    book.settle(ticket, "", 100, 800)
    assert book.tokens_left == 100
    with pytest.raises(LlmCapReached, match="900 of 1000 tokens"):
        book.begin([PROMPT], "x" * 300, 5000)

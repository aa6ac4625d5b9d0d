"""The language of the in-context model."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts import trial_words as words

unit = st.floats(0.0, 1.0)


def test_every_word_is_one_token() -> None:
    """Unique, without spaces, as many as the network has rows; each range begins where it says."""
    vocabulary = words.vocabulary()
    assert len(vocabulary) == len(set(vocabulary)) == words.SIZE == 3064
    assert not any(" " in word for word in vocabulary)
    assert vocabulary[:4] == ["<pad>", "<s>", "</s>", "fail"]
    assert vocabulary[words.FIRST_ROLE] == "unknown"
    assert vocabulary[words.FIRST_CENTRE] == "m00"
    assert vocabulary[words.FIRST_SPREAD] == "s0"
    assert vocabulary[words.FIRST_VALUE] == "a000"
    assert vocabulary[words.FIRST_SCORE] == "=000"
    assert vocabulary[words.FIRST_TARGET] == "?000"
    assert vocabulary[-1] == "?099"


def said(tokens: list[int]) -> str:
    """The words of tokens."""
    return " ".join(words.vocabulary()[token] for token in tokens)


def test_a_history_reads_as_documented() -> None:
    """A header, a trial, a failure, and a target."""
    header = words.header_tokens(["learning_rate", "choice"], [0.3, 5.0], [0.17, 0.9])
    assert said(header) == "<s> learning_rate m11 s3 choice m30 s7"
    assert said(words.trial_tokens([0.205, 0.6], 0.665)) == "a041 b120 =332"
    assert said(words.trial_tokens([0.0, 1.0], None)) == "a000 b199 fail"
    assert said([words.target_token(0.665), *words.config_tokens([0.205, 0.6])]) == "?066 a041 b120"


@settings(deadline=None)
@given(row=st.lists(unit, min_size=1, max_size=words.MAX_COLUMNS), score=unit)
def test_a_trial_can_be_read_back(row: list[float], score: float) -> None:
    """Within the width of a bin, each value in the range of its own column."""
    *values, last = words.trial_tokens(row, score)
    assert len(values) == len(row)
    for j, (token, wanted) in enumerate(zip(values, row, strict=True)):
        column, place = divmod(token - words.FIRST_VALUE, words.VALUES)
        assert column == j
        assert (place + 0.5) / words.VALUES == pytest.approx(wanted, abs=0.5001 / words.VALUES)
    assert (last - words.FIRST_SCORE + 0.5) / words.SCORES == pytest.approx(score, abs=0.5001 / words.SCORES)
    assert words.FIRST_SCORE <= last < words.FIRST_TARGET


@settings(deadline=None)
@given(value=st.floats(-10.0, 10.0))
def test_what_is_outside_counts_as_the_end(value: float) -> None:
    """Values, scores and targets."""
    inside = min(max(value, 0.0), 1.0)
    assert words.value_bin(value) == words.value_bin(inside)
    assert words.score_bin(value) == words.score_bin(inside)
    assert words.FIRST_TARGET <= words.target_token(value) < words.SIZE
    assert words.target_token(value) == words.target_token(inside)


def test_an_unknown_role_is_refused() -> None:
    """It has no word."""
    with pytest.raises(ValueError, match="flux"):
        words.header_tokens(["flux"], [0.5], [0.1])

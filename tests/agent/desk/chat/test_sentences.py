"""Streams are cut into whole sentences."""

from hypothesis import given
from hypothesis import strategies as st

from agent.desk.chat.llm_engine import MAX_CHARACTERS, Sentences


def cut(text, size=3):
    """The sentences of a text that comes in pieces."""
    sentences = Sentences()
    found = [s for at in range(0, len(text), size) for s in sentences.feed(text[at : at + size])]
    return [*found, sentences.rest()]


@given(st.text(alphabet="ab1. !?\n`-", max_size=200), st.integers(1, 9))
def test_nothing_is_lost_or_added(text, size):
    """However the pieces fall."""
    assert "".join(cut(text, size)) == text


@given(st.text(alphabet="ab12. !?\n-", max_size=200), st.integers(1, 9))
def test_the_cuts_do_not_depend_on_the_pieces(text, size):
    """One character at a time gives the same as all at once."""
    assert [s for s in cut(text, size) if s] == [s for s in cut(text, 1000) if s]


def test_a_number_is_never_cut():
    """Its point is no full stop."""
    assert cut("It is 0.83 now. Then 1.5 min. e.g. 3 trials\n", 1) == [
        "It is 0.83 now. ",
        "Then 1.5 min. ",
        "e.g. 3 trials\n",
        "",
    ]


def test_lines_and_list_markers():
    """A line of a table is a piece; "1." opens one."""
    assert cut("| a | 1 |\n1. one\n2. two\n") == ["| a | 1 |\n", "1. one\n", "2. two\n", ""]


def test_code_is_not_cut():
    """What is between backticks stays whole."""
    assert cut("Say `a. b` now. Yes") == ["Say `a. b` now. ", "Yes"]


def test_a_sentence_without_an_end_is_cut_at_a_space():
    """So that a long one is shown at all."""
    found = cut("word " * 1000)
    assert max(map(len, found)) <= MAX_CHARACTERS + 5
    assert all(part.endswith(" ") for part in found if part)

"""The built-in data sets are there on every Python, in the same order each time."""

from collections import Counter

import pytest

from tools.data.stdlib_data import MAX_WORDS, MIN_WORDS, TOPICS, stdlib_rows
from trainers.errors import InputError


def test_docstrings_have_topics_and_distinct_texts() -> None:
    """Thousands of texts of five words or more, every topic but perhaps tkinter, no text twice."""
    rows = stdlib_rows("stdlib:docstrings")
    texts = [str(row["text"]) for row in rows]
    assert len(rows) > 3000
    assert set(TOPICS) - {"tkinter"} <= {row["label"] for row in rows} <= set(TOPICS)
    assert len({text.casefold() for text in texts}) == len(texts)
    assert all(MIN_WORDS <= len(text.split()) <= MAX_WORDS for text in texts)


def test_sample_is_stratified_and_has_the_size_asked_for() -> None:
    """@500 gives 500 rows with the topics' shares of the whole, the same ones each time."""
    whole, sample = stdlib_rows("stdlib:docstrings"), stdlib_rows("stdlib:docstrings@500")
    assert len(sample) == 500
    assert sample == stdlib_rows("stdlib:docstrings@500")
    assert sample != stdlib_rows("stdlib:docstrings@500", seed=1)
    expected = {label: 500 * n / len(whole) for label, n in Counter(row["label"] for row in whole).items()}
    counts = Counter(row["label"] for row in sample)
    assert all(abs(counts[label] - share) < 1 for label, share in expected.items())


def test_pairs_mismatch_every_docstring() -> None:
    """The rejected text is a real docstring, but never the definition's own."""
    rows = stdlib_rows("stdlib:docstrings-pairs@300")
    chosen = {row["chosen"] for row in rows}
    assert all(row["chosen"] != row["rejected"] for row in rows)
    assert {row["rejected"] for row in rows} == chosen
    assert all(str(row["prompt"]).startswith(("def ", "async def ", "class ")) for row in rows)


def test_sft_rows_go_from_signature_to_docstring() -> None:
    """A known function of the standard library is there."""
    rows = stdlib_rows("stdlib:docstrings-sft")
    assert any(str(row["prompt"]).startswith("def literal_eval(node_or_string)") for row in rows)
    assert set(rows[0]) == {"prompt", "completion"}


@pytest.mark.parametrize("name", ["stdlib:docs", "stdlib:", "stdlib:docstrings@", "stdlib:docstrings@0", "stdlib:docstrings@x", "stdlib:docstrings@-5", "stdlib:docstrings@²"])  # fmt: skip  # noqa: E501
def test_unknown_names_and_limits_are_refused(name: str) -> None:
    """A name or limit that is none is an InputError with the next step."""
    with pytest.raises(InputError) as caught:
        stdlib_rows(name)
    assert caught.value.hint

"""Duplicates: what counts as one, and that nothing else does."""

import random

from hypothesis import given
from hypothesis import strategies as st

from tools.data.duplicates import (
    MIN_WORDS,
    THRESHOLD,
    exact_twins,
    longest_shared_span,
    near_links,
    normalised,
    twins_across,
    whole_text,
    words,
)
from tools.data.tasks import TASKS
from trainers.spec import Task

LONG = "please tell me where my new bank card is because i have waited for two weeks"
SENTENCES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=14).map(" ".join)
NEARLY = st.tuples(st.integers(0, 13), st.sampled_from(["x", "y"])).map(
    lambda change: " ".join([*"abcdefghijklmn"[: change[0]], change[1], *"abcdefghijklmn"[change[0] :]])
)


def jaccard(a: str, b: str) -> float:
    """The index by its definition, on tuples of words."""
    left, right = ({tuple(w[i : i + 5]) for i in range(len(w) - 4)} for w in (words(a), words(b)))
    return len(left & right) / len(left | right)


def test_case_space_and_compatibility_forms_do_not_matter() -> None:
    """Exact duplicates are equal after NFKC, case folding and collapsing white space."""
    assert normalised("Ｗhere  is\nMY card") == normalised("where is my card ")


def test_operators_matter() -> None:
    """Sums that differ in the sign are different questions."""
    assert words(normalised("2 + 3")) != words(normalised("2 - 3"))
    assert normalised("What is 2+3?") != normalised("What is 2-3?")


def test_one_changed_word_in_a_long_text_is_a_near_duplicate() -> None:
    """A change at the end costs one shingle."""
    assert near_links([LONG, LONG + " now", "something else entirely with more than eight words in it"]) == [(0, 1)]


def test_short_texts_are_never_near_duplicates() -> None:
    """Below eight words only equality counts."""
    assert near_links(["where is my new card", "where is my new card please"]) == []


def test_question_quoted_in_a_training_document_is_found() -> None:
    """A train row that holds an evaluation row counts, however long it is."""
    document = "intro words " * 50 + LONG + " and so on" * 50
    twins = twins_across([normalised(document), "unrelated"], ["other text", LONG])
    assert (twins.exact, twins.near) == ({}, {0: 1})
    assert longest_shared_span(document, LONG) == len(LONG.split())


def test_chinese_text_is_compared_by_character() -> None:
    """Text without spaces has near duplicates too."""
    text = "我想知道我的新银行卡什么时候能寄到我家里"
    assert near_links([text, text + "吗"]) == [(0, 1)]


@given(st.lists(SENTENCES, max_size=30))
def test_every_exact_twin_equals_an_earlier_text(texts: list[str]) -> None:
    """No text is called a repeat without an equal one before it, and none with one is missed."""
    twins = exact_twins(texts)
    assert twins.keys() == {i for i, text in enumerate(texts) if text in texts[:i]}
    assert all(texts[i] == texts[j] and j < i for i, j in twins.items())


@given(st.lists(SENTENCES | NEARLY, max_size=30))
def test_near_links_are_exactly_the_pairs_above_the_threshold(texts: list[str]) -> None:
    """The index finds what comparing all pairs finds."""
    distinct = [i for i, text in enumerate(texts) if text not in texts[:i] and len(text.split()) >= MIN_WORDS]
    expected = {(i, j) for i in distinct for j in distinct if i < j and jaccard(texts[i], texts[j]) >= THRESHOLD}
    assert set(near_links(texts)) == expected


@given(st.lists(SENTENCES | NEARLY, max_size=15), st.lists(SENTENCES | NEARLY, max_size=15))
def test_every_twin_across_splits_is_one(train: list[str], judged: list[str]) -> None:
    """A train row is named only with an equal row, or one whose shingles it mostly holds; no equal row is missed."""
    twins = twins_across(train, judged)
    assert twins.exact.keys() == {i for i, text in enumerate(train) if text in judged}
    assert all(train[i] == judged[j] for i, j in twins.exact.items())
    for i, j in twins.near.items():
        a, b = ({tuple(t.split()[k : k + 5]) for k in range(len(t.split()) - 4)} for t in (train[i], judged[j]))
        assert len(a & b) >= THRESHOLD * len(b)


@given(SENTENCES, SENTENCES)
def test_longest_shared_span_is_the_longest_common_run(a: str, b: str) -> None:
    """It agrees with trying every run."""
    left, right = a.split(), f" {b} "
    runs = [n - i for i in range(len(left)) for n in range(i + 1, len(left) + 1) if f" {' '.join(left[i:n])} " in right]
    assert longest_shared_span(a, b) == max(runs, default=0)


def test_judged_text_is_the_prompt_unless_it_is_short() -> None:
    """A shared short prompt does not make two examples the same; a long one does."""
    long = {"prompt": LONG, "completion": "a"}
    short = {"prompt": "def close(self):", "completion": "a"}
    assert TASKS[Task.SFT].judged_text(long) == TASKS[Task.SFT].judged_text({**long, "completion": "b"})
    assert TASKS[Task.SFT].judged_text(short) != TASKS[Task.SFT].judged_text({**short, "completion": "b"})
    assert whole_text(long) != whole_text({**long, "completion": "b"})


def test_judged_text_of_a_conversation_is_what_the_user_says() -> None:
    """Conversations with the same questions are the same, whatever was answered."""
    turns = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "one"}]
    other = [turns[0], {"role": "assistant", "content": "two"}]
    assert TASKS[Task.SFT].judged_text({"messages": turns}) == TASKS[Task.SFT].judged_text({"messages": other})


def test_templated_rows_stay_affordable() -> None:
    """3,000 rows of one template, all near duplicates of each other, take no quadratic number of comparisons."""
    draw = random.Random(0)
    texts = [f"what will the weather be like tomorrow morning in the city of {draw.random()}" for _ in range(3000)]
    links = near_links(texts)
    assert len({j for _, j in links}) == 2999
    assert len(links) <= 3000 * 100

"""Metrics against hand computation, scikit-learn and their own laws."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from evals.metrics import answer_of, exact_match, rouge_l, score, sentence_bleu
from evals.spec import Item
from trainers.errors import InputError
from trainers.spec import Metric

CLASSES = st.sampled_from(["re", "json", "http", "email"])
PAIRS = st.lists(st.tuples(CLASSES, CLASSES), min_size=1, max_size=40)
TEXT = st.text(alphabet="ab cd", min_size=1, max_size=20).filter(str.strip)


def decisions(pairs: list[tuple[str, str]]) -> list[Item]:
    return [Item(reference=true, prediction=guess, value=float(true == guess)) for true, guess in pairs]


def texts(pairs: list[tuple[str, str]], value: float = 0.0) -> list[Item]:
    return [Item(reference=true, prediction=guess, value=value) for true, guess in pairs]


@given(PAIRS)
def test_classification_scores_agree_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    """F1 and accuracy equal scikit-learn's with its default of the classes that occur."""
    true, guess = zip(*pairs, strict=True)
    items = decisions(pairs)
    assert score(Metric.F1_MACRO, items) == pytest.approx(f1_score(true, guess, average="macro", zero_division=0))
    assert score(Metric.F1_WEIGHTED, items) == pytest.approx(f1_score(true, guess, average="weighted", zero_division=0))
    assert score(Metric.ACCURACY, items) == pytest.approx(accuracy_score(true, guess))


@given(PAIRS, st.randoms(use_true_random=False), st.sampled_from([Metric.F1_MACRO, Metric.ACCURACY, Metric.BLEU]))
def test_order_of_rows_does_not_matter(pairs: list[tuple[str, str]], random: Random, metric: Metric) -> None:
    """A score is a property of the multiset of rows."""
    shuffled = random.sample(pairs, len(pairs))
    assert score(metric, decisions(pairs)) == pytest.approx(score(metric, decisions(shuffled)))


@given(st.lists(CLASSES, min_size=1, max_size=30), st.sampled_from([Metric.F1_MACRO, Metric.F1_WEIGHTED]))
def test_perfect_classification_scores_one(true: list[str], metric: Metric) -> None:
    """Every prediction right gives F1 of exactly 1, whatever classes occur."""
    assert score(metric, decisions([(name, name) for name in true])) == 1.0


def test_perfect_text_scores_one() -> None:
    """Generated text equal to the reference gives BLEU and ROUGE-L of 1."""
    reference = "returns the number of bytes read from the socket"
    assert score(Metric.BLEU, texts([(reference, reference)] * 3)) == pytest.approx(1.0)
    assert rouge_l(reference, reference) == 1.0
    assert sentence_bleu(reference, reference) == pytest.approx(1.0)


def test_bleu_is_of_the_corpus_and_equals_sacrebleu() -> None:
    """BLEU of several rows is sacreBLEU's corpus score over 100, not the mean of sentence scores."""
    import sacrebleu

    pairs = [("the cat sat on the mat", "the cat sat on a mat"), ("read the whole file now", "read a whole file")]
    expected = sacrebleu.corpus_bleu([guess for _, guess in pairs], [[true for true, _ in pairs]]).score / 100
    assert score(Metric.BLEU, texts(pairs)) == pytest.approx(expected)
    assert expected != pytest.approx(sum(sentence_bleu(*pair) for pair in pairs) / 2)


def test_rouge_l_by_hand() -> None:
    """Longest common subsequence 3 of 4 reference and 6 generated words: P 1/2, R 3/4, F 0.6."""
    assert rouge_l("alpha beta gamma delta", "alpha zeta beta eta gamma theta") == pytest.approx(0.6)


def test_loss_weights_rows_by_their_tokens() -> None:
    """Ten tokens at 1 nat and one token at 12 nats make 2 nats a token, perplexity e squared."""
    items = [
        Item(reference="", prediction="", value=1.0, weight=10),
        Item(reference="", prediction="", value=12.0, weight=1),
    ]
    assert score(Metric.EVAL_LOSS, items) == pytest.approx(2.0)
    assert score(Metric.PERPLEXITY, items) == pytest.approx(math.e**2)


@pytest.mark.parametrize(
    ("reference", "prediction", "expected"),
    [
        pytest.param("so 3+4\n#### 1,234", "#### 1234", 1.0, id="commas"),
        pytest.param("#### 12", "it is 5\n#### 12.0 apples", 1.0, id="trailing zero and words"),
        pytest.param("#### 12", "the answer is 12", 0.0, id="no marker is wrong"),
        pytest.param("#### -3", "#### 3", 0.0, id="sign counts"),
        pytest.param("#### 12345678901234567891", "#### 12345678901234567892", 0.0, id="long numbers are exact"),
        pytest.param("Paris ", "  paris", 1.0, id="case and space"),
        pytest.param("New  York", "new york", 1.0, id="inner space"),
        pytest.param("Paris", "Paris, France", 0.0, id="more than the answer"),
    ],
)
def test_exact_match_compares_answers(reference: str, prediction: str, expected: float) -> None:
    """Numbers after #### are compared as numbers, other texts up to case and white space."""
    assert exact_match(reference, prediction) == expected


@given(TEXT)
def test_exact_match_accepts_the_reference_itself(text: str) -> None:
    """A text is the same answer as itself, and normalising twice changes nothing."""
    assert exact_match(text, text) == 1.0
    assert answer_of(answer_of(text)) == answer_of(text)


def test_win_rate_is_refused() -> None:
    """win_rate names what it would need and what to use instead."""
    with pytest.raises(InputError, match="judge model") as caught:
        score(Metric.WIN_RATE, decisions([("a", "b")]))
    assert "reward_accuracy" in caught.value.hint


def test_no_rows_is_an_error() -> None:
    """A score of nothing is refused rather than 0 or NaN."""
    with pytest.raises(ValueError, match="no rows"):
        score(Metric.ACCURACY, [])

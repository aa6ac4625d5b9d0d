"""What each metric means, as code: `score` turns any resample of judged rows into the metric.

Every metric here is a function of sums over rows (`tally` gives each row's terms, `from_sums` the metric), so that a
bootstrap of 10,000 draws is a few matrix products instead of 10,000 passes over the rows.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evals.spec import Item
from trainers.errors import InputError
from trainers.spec import Metric

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU

Floats = npt.NDArray[np.float64]

F1_METRICS = (Metric.F1_MACRO, Metric.F1_WEIGHTED)
RIGHT_OR_WRONG = (Metric.ACCURACY, *F1_METRICS, Metric.EXACT_MATCH, Metric.REWARD_ACCURACY)
"""Metrics whose rows are right or wrong, where a row is one decision (unlike the token accuracy of sft)."""

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_FINAL_ANSWER = re.compile(r"####\s*(.*)")


def score(metric: Metric, items: Sequence[Item]) -> float:
    """`metric` over `items`, in any order and with any repetition.

    accuracy         mean of `value`: share of rows whose predicted class is the true one; sft: share of target tokens
                     that are the model's most probable token given the true tokens before them (rows weighted by
                     target tokens); preference: share of pairs whose chosen answer has the higher log-probability
                     per token without any reference model, ties as 0.5. [0, 1], up.
    f1_macro         unweighted mean over classes of 2 tp / (2 tp + fp + fn). A class that is neither true nor
                     predicted in any row is left out; one that is predicted but never true counts as 0. [0, 1], up.
    f1_weighted      the same, each class weighted by its number of true rows. [0, 1], up.
    eval_loss        classification: mean cross-entropy in nats, without class weights; sft: mean nats per target
                     token over all target tokens (not a mean of row means), prompt and padding excluded, no label
                     smoothing; preference: mean of -log sigmoid(0.1 x margin), the DPO loss at one fixed beta, because
                     losses under different betas do not compare. [0, inf), down.
    perplexity       exp(eval_loss). [1, inf), down.
    exact_match      share of rows whose generated answer equals the reference after normalisation
                     (`answer_of`). [0, 1], up.
    rouge_l          mean over rows of the ROUGE-L F-measure with Porter stemming (package rouge-score). [0, 1], up.
    bleu             corpus BLEU-4 of sacreBLEU (13a tokenisation, exponential smoothing), divided by 100. [0, 1], up.
    reward_accuracy  share of pairs whose log-probability ratio to the reference model is larger for the chosen than
                     for the rejected answer; ties as 0.5. [0, 1], up.

    Raises ValueError for no items, InputError for win_rate (it needs a judge model, which this version has not).
    """
    if not items:
        raise ValueError(f"{metric} of no rows is not defined")
    return float(from_sums(metric, tally(metric, items, class_names(items)).sum(axis=0)[None])[0])


def class_names(items: Sequence[Item]) -> tuple[str, ...]:
    """Every class that is true or predicted in some row, sorted."""
    return tuple(sorted({item.reference for item in items} | {item.prediction for item in items}))


def no_judge() -> InputError:
    """The error of a metric that a judge model would have to give."""
    rule = "win_rate needs a judge model, which this version does not have."
    return InputError("objective.metric", rule, "Use reward_accuracy or accuracy.")


def tally(metric: Metric, items: Sequence[Item], classes: Sequence[str]) -> Floats:
    """Each row's terms of the sums behind `metric`, (rows, terms). `classes` must hold every class of `items`."""
    if metric is Metric.WIN_RATE:
        raise no_judge()
    if metric in F1_METRICS:
        return _class_counts(items, classes)
    if metric is Metric.BLEU:
        return _ngram_counts(items)
    weight = np.array([item.weight for item in items])
    return np.stack([weight * np.array([item.value for item in items]), weight], axis=1)


def from_sums(metric: Metric, sums: Floats) -> Floats:
    """The metric of each resample from its summed terms, (resamples, terms) to (resamples,)."""
    if metric in F1_METRICS:
        return _f1(sums, weighted=metric is Metric.F1_WEIGHTED)
    if metric is Metric.BLEU:
        return np.array([_bleu_of_sums(row) for row in sums])
    mean = sums[:, 0] / sums[:, 1]
    with np.errstate(over="ignore"):
        return np.exp(mean) if metric is Metric.PERPLEXITY else mean


def _class_counts(items: Sequence[Item], classes: Sequence[str]) -> Floats:
    """(rows, 3 x classes): true positives, predicted, true; one-hot."""
    index = {name: position for position, name in enumerate(classes)}
    true = np.array([index[item.reference] for item in items])
    predicted = np.array([index[item.prediction] for item in items])
    one_hot = np.eye(len(classes))
    return np.concatenate([one_hot[true] * (true == predicted)[:, None], one_hot[predicted], one_hot[true]], axis=1)


def _f1(sums: Floats, weighted: bool) -> Floats:
    true_positive, predicted, true = np.split(sums, 3, axis=1)
    present = predicted + true
    with np.errstate(invalid="ignore", divide="ignore"):
        per_class = np.where(present > 0, 2 * true_positive / present, 0.0)
    weights = true if weighted else (present > 0).astype(float)
    return np.asarray((per_class * weights).sum(axis=1) / weights.sum(axis=1), dtype=np.float64)


@cache
def _bleu() -> "BLEU":
    from sacrebleu.metrics import BLEU

    return BLEU(effective_order=True)


def _ngram_counts(items: Sequence[Item]) -> Floats:
    """(rows, 10): matching 1- to 4-grams, all 1- to 4-grams, generated length, reference length."""
    rows = [_bleu().sentence_score(item.prediction, [item.reference]) for item in items]
    return np.array([[*row.counts, *row.totals, row.sys_len, row.ref_len] for row in rows], dtype=np.float64)


def _bleu_of_sums(sums: Floats) -> float:
    whole = [round(value) for value in sums]
    result = _bleu().compute_bleu(
        correct=whole[:4], total=whole[4:8], sys_len=whole[8], ref_len=whole[9], smooth_method="exp"
    )
    return float(result.score) / 100


def sentence_bleu(reference: str, prediction: str) -> float:
    """BLEU of one row in [0, 1], n-gram order cut to the row's length. Only for `Item.value`: `bleu` is of a corpus."""
    return float(_bleu().sentence_score(prediction, [reference]).score) / 100


def rouge_l(reference: str, prediction: str) -> float:
    """ROUGE-L F-measure of one row in [0, 1]: longest common subsequence of stemmed lower-case words.

    rouge-score keeps only a-z and 0-9, so a text in another script has no words and scores 0.
    """
    return float(_rouge().score(reference, prediction)["rougeL"].fmeasure)


@cache
def _rouge() -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)


def exact_match(reference: str, prediction: str) -> float:
    """1.0 where both texts give the same answer (`answer_of`), else 0.0.

    Where the reference marks its answer with "####", a prediction that does not is wrong.
    """
    marked = _FINAL_ANSWER.search(reference) is None or _FINAL_ANSWER.search(prediction) is not None
    return float(marked and answer_of(reference) == answer_of(prediction))


def answer_of(text: str) -> str:
    """The part of `text` that counts as its answer.

    After "####": the number there, commas and trailing zeros stripped (the convention of GSM8K, Cobbe et al. 2021,
    arXiv 2110.14168). Otherwise the whole text, lower case, runs of white space as one space.
    """
    marked = _FINAL_ANSWER.search(text)
    if marked is None:
        return _words(text)
    number = _NUMBER.search(marked.group(1))
    return f"{Decimal(number.group().replace(',', '')).normalize():f}" if number else _words(marked.group(1))


def _words(text: str) -> str:
    return " ".join(text.casefold().split())

"""Judging a language model: by the probability of the wanted texts, or by what it writes."""

import math
from typing import Any

from evals.generate import generated_text
from evals.likelihood import likelihoods
from evals.metrics import score
from evals.rows import Row, Target
from evals.spec import EvalSpec, Item, Judged
from trainers.data import IGNORED, tokenise
from trainers.spec import Metric
from trainers.tasks.sft import SFT

LIKELIHOOD_METRICS = (Metric.EVAL_LOSS, Metric.PERPLEXITY, Metric.ACCURACY)


def judge(model: Any, tokenizer: Any, spec: EvalSpec, rows: list[Row], reference: Any | None) -> Judged:
    """Items of `spec.metric`, and the other metrics that the same passes over the rows give."""
    by = _likelihood if spec.metric in LIKELIHOOD_METRICS else generated_text
    return by(model, tokenizer, spec, rows)


def _likelihood(model: Any, tokenizer: Any, spec: EvalSpec, rows: list[Row]) -> Judged:
    """Items of eval_loss, perplexity or token accuracy.

    Rows whose target does not begin within `max_seq_length` have nothing to score; they are left out and counted in
    `others["rows_without_target"]`. Which rows these are depends on the tokenizer only, so compared models agree.
    """
    targets = targets_of(tokenizer, rows, spec.max_seq_length)
    judged = likelihoods(model, targets, spec, tokenizer.pad_token_id)
    losses = tuple(_row(-row.log_probability / row.n_tokens, row.n_tokens) for row in judged)
    tops = tuple(_row(row.n_top / row.n_tokens, row.n_tokens) for row in judged)
    others = {metric.value: score(metric, losses) for metric in (Metric.EVAL_LOSS, Metric.PERPLEXITY)}
    others[Metric.ACCURACY.value] = score(Metric.ACCURACY, tops)
    others["rows_without_target"] = float(len(rows) - len(targets))
    return tops if spec.metric is Metric.ACCURACY else losses, {k: v for k, v in others.items() if math.isfinite(v)}


def _row(value: float, n_tokens: int) -> Item:
    return Item(reference="", prediction="", value=value, weight=n_tokens)


def targets_of(tokenizer: Any, rows: list[Row], max_seq_length: int) -> list[Target]:
    """Training examples, cut at the end; judged on the completion, the assistant's turns, or all of a text.

    Rows of whose target nothing is left are missing. Raises AttemptFailed(DATA) if none is left.
    """
    tokens = tokenise(rows, SFT, tokenizer, max_seq_length)
    return [Target(row["input_ids"], [int(label != IGNORED) for label in row["labels"]]) for row in tokens.rows]

"""Judging by the probability of given text: loss and token accuracy of sft, pairs of preference."""

import math
from collections.abc import Sequence
from typing import Any

from evals.batching import finite, in_batches, judging, padded, padding_id
from evals.metrics import score
from evals.rows import Row, Target, pair_targets, sft_targets
from evals.spec import EvalSpec, Item
from trainers.errors import InputError
from trainers.spec import Closed, Metric

FIXED_BETA = 0.1
"""Beta of the preference eval_loss: DPO's default (Rafailov et al. 2023, arXiv 2305.18290), equal for all trials."""


class Likelihood(Closed):
    """What the model gives the target tokens of one sequence."""

    log_probability: float
    n_tokens: int
    n_top: int


def likelihoods(model: Any, targets: Sequence[Target], spec: EvalSpec, fill: int) -> list[Likelihood]:
    """Sum of natural-log probabilities of each sequence's target tokens, and how many are the model's first choice.

    The first token of a sequence has no probability and is never counted. Logits are turned to float32 at target
    positions only: (target tokens of the batch, vocabulary).
    """

    def run(batch: list[int]) -> list[Likelihood]:
        ids, mask = padded([targets[row].ids for row in batch], fill, model.device)
        wanted, _ = padded([targets[row].mask for row in batch], 0, model.device)
        wanted = wanted[:, 1:].bool()
        logits = finite(model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1][wanted])
        true = ids[:, 1:][wanted]
        log_probability = logits.gather(-1, true[:, None]).squeeze(-1) - logits.logsumexp(-1)
        top = logits.argmax(-1) == true
        counts = wanted.sum(-1).tolist()
        return [
            Likelihood(log_probability=float(part.double().sum()), n_tokens=n, n_top=int(first.sum()))
            for part, first, n in zip(log_probability.split(counts), top.split(counts), counts, strict=True)
        ]

    return in_batches([len(target.ids) for target in targets], spec.batch_size, run)


def sft_likelihood(
    model: Any, tokenizer: Any, spec: EvalSpec, rows: list[Row]
) -> tuple[tuple[Item, ...], dict[str, float]]:
    """Items of eval_loss, perplexity or token accuracy.

    Rows whose target does not begin within `max_seq_length` have nothing to score; they are left out and counted in
    `others["rows_without_target"]`. Which rows these are depends on the tokenizer only, so compared models agree.
    """
    targets = sft_targets(tokenizer, rows, spec.max_seq_length)
    judged = likelihoods(model, targets, spec, padding_id(tokenizer))
    losses = tuple(_row(-row.log_probability / row.n_tokens, row.n_tokens) for row in judged)
    tops = tuple(_row(row.n_top / row.n_tokens, row.n_tokens) for row in judged)
    others = {metric.value: score(metric, losses) for metric in (Metric.EVAL_LOSS, Metric.PERPLEXITY)}
    others[Metric.ACCURACY.value] = score(Metric.ACCURACY, tops)
    others["rows_without_target"] = float(len(rows) - len(targets))
    return tops if spec.metric is Metric.ACCURACY else losses, {k: v for k, v in others.items() if math.isfinite(v)}


def _row(value: float, n_tokens: int) -> Item:
    return Item(reference="", prediction="", value=value, weight=n_tokens)


def preference(
    model: Any, tokenizer: Any, spec: EvalSpec, rows: list[Row], reference: Any | None
) -> tuple[tuple[Item, ...], dict[str, float]]:
    """Items of reward_accuracy, accuracy or eval_loss, with the margin to the reference model where there is one.

    Pairs whose prompt fills `max_seq_length` are left out and counted in `others["rows_without_target"]`.

    The reference is `reference`, else `model` with its adapters off. Raises InputError where the metric needs one and
    there is neither.
    """
    pairs = pair_targets(tokenizer, rows, spec.max_seq_length)
    flat = [target for pair in pairs for target in pair]
    fill = padding_id(tokenizer)
    own = likelihoods(model, flat, spec, fill)
    base = _reference_likelihoods(model, reference, flat, spec, fill)
    plain = [_per_token(a) - _per_token(b) for a, b in _paired(own)]
    items = {Metric.ACCURACY: [_choice(_preferred(difference), None) for difference in plain]}
    if base is not None:
        margins = [
            (a.log_probability - ra.log_probability) - (b.log_probability - rb.log_probability)
            for (a, b), (ra, rb) in zip(_paired(own), _paired(base), strict=True)
        ]
        items[Metric.ACCURACY] = [_choice(_preferred(d), m) for d, m in zip(plain, margins, strict=True)]
        items[Metric.REWARD_ACCURACY] = [_choice(_preferred(margin), margin) for margin in margins]
        items[Metric.EVAL_LOSS] = [_choice(_preferred(m), m, loss=_softplus(-FIXED_BETA * m)) for m in margins]
    if spec.metric not in items:
        raise InputError(
            "objective.metric",
            f"{spec.metric} compares with a reference model, and a fully fine-tuned model has none by itself.",
            "Give the base model as the reference, or use accuracy.",
        )
    others = {metric.value: score(metric, judged) for metric, judged in items.items()}
    others["rows_without_target"] = float(len(rows) - len(pairs))
    return tuple(items[spec.metric]), others


def _reference_likelihoods(
    model: Any, reference: Any | None, targets: list[Target], spec: EvalSpec, fill: int
) -> list[Likelihood] | None:
    if reference is not None:
        with judging(reference, spec):
            return likelihoods(reference, targets, spec, fill)
    if not hasattr(model, "disable_adapter"):  # a PeftModel has it
        return None
    with model.disable_adapter():
        return likelihoods(model, targets, spec, fill)


def _paired(flat: list[Likelihood]) -> list[tuple[Likelihood, Likelihood]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _per_token(row: Likelihood) -> float:
    return row.log_probability / max(row.n_tokens, 1)


def _preferred(difference: float) -> float:
    return 0.5 if difference == 0 else float(difference > 0)


def _choice(value: float, margin: float | None, loss: float | None = None) -> Item:
    prediction = {1.0: "chosen", 0.0: "rejected", 0.5: "tie"}[value]
    return Item(reference="chosen", prediction=prediction, value=value if loss is None else loss, margin=margin)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))

"""Judging preferences: whether the chosen answer of each pair has more probability than the rejected one."""

from typing import Any

import numpy as np

from evals.batching import judging
from evals.likelihood import Likelihood, likelihoods
from evals.metrics import score
from evals.rows import Row, Target
from evals.spec import EvalSpec, Item, Judged
from trainers.data import tokenise
from trainers.errors import InputError
from trainers.spec import Metric
from trainers.tasks.preference import PREFERENCE

FIXED_BETA = 0.1
"""Beta of the preference eval_loss: DPO's default (Rafailov et al. 2023, arXiv 2305.18290), equal for all trials."""


def judge(model: Any, tokenizer: Any, spec: EvalSpec, rows: list[Row], reference: Any | None) -> Judged:
    """Items of reward_accuracy, accuracy or eval_loss, with the margin to the reference model where there is one.

    Pairs whose prompt fills `max_seq_length` are left out and counted in `others["rows_without_target"]`.

    The reference is `reference`, else `model` with its adapters off. Raises InputError where the metric needs one and
    there is neither.
    """
    pairs = pair_targets(tokenizer, rows, spec.max_seq_length)
    flat = [target for pair in pairs for target in pair]
    fill = tokenizer.pad_token_id
    own = likelihoods(model, flat, spec, fill)
    base = _reference_likelihoods(model, reference, flat, spec, fill)
    plain = [_per_token(a) - _per_token(b) for a, b in zip(own[::2], own[1::2], strict=True)]
    items = {Metric.ACCURACY: [_choice(_preferred(difference), None) for difference in plain]}
    if base is not None:
        gains = [a.log_probability - b.log_probability for a, b in zip(own, base, strict=True)]
        margins = [good - bad for good, bad in zip(gains[::2], gains[1::2], strict=True)]
        items[Metric.ACCURACY] = [_choice(_preferred(d), m) for d, m in zip(plain, margins, strict=True)]
        items[Metric.REWARD_ACCURACY] = [_choice(_preferred(margin), margin) for margin in margins]
        losses = np.logaddexp(0.0, -FIXED_BETA * np.array(margins)).tolist()
        items[Metric.EVAL_LOSS] = [_choice(_preferred(m), m, loss) for m, loss in zip(margins, losses, strict=True)]
    if spec.metric not in items:
        rule = f"{spec.metric} compares with a reference model, and a fully fine-tuned model has none by itself."
        raise InputError("objective.metric", rule, "Give the base model as the reference, or use accuracy.")
    others = {metric.value: score(metric, choices) for metric, choices in items.items()}
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


def _per_token(row: Likelihood) -> float:
    return row.log_probability / max(row.n_tokens, 1)


def _preferred(difference: float) -> float:
    return 0.5 if difference == 0 else float(difference > 0)


def _choice(value: float, margin: float | None, loss: float | None = None) -> Item:
    prediction = {1.0: "chosen", 0.0: "rejected", 0.5: "tie"}[value]
    return Item(reference="chosen", prediction=prediction, value=value if loss is None else loss, margin=margin)


def pair_targets(tokenizer: Any, rows: list[Row], max_seq_length: int) -> list[tuple[Target, Target]]:
    """Chosen and rejected answer after the same prompt, each cut at the end; judged on the answers.

    Pairs whose prompt alone is too long are missing. Raises AttemptFailed(DATA) if none is left.
    """
    tokens = tokenise(rows, PREFERENCE, tokenizer, max_seq_length)
    return [
        (_after(row["prompt_ids"], row["chosen_ids"]), _after(row["prompt_ids"], row["rejected_ids"]))
        for row in tokens.rows
    ]


def _after(prompt: list[int], answer: list[int]) -> Target:
    return Target([*prompt, *answer], [0] * len(prompt) + [1] * len(answer))

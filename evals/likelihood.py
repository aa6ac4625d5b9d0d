"""The probability that a model gives to the wanted tokens of given texts."""

from collections.abc import Sequence
from typing import Any

from evals.batching import finite, in_batches, padded
from evals.rows import Target
from evals.spec import EvalSpec
from trainers.spec import Closed


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
        is_target, _ = padded([targets[row].mask for row in batch], 0, model.device)
        is_target = is_target[:, 1:].bool()
        logits = finite(model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1][is_target])
        true = ids[:, 1:][is_target]
        log_probability = logits.gather(-1, true[:, None]).squeeze(-1) - logits.logsumexp(-1)
        top = logits.argmax(-1) == true
        counts = is_target.sum(-1).tolist()
        return [
            Likelihood(log_probability=float(part.double().sum()), n_tokens=n, n_top=int(first.sum()))
            for part, first, n in zip(log_probability.split(counts), top.split(counts), counts, strict=True)
        ]

    return in_batches([len(target.ids) for target in targets], spec.batch_size, run)

"""Judging a classifier: one forward pass a row, the most probable class against the true one."""

from typing import Any

from evals.batching import finite, in_batches, padded
from evals.metrics import score
from evals.rows import Row
from evals.spec import EvalSpec, Item, Judged
from trainers.data import tokenise
from trainers.spec import Metric
from trainers.tasks.classification import CLASSIFICATION

DECISION_METRICS = (Metric.ACCURACY, Metric.F1_MACRO, Metric.F1_WEIGHTED)


def judge(model: Any, tokenizer: Any, spec: EvalSpec, rows: list[Row], reference: Any | None) -> Judged:
    """Items of `spec.metric` and every other classification metric. Ties go to the lower class index."""
    tokens = tokenise(rows, CLASSIFICATION, tokenizer, spec.max_seq_length).rows
    encoded, truth = [row["input_ids"] for row in tokens], [row["labels"] for row in tokens]

    def run(batch: list[int]) -> list[tuple[int, float]]:
        ids, mask = padded([encoded[row] for row in batch], tokenizer.pad_token_id, model.device)
        log_probabilities = finite(model(input_ids=ids, attention_mask=mask).logits).log_softmax(-1)
        nats = [-float(log_probabilities[place, truth[row]]) for place, row in enumerate(batch)]
        return list(zip(log_probabilities.argmax(-1).tolist(), nats, strict=True))

    judged = in_batches([len(ids) for ids in encoded], spec.batch_size, run)
    names = spec.labels or tuple(str(index) for index in range(int(model.config.num_labels)))
    decisions, losses = [], []
    for label, (predicted, nats) in zip(truth, judged, strict=True):
        pair = {"reference": names[label], "prediction": names[predicted]}
        decisions.append(Item(**pair, value=float(label == predicted)))
        losses.append(Item(**pair, value=nats))
    others = {metric.value: score(metric, decisions) for metric in DECISION_METRICS}
    others[Metric.EVAL_LOSS.value] = score(Metric.EVAL_LOSS, losses)
    return tuple(losses if spec.metric is Metric.EVAL_LOSS else decisions), others

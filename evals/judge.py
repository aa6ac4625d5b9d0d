"""`evaluate`: score a model that is in memory on the canonical rows of one file.

The same function judges a trial's model in the worker (validation rows) and, in a process of its own, the saved
adapters on the sealed test rows.
"""

import math
import time
from typing import Any

from evals.batching import judging
from evals.metrics import no_judge, score
from evals.rows import read_rows
from evals.spec import EvalResult, EvalSpec
from evals.tasks import TASKS
from trainers.errors import AttemptFailed, InputError
from trainers.spec import TERMS, FailureReason, Metric


def evaluate(model: Any, tokenizer: Any, spec: EvalSpec, reference: Any | None = None) -> EvalResult:
    """Score `model`, a transformers model with or without PEFT adapters, on its own device.

    Items are in file order. The model is left in the mode it came in; no gradients are made. `reference` is the model
    that preference metrics compare with; None: `model` with its adapters off. Cost: one forward pass a row
    (preference: two, and two of the reference), or `max_new_tokens` passes for metrics of generated text.
    Raises InputError for a metric that the task does not have, for win_rate, and for rows that cannot be scored;
    AttemptFailed for a model that has diverged (NAN) and where a single row does not fit the GPU (OOM_GPU).
    """
    if spec.metric is Metric.WIN_RATE:
        raise no_judge()
    if spec.metric not in TERMS[spec.task].metrics:
        metrics = ", ".join(metric for metric in TERMS[spec.task].metrics if metric is not Metric.WIN_RATE)
        raise InputError("objective.metric", f"a {spec.task} model has no {spec.metric}.", f"Use one of: {metrics}.")
    rows = read_rows(spec)
    start = time.perf_counter()
    with judging(model, spec):
        items, others = TASKS[spec.task](model, tokenizer, spec, rows, reference)
    value = score(spec.metric, items)
    if not math.isfinite(value):
        raise AttemptFailed(FailureReason.NAN, f"{spec.metric} is {value}; training diverged")
    return EvalResult(
        metric=spec.metric,
        score=value,
        items=items,
        seconds=time.perf_counter() - start,
        others={name: value for name, value in others.items() if name != spec.metric},
    )

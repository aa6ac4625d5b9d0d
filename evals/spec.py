"""The nouns of judging: what is to be scored (`EvalSpec`) and what came out (`EvalResult`)."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from trainers.spec import Closed, Metric, Task


class EvalSpec(Closed):
    """Score a model on the canonical rows of one file (formats: `trainers.spec.TrainSpec`)."""

    task: Task
    metric: Metric
    file: Path
    labels: tuple[str, ...] = ()
    max_seq_length: int
    max_new_tokens: int = Field(128, ge=1, description="generated per prompt by metrics that read generated text")
    batch_size: int = Field(32, ge=1)
    precision: Literal["fp32", "bf16"] = Field("fp32", description="bf16: autocast where the weights are fp32")
    max_rows: int | None = Field(None, ge=1, description="score the first rows only; None: all of them")


class Item(Closed):
    """One scored row. `value` is the row's own contribution where the metric is a mean over rows.

    accuracy and exact_match: 1 or 0 (preference: 0.5 for a tie; sft: share of the row's target tokens); eval_loss:
    mean nats per target token of the row; rouge_l, bleu: of the row; reward_accuracy: 1, 0, or 0.5 for a tie;
    f1: 1 or 0 for a right or wrong row (the metric itself is not a mean). `reference` and `prediction` are class
    names, "chosen" / "rejected" / "tie", generated texts, or empty where rows are judged by likelihood.
    """

    reference: str
    prediction: str
    value: float
    weight: float = Field(
        1.0, description="target tokens of the row for eval_loss, perplexity and accuracy of sft, else 1"
    )
    margin: float | None = Field(
        None, description="preference: log-probability of chosen minus rejected, vs the reference"
    )


Judged = tuple[tuple[Item, ...], dict[str, float]]
"""Items of the metric asked for, and the value of that and other metrics by name."""


class EvalResult(Closed):
    """A score with the rows behind it; `evals/metrics.py` turns any resample of `items` into the same metric."""

    metric: Metric
    score: float
    items: tuple[Item, ...]
    seconds: float
    others: dict[str, float] = Field({}, description="further metrics of the same predictions, by name")

"""How models of each task are judged, looked up here and nowhere else. Importable without torch."""

from collections.abc import Callable
from typing import Any

from evals.rows import Row
from evals.spec import EvalSpec, Judged
from evals.tasks import classification, preference, sft
from trainers.spec import Task

Judge = Callable[[Any, Any, EvalSpec, list[Row], Any | None], Judged]
"""Model, tokenizer, spec, canonical rows and reference model to the items and the other metrics of the same rows."""

TASKS: dict[Task, Judge] = {
    Task.CLASSIFICATION: classification.judge,
    Task.SFT: sft.judge,
    Task.PREFERENCE: preference.judge,
}

"""The same training written directly against transformers, PEFT and TRL: what our own trainers are compared with.

Only for `overhead.py` beside it. Nothing of ours runs inside the timed loop; the arguments are ours so that both sides
do the same work.
"""

import json
import math
import time
from pathlib import Path
from typing import Any

from datasets import Dataset, disable_progress_bars
from peft import get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from trainers.adapters import lora_config
from trainers.arguments import common_arguments, preference_arguments, split_batch
from trainers.base import Loaded
from trainers.progress import N_POINTS
from trainers.spec import Task, TrainSpec


def total_steps(n_rows: int, batch_size: int, micro_batch: int, epochs: float) -> int:
    """Optimizer steps of the full schedule, counted as transformers counts them."""
    per_device, accumulation = split_batch(batch_size, micro_batch)
    batches = math.ceil(n_rows / per_device)
    return math.ceil(epochs * max(math.ceil(batches / accumulation), 1))


class Clock(TrainerCallback):  # type: ignore[misc]
    """Wall time of the training loop."""

    seconds = 0.0
    steps = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start."""
        self.seconds = -time.monotonic()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop."""
        self.seconds += time.monotonic()
        self.steps = state.global_step


def bare_seconds_per_step(spec: TrainSpec) -> float:
    """Mean wall time of an optimizer step of `spec` in a plain library loop, loading and tokenising excluded."""
    disable_progress_bars()
    build = {Task.CLASSIFICATION: _classification, Task.SFT: _sft, Task.PREFERENCE: _preference}[spec.task]
    clock = Clock()
    trainer = build(spec, AutoTokenizer.from_pretrained(spec.base_path))
    trainer.add_callback(clock)
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return clock.seconds / clock.steps


def _classification(spec: TrainSpec, tokenizer: Any) -> Any:
    model = AutoModelForSequenceClassification.from_pretrained(spec.base_path, num_labels=len(spec.labels))
    rows = _rows(spec.train_file)
    data = Dataset.from_list(
        [
            {**tokenizer(row["text"], truncation=True, max_length=spec.max_seq_length), "labels": row["label"]}
            for row in rows
        ]
    )
    return Trainer(
        model=get_peft_model(model, lora_config(spec, Loaded(model, tokenizer, 0.0, ()))),
        args=TrainingArguments(**_arguments(spec, len(rows)), train_sampling_strategy="group_by_length"),
        train_dataset=data,
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
    )


def _sft(spec: TrainSpec, tokenizer: Any) -> Any:
    model = AutoModelForCausalLM.from_pretrained(spec.base_path)
    rows = _rows(spec.train_file)
    return SFTTrainer(
        model=model,
        args=SFTConfig(
            **_arguments(spec, len(rows)), train_sampling_strategy="group_by_length", max_length=spec.max_seq_length
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=lora_config(spec, Loaded(model, tokenizer, 0.0, ())),
    )


def _preference(spec: TrainSpec, tokenizer: Any) -> Any:
    model = AutoModelForCausalLM.from_pretrained(spec.base_path)
    rows = _rows(spec.train_file)
    return DPOTrainer(
        model=model,
        args=DPOConfig(
            **_arguments(spec, len(rows)),
            **preference_arguments(spec.config, str(spec.loss)),
            max_length=spec.max_seq_length,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=lora_config(spec, Loaded(model, tokenizer, 0.0, ())),
    )


def _arguments(spec: TrainSpec, n_rows: int) -> dict[str, Any]:
    """Our arguments, with logging as often as our own callback logs."""
    config = spec.config
    steps = total_steps(n_rows, int(config["batch_size"]), spec.micro_batch, float(config["epochs"]))
    logging = {"logging_strategy": "steps", "logging_steps": math.ceil(steps / N_POINTS), "logging_first_step": True}
    return {**common_arguments(spec, spec.micro_batch, 0), **logging}


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]

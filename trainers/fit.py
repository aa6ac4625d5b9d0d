"""Fitting a model: the one entry point for all tasks, with out-of-memory retries at the same effective batch."""

import gc
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainers.arguments import scratch_directory, split_batch
from trainers.base import Resident
from trainers.errors import AttemptFailed
from trainers.progress import OnPoint, Progress
from trainers.run import Job, Run, plain
from trainers.save import save
from trainers.spec import FailureReason, TrainResult, TrainSpec
from trainers.tasks import TASKS


@dataclass(frozen=True)
class Trained:
    """A fitted model, usable until the resident base is reset or loads the next attempt."""

    spec: TrainSpec
    model: Any
    tokenizer: Any
    result: TrainResult
    reference: Any = None
    """Untrained model for preference margins after full fine-tuning; None: the model with its adapter off."""

    def save(self, directory: Path) -> str:
        """Write the adapter to `directory`, atomically; see `trainers.save.save`."""
        return save(self.spec, self.model, self.tokenizer, directory)


def fit(spec: TrainSpec, resident: Resident, on_point: OnPoint) -> Trained:
    """Train one configuration from `spec.seed` alone: equal specs on equal machines give equal weights.

    `on_point` gets each point of the curve with the number of steps of the full schedule. After running out of GPU
    memory the micro-batch is halved, down to 1, and the retry is listed in `result.deviations`.
    Raises InputError for a base model or setting that cannot be used, AttemptFailed for a run that is lost.
    """
    micro_batch, deviations = spec.micro_batch, list[str]()
    try:
        while True:
            try:
                return _fit_once(spec, resident, on_point, micro_batch, tuple(deviations))
            except torch.cuda.OutOfMemoryError as error:
                used, _ = split_batch(int(spec.config["batch_size"]), micro_batch)
                if used == 1:
                    message = "out of GPU memory with one row at a time; shorten max_seq_length."
                    raise AttemptFailed(FailureReason.OOM_GPU, message) from error
                micro_batch = used // 2
            resident.reset()  # outside the except block: the traceback keeps the failed run's tensors alive
            gc.collect()
            torch.cuda.empty_cache()
            now, accumulation = split_batch(int(spec.config["batch_size"]), micro_batch)
            deviations.append(
                f"Micro-batch cut from {used} to {now} with {accumulation} accumulation steps after running out of GPU "
                f"memory; the effective batch stayed {now * accumulation}."
            )
    finally:
        shutil.rmtree(scratch_directory(spec), ignore_errors=True)


def _fit_once(
    spec: TrainSpec, resident: Resident, on_point: OnPoint, micro_batch: int, deviations: tuple[str, ...]
) -> Trained:
    loaded, progress, task = resident.load(spec), Progress(spec, on_point), TASKS[spec.task]
    try:
        run = task.train(Job(spec, loaded, task, resident.tokens, micro_batch, progress))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
            raise AttemptFailed(FailureReason.OOM_HOST, "out of host memory while training.") from error
        raise
    result = _result(spec, run, progress, micro_batch, deviations)
    return Trained(spec, plain(run.model), loaded.tokenizer, result, run.reference)


def _result(
    spec: TrainSpec, run: Run, progress: Progress, micro_batch: int, deviations: tuple[str, ...]
) -> TrainResult:
    per_device, accumulation = split_batch(int(spec.config["batch_size"]), micro_batch)
    escapes = f"Control tokens of the tokenizer were escaped in the text of {run.tokens.n_escaped} training rows."
    return TrainResult(
        steps=progress.steps,
        epochs=progress.epochs,
        train_loss=progress.train_loss,
        eval_loss=progress.eval_loss,
        train_seconds=progress.train_seconds,
        tokens_per_second=run.tokens.n_tokens * progress.epochs / max(progress.train_seconds, 1e-9),
        peak_memory_mb=progress.peak_memory_mb,
        trainable_parameters=sum(p.numel() for p in run.model.parameters() if p.requires_grad),
        micro_batch=per_device,
        gradient_accumulation=accumulation,
        curve=tuple(progress.curve),
        n_train_rows=len(run.tokens.rows),
        n_truncated=run.tokens.n_truncated,
        n_dropped=run.tokens.n_dropped,
        deviations=(*deviations, escapes) if run.tokens.n_escaped else deviations,
    )

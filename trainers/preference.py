"""Preference tuning: DPO and its relatives against a reference, SimPO without one, KTO on single answers."""

import copy
import random
from typing import Any

from datasets import Dataset, disable_progress_bars
from transformers import set_seed
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer
from trl.experimental.cpo import CPOConfig, CPOTrainer

from trainers.adapters import lora_config
from trainers.arguments import common_arguments, preference_arguments, split_batch
from trainers.data import IGNORED, Row, Tokens
from trainers.errors import AttemptFailed
from trainers.run import Job, Run, carry_out
from trainers.spec import Adapter, FailureReason, Loss


def train(job: Job) -> Run:
    """Fit the adapter of `job.spec` on pairs. With an adapter the reference is the base with the adapter off."""
    spec, loaded = job.spec, job.loaded
    tokens, validation = job.train_tokens, job.validation_tokens
    set_seed(spec.seed)
    loss = Loss(spec.loss or Loss.SIGMOID)
    config_class, trainer_class = METHODS.get(loss, (DPOConfig, Pairs))
    arguments = config_class(
        **common_arguments(spec, job.micro_batch, loaded.model.num_parameters()),
        **preference_arguments(spec.config, loss),
        max_length=None if loss is not Loss.SIMPO else spec.max_seq_length,
    )
    disable_progress_bars()  # CPO passes over the rows, though there is nothing left to do
    reference = copy.deepcopy(loaded.model) if spec.adapter is Adapter.FULL else None
    trainer = trainer_class(
        model=loaded.model,
        **({} if reference is None or loss is Loss.SIMPO else {"ref_model": reference}),
        args=arguments,
        train_dataset=_rows_for(loss, tokens, job),
        eval_dataset=_rows_for(loss, validation, job),
        processing_class=loaded.tokenizer,
        peft_config=lora_config(spec, loaded),
        callbacks=[job.progress],
    )
    return Run(carry_out(trainer), tokens, reference)


class Pairs(DPOTrainer):  # type: ignore[misc]
    """TRL's DPO on rows that are tokenised already, without its usage report to the hub."""

    def _prepare_dataset(self, dataset: Any, *args: Any) -> Any:
        return dataset

    def _send_telemetry(self) -> None:
        return None


class Singles(KTOTrainer):  # type: ignore[misc]
    """TRL's KTO on rows that are tokenised already, without its usage report to the hub."""

    def _prepare_dataset(self, dataset: Any, *args: Any) -> Any:
        return dataset

    def _send_telemetry(self) -> None:
        return None


class Margins(CPOTrainer):  # type: ignore[misc]
    """TRL's CPO, for its SimPO loss, on rows that are tokenised already, without its usage report to the hub."""

    @staticmethod
    def tokenize_row(feature: Row, model: Any = None) -> Row:
        """The row itself."""
        return feature

    def _send_telemetry(self) -> None:
        return None


METHODS = {Loss.SIMPO: (CPOConfig, Margins), Loss.KTO: (KTOConfig, Singles)}
"""Losses with a trainer of their own; the others are DPO loss types."""


def _rows_for(loss: Loss, tokens: Tokens, job: Job) -> Dataset:
    if loss is Loss.SIMPO:
        return Dataset.from_list([_labelled(row) for row in tokens.rows])
    if loss is Loss.KTO:
        per_device, _ = split_batch(int(job.spec.config["batch_size"]), job.micro_batch)
        return Dataset.from_list(single_answers(tokens.rows, per_device, job.spec.seed))
    return tokens.dataset


def single_answers(pairs: tuple[Row, ...], per_device: int, seed: int) -> list[Row]:
    """Each pair as one wanted and one unwanted answer, shuffled, with the mismatched answers of KTO's KL term.

    Those are the answers of the same batch moved on by one, so batches are fixed here and read in order (TRL 1.16,
    KTOTrainer). Raises AttemptFailed(DATA) for a per-device batch of 1, which has nothing to mismatch.
    """
    if per_device < 2:
        raise AttemptFailed(FailureReason.DATA, "kto needs a per-device batch of at least 2; raise batch_size.")
    rows = [
        {"prompt_ids": row["prompt_ids"], "completion_ids": row[name], "label": name == "chosen_ids"}
        for row in pairs
        for name in ("chosen_ids", "rejected_ids")
    ]
    random.Random(seed).shuffle(rows)
    for start in range(0, len(rows), per_device):
        batch = rows[start : start + per_device]
        for i, row in enumerate(batch):
            row["KL_completion_ids"] = batch[i - 1]["completion_ids"]
    return rows


def _labelled(row: Row) -> Row:
    """A pair in the columns of TRL's CPO collator."""
    out: Row = {}
    for side in ("chosen", "rejected"):
        answer = row[f"{side}_ids"]
        out[f"{side}_input_ids"] = row["prompt_ids"] + answer
        out[f"{side}_attention_mask"] = [1] * (len(row["prompt_ids"]) + len(answer))
        out[f"{side}_labels"] = [IGNORED] * len(row["prompt_ids"]) + answer
    return out

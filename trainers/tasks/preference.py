"""Preference tuning: DPO and its relatives against a reference, SimPO without one, KTO on single answers."""

import copy
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainers.arguments import preference_arguments, split_batch
from trainers.data import IGNORED, Row, Tokens
from trainers.embedded import TINY_CAUSAL
from trainers.encode import encode_pair
from trainers.errors import AttemptFailed
from trainers.space import FloatParameter, Parameter
from trainers.spec import Adapter, FailureReason, Loss, Task
from trainers.tasks.trainer import SMALL_DATA, StudyFacts, TaskTrainer, choices, epochs, fixed, log_range, published

if TYPE_CHECKING:
    from datasets import Dataset

    from trainers.run import Job, Run


def _space(facts: StudyFacts) -> Mapping[str, Parameter]:
    """Ranges around those of the papers of each loss and the alignment handbook."""
    loss, small = Loss(facts.spec.loss or Loss.SIGMOID), facts.n_train_rows < SMALL_DATA
    ranges: dict[str, Parameter] = {
        "learning_rate": _rates(facts),
        "lora_rank": choices(16, 8, 16, 32, 64),
        "lora_alpha": fixed(32),  # as in SFT
        "lora_dropout": fixed(0.0),  # TRL turns all dropout off
        "target_modules": choices("all-linear", "all-linear", "mlp"),
        "batch_size": choices(16, 8, 16, 32) if small else choices(32, 16, 32, 64),  # HB: 128 full
        "epochs": epochs(facts.n_train_rows, facts.embedded, default=1),  # HB, Tulu3: 1
        "weight_decay": fixed(0.0),
        "warmup_ratio": fixed(0.1),  # HB, Tulu3
        "scheduler": choices("cosine", "cosine", "linear"),  # HB: cosine; Tulu3: linear
        "max_grad_norm": fixed(1.0),
        "beta": BETA[loss],
    }
    if loss is Loss.SIMPO:
        ranges["simpo_gamma"] = FloatParameter(low=0.0, high=1.0, default=0.5)  # gamma/beta; SimPO: 0.3 to 0.6
    if loss is Loss.ROBUST:
        ranges["label_smoothing"] = FloatParameter(low=0.05, high=0.2, default=0.1)  # rDPO, arXiv 2403.00409
    return ranges


def _encode(row: Row, tokenizer: Any) -> Row:
    """`prompt_ids`, `chosen_ids` and `rejected_ids`."""
    prompt, chosen = encode_pair(tokenizer, row["prompt"], row["chosen"])
    _, rejected = encode_pair(tokenizer, row["prompt"], row["rejected"])
    return {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}


def _cut(row: Row, limit: int, tokenizer: Any) -> tuple[Row | None, bool]:
    """The start of both answers; None where the prompt alone fills the limit."""
    prompt = row["prompt_ids"]
    room = limit - len(prompt)
    if room < 1:
        return None, True
    long = max(len(row["chosen_ids"]), len(row["rejected_ids"])) > room
    chosen, rejected = row["chosen_ids"][:room], row["rejected_ids"][:room]
    length = 2 * len(prompt) + len(chosen) + len(rejected)
    return {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected, "length": length}, long


def _train(job: "Job") -> "Run":
    """Fit the adapter on pairs. With an adapter the reference is the base with the adapter off."""
    from datasets import disable_progress_bars
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    job.begin()
    loss = Loss(job.spec.loss or Loss.SIGMOID)
    own = {Loss.SIMPO: (CPOConfig, CPOTrainer), Loss.KTO: (KTOConfig, KTOTrainer)}
    config_class, trainer_class = own.get(loss, (DPOConfig, DPOTrainer))  # the others are DPO loss types
    arguments = config_class(
        **job.arguments,
        **preference_arguments(job.spec.config, loss),
        max_length=None if loss.has_reference else job.spec.max_seq_length,
    )
    disable_progress_bars()  # CPO passes over the rows, though there is nothing left to do
    reference = copy.deepcopy(job.loaded.model) if job.spec.adapter is Adapter.FULL else None
    return job.run(
        trainer_class,
        arguments,
        _rows_for(loss, job.train_tokens, job),
        _rows_for(loss, job.validation_tokens, job),
        reference,
        **({} if reference is None or not loss.has_reference else {"ref_model": reference}),
        peft_config=job.adapter,
    )


def _rates(facts: StudyFacts) -> Parameter:
    if facts.spec.adapter is Adapter.FULL:
        return log_range(1e-7, 1e-5, 5e-7)  # HB zephyr, SimPO 3e-7 to 7e-7
    if facts.spec.base_model == TINY_CAUSAL:
        return log_range(1e-5, 5e-3, 1e-3)  # made on the spot of random weights, which take larger steps
    return log_range(5e-7, 1e-4, 5e-6)  # TRL's LoRA table, HB zephyr-qlora: 5e-6


BETA: dict[Loss, Parameter] = {
    Loss.SIGMOID: log_range(0.005, 0.5, 0.1),  # DPO paper 0.1; SimPO's DPO runs 0.01; SmolLM2 0.5
    Loss.SIGMOID_NORM: log_range(1.0, 20.0, 5.0),  # Tulu3, OLMo 2: 5 on length-normalised scores
    Loss.IPO: log_range(0.01, 1.0, 0.1),  # tau; HB scan
    Loss.SIMPO: log_range(1.0, 10.0, 2.5),  # SimPO: 2 to 10
    Loss.KTO: log_range(0.01, 0.5, 0.1),  # KTO, arXiv 2402.01306
    Loss.ROBUST: log_range(0.01, 0.5, 0.1),  # rDPO
    Loss.APO_ZERO: log_range(0.05, 0.2, 0.1),  # APO, arXiv 2408.06266: 0.1
    Loss.HINGE: log_range(0.05, 2.0, 1.0),  # SLiC, arXiv 2305.10425: margin 1, beta = 1 / margin
}
"""Prior of beta by loss: its scale differs by two orders of magnitude between losses."""


def _rows_for(loss: Loss, tokens: Tokens, job: "Job") -> "Dataset":
    from datasets import Dataset

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


_PUBLISHED = published(__file__)
PREFERENCE = TaskTrainer(
    task=Task.PREFERENCE,
    sequences=2,
    loss_parameters=("beta", "simpo_gamma", "label_smoothing"),
    space=_space,
    settings={**_PUBLISHED, **dict.fromkeys((Loss.SIGMOID, Loss.HINGE), _PUBLISHED[None])},
    encode=_encode,
    cut=_cut,
    train=_train,
)

"""Supervised fine-tuning of a causal language model: cross entropy on the tokens that the assistant has to produce."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainers.data import IGNORED, Row
from trainers.encode import encode_chat, encode_pair, encode_text
from trainers.space import Parameter
from trainers.spec import Adapter, Task
from trainers.tasks.trainer import SMALL_DATA, StudyFacts, TaskTrainer, choices, epochs, fixed, log_range, published

if TYPE_CHECKING:
    from trainers.run import Job, Run


def _space(facts: StudyFacts) -> Mapping[str, Parameter]:
    """Ranges around those of "LoRA Without Regret" and QLoRA."""
    small = facts.n_train_rows < SMALL_DATA
    centre = learning_rate(facts.hidden_size, facts.parameters, facts.spec.base_model)
    full = facts.spec.adapter is Adapter.FULL
    return {
        # TML: full fine-tuning wants about a tenth of LoRA's rate
        "learning_rate": log_range(1e-6, 3e-4, centre / 10) if full else log_range(1e-5, 3e-3, centre),
        "lora_rank": choices(16, 4, 8, 16, 32) if small else choices(16, 8, 16, 32, 64),  # TML
        "lora_alpha": fixed(32),  # TML: constant; under Adam a second learning rate, so not searched
        "lora_dropout": choices(0.05 if small else 0.0, 0.0, 0.05, 0.1),  # QLoRA, arXiv 2305.14314
        "target_modules": choices("all-linear", "all-linear", "mlp"),  # TML, PEFT: attention only loses
        "batch_size": choices(16, 8, 16, 32),  # TML: LoRA loses at large batches; TRL docs: below 32
        "epochs": epochs(facts.n_train_rows, facts.embedded, default=2),
        "weight_decay": choices(0.0, 0.0, 0.01),  # axolotl warns above 0.1
        "warmup_ratio": fixed(0.03),  # QLoRA, arXiv 2305.14314, table 9
        "scheduler": choices("cosine", "cosine", "linear", "constant"),  # HB: cosine; QLoRA: constant
        "max_grad_norm": fixed(1.0),
    }


def _encode(row: Row, tokenizer: Any) -> Row:
    """`input_ids` and `labels`, -100 where not trained."""
    if "messages" in row:
        ids, mask = encode_chat(tokenizer, row["messages"])
        labels = [i if bit else IGNORED for i, bit in zip(ids, mask, strict=True)]
    elif "completion" in row:
        prompt, completion = encode_pair(tokenizer, row["prompt"], row["completion"])
        ids, labels = prompt + completion, [IGNORED] * len(prompt) + completion
    else:
        ids = encode_text(tokenizer, row["text"])
        labels = list(ids)
    return {"input_ids": ids, "labels": labels}


def _cut(row: Row, limit: int, tokenizer: Any) -> tuple[Row | None, bool]:
    """The first `limit` tokens; None where no trained token is left."""
    ids, labels, long = row["input_ids"][:limit], row["labels"][:limit], len(row["input_ids"]) > limit
    trained = any(label != IGNORED for label in labels[1:])  # nothing predicts the first token
    return ({"input_ids": ids, "labels": labels, "length": len(ids)} if trained else None), long


def _train(job: "Job") -> "Run":
    """Fit the adapter. Batches group rows of similar length, which pads less.

    The rows come with their labels, so TRL's own templating, truncation and masking are skipped.
    """
    from trl import SFTConfig, SFTTrainer

    job.begin()
    arguments = SFTConfig(
        **job.arguments,
        train_sampling_strategy="group_by_length",
        max_length=None,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    tokens, validation = job.train_tokens.dataset, job.validation_tokens.dataset
    return job.run(SFTTrainer, arguments, tokens, validation, peft_config=job.adapter)


def learning_rate(hidden_size: int | None, parameters: int | None, base_model: str = "") -> float:
    """Centre of the learning-rate prior of LoRA SFT.

    5e-4 x (2000 / H) ** p, p = 0.781 for Llama and 0.0775 for Qwen (tinker-cookbook hyperparam_utils.py); 2e-4 for
    other families (QLoRA, TRL); 1e-3 for models up to 360 M parameters of other families.
    """
    name = base_model.lower()
    if hidden_size and "qwen" in name:
        return float(5e-4 * (2000 / hidden_size) ** 0.0775)
    if hidden_size and "llama" in name:
        return float(min(5e-4 * (2000 / hidden_size) ** 0.781, 3e-3))
    return 1e-3 if parameters is not None and parameters <= 360_000_000 else 2e-4


SFT = TaskTrainer(task=Task.SFT, space=_space, settings=published(__file__), encode=_encode, cut=_cut, train=_train)

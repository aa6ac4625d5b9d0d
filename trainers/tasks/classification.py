"""Text classification: a sequence-classification head and an adapter, cross entropy with optional class weights."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trainers.data import Row
from trainers.space import Parameter
from trainers.spec import Adapter, Task, TrainSpec
from trainers.tasks.trainer import StudyFacts, TaskTrainer, choices, epochs, fixed, log_range, published

if TYPE_CHECKING:
    import torch

    from trainers.run import Job, Run


def _space(facts: StudyFacts) -> Mapping[str, Parameter]:
    """Ranges around those of microsoft/LoRA's GLUE scripts."""
    full = facts.spec.adapter is Adapter.FULL
    return {
        # MSL: 5e-4 for roberta-base, 3e-4 for large; decoders 1e-4 to 5e-4. Full: BERT paper, 2e-5 to 5e-5
        "learning_rate": log_range(5e-6, 2e-4, 3e-5) if full else log_range(3e-5, 3e-3, _rate(facts.parameters)),
        "lora_rank": choices(8, 4, 8, 16, 32),  # MSL: 8, 16 for the largest
        "lora_alpha": fixed(16),  # MSL: 16 with rank 8; under Adam alpha is a second learning rate, so not searched
        "lora_dropout": choices(0.1, 0.0, 0.1),  # MSL: 0.1
        "target_modules": choices("all-linear", "all-linear", "attention", "qv"),  # TML, PEFT: all layers; MSL: qv
        "batch_size": choices(32, 16, 32, 64),  # MSL: 16 to 32 a device
        # transformers' num_train_epochs; MSL: 10 to 60 on GLUE
        "epochs": epochs(facts.n_train_rows, facts.embedded, default=3),
        "weight_decay": choices(0.01, 0.0, 0.01, 0.1),  # MSL: 0.01 to 0.1
        "warmup_ratio": fixed(0.06),  # MSL
        "scheduler": choices("linear", "linear", "cosine"),  # MSL: linear
        "max_grad_norm": fixed(1.0),  # transformers' default
        "head_lr_ratio": choices(1, 1, 3, 10),  # MSL trains head and adapter at one rate
    }


def _encode(row: Row, tokenizer: Any) -> Row:
    """`input_ids`, `labels` (one int), and the text for cutting."""
    ids = list(tokenizer(row["text"])["input_ids"])
    return {"input_ids": ids, "labels": int(row["label"]), "text": row["text"]}


def _cut(row: Row, limit: int, tokenizer: Any) -> tuple[Row | None, bool]:
    """The start of the text, cut by the tokenizer, which keeps its closing [SEP]."""
    text, long = row.pop("text"), len(row["input_ids"]) > limit
    if long:
        row["input_ids"] = list(tokenizer(text, truncation=True, max_length=limit)["input_ids"])
    return {**row, "length": len(row["input_ids"])}, long


def _train(job: "Job") -> "Run":
    """Fit the head and the adapter. Batches group rows of similar length, which pads less."""
    from peft import get_peft_model
    from transformers import Trainer, TrainingArguments

    from trainers.adapters import head_modules  # torch, peft
    from trainers.run import trainable_in_fp32  # torch, transformers

    job.begin()
    model = job.loaded.model if job.adapter is None else get_peft_model(job.loaded.model, job.adapter)
    trainable_in_fp32(model)
    return job.run(
        Trainer,
        TrainingArguments(**job.arguments, train_sampling_strategy="group_by_length"),
        list(job.train_tokens.rows),
        list(job.validation_tokens.rows),
        model=model,
        data_collator=padder(job.loaded.tokenizer.pad_token_id),
        compute_loss_func=weighted_loss(job.spec.class_weights),
        optimizers=(optimizer(model, job.spec, head_modules(job.loaded)), None),
    )


CLASSIFICATION = TaskTrainer(
    task=Task.CLASSIFICATION,
    language_model=False,
    grouped=True,
    space=_space,
    settings=published(__file__),
    encode=_encode,
    cut=_cut,
    train=_train,
)


def _rate(parameters: int | None) -> float:
    return 5e-4 if parameters is None or parameters <= 200_000_000 else 3e-4 if parameters <= 600_000_000 else 2e-4


def padder(pad_token_id: int) -> "Callable[[Sequence[Row]], dict[str, torch.Tensor]]":
    """A collator: input_ids and attention_mask (batch, longest), labels (batch,)."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    def collate(rows: Sequence[Row]) -> "dict[str, torch.Tensor]":
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad_token_id),
            "attention_mask": pad_sequence([torch.ones_like(i) for i in ids], batch_first=True),
            "labels": torch.tensor([row["labels"] for row in rows]),
        }

    return collate


def weighted_loss(class_weights: Sequence[float]) -> "Callable[..., torch.Tensor]":
    """Cross entropy times the weight of the row's class, summed over the batch and divided by its number of rows.

    Dividing by rows of the whole accumulated batch makes the loss independent of how it is cut into micro-batches.
    """
    import torch

    def loss(outputs: Any, labels: "torch.Tensor", num_items_in_batch: Any = None) -> "torch.Tensor":
        weights = torch.tensor(class_weights, device=labels.device) if class_weights else None
        logits = outputs["logits"].float()
        total = torch.nn.functional.cross_entropy(logits, labels, weight=weights, reduction="sum")
        return total / (len(labels) if num_items_in_batch is None else num_items_in_batch)

    return loss


def optimizer(model: Any, spec: TrainSpec, heads: Sequence[str]) -> "torch.optim.Optimizer":
    """AdamW whose head learns at `head_lr_ratio` times the learning rate; no weight decay on biases and norms.

    `heads` are the names of the modules that count as the head.
    """
    import torch

    ratio, decay = float(spec.config["head_lr_ratio"]), float(spec.config["weight_decay"])
    rate = float(spec.config["learning_rate"])
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = (bool(set(heads) & set(name.split("."))), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": params, "lr": rate * (ratio if is_head else 1.0), "weight_decay": decay if is_matrix else 0.0}
            for (is_head, is_matrix), params in sorted(groups.items(), key=lambda item: item[0])
        ]
    )

"""Text classification: a sequence-classification head and an adapter, cross entropy with optional class weights."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from peft import get_peft_model
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import Trainer, TrainingArguments, set_seed

from trainers.adapters import head_modules, lora_config
from trainers.arguments import common_arguments
from trainers.base import Loaded, init_head
from trainers.data import Row
from trainers.run import Job, Run, carry_out, trainable_in_fp32
from trainers.spec import TrainSpec


def train(job: Job) -> Run:
    """Fit the head and the adapter of `job.spec`. Batches group rows of similar length, which pads less."""
    spec, loaded = job.spec, job.loaded
    tokens, validation = job.train_tokens, job.validation_tokens
    set_seed(spec.seed)
    init_head(loaded, spec.seed)
    adapter = lora_config(spec, loaded)
    model = loaded.model if adapter is None else get_peft_model(loaded.model, adapter)
    trainable_in_fp32(model)
    arguments = TrainingArguments(
        **common_arguments(spec, job.micro_batch, loaded.model.num_parameters()),
        train_sampling_strategy="group_by_length",
    )
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=list(tokens.rows),
        eval_dataset=list(validation.rows),
        processing_class=loaded.tokenizer,
        data_collator=padder(loaded.tokenizer.pad_token_id),
        compute_loss_func=weighted_loss(spec.class_weights),
        optimizers=(optimizer(model, spec, loaded), None),
        callbacks=[job.progress],
    )
    return Run(carry_out(trainer), tokens)


def padder(pad_token_id: int) -> Callable[[Sequence[Row]], dict[str, torch.Tensor]]:
    """A collator: input_ids and attention_mask (batch, longest), labels (batch,)."""

    def collate(rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=pad_token_id),
            "attention_mask": pad_sequence([torch.ones_like(i) for i in ids], batch_first=True),
            "labels": torch.tensor([row["labels"] for row in rows]),
        }

    return collate


def weighted_loss(class_weights: Sequence[float]) -> Callable[..., torch.Tensor]:
    """Cross entropy times the weight of the row's class, summed over the batch and divided by its number of rows.

    Dividing by rows of the whole accumulated batch makes the loss independent of how it is cut into micro-batches.
    """

    def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        weights = torch.tensor(class_weights, device=labels.device) if class_weights else None
        logits = outputs["logits"].float()
        total = cross_entropy(logits, labels, weight=weights, reduction="sum")
        return total / (len(labels) if num_items_in_batch is None else num_items_in_batch)

    return loss


def optimizer(model: Any, spec: TrainSpec, loaded: Loaded) -> torch.optim.Optimizer:
    """AdamW whose head learns at `head_lr_ratio` times the learning rate; no weight decay on biases and norms."""
    heads = set(head_modules(loaded))
    ratio, decay = float(spec.config["head_lr_ratio"]), float(spec.config["weight_decay"])
    rate = float(spec.config["learning_rate"])
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = (bool(heads & set(name.split("."))), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": params, "lr": rate * (ratio if is_head else 1.0), "weight_decay": decay if is_matrix else 0.0}
            for (is_head, is_matrix), params in sorted(groups.items(), key=lambda item: item[0])
        ]
    )

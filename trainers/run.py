"""What every trainer takes and gives back, and what they share around the training call."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import PrinterCallback

from trainers.base import Loaded
from trainers.data import TokenCache, Tokens
from trainers.progress import Progress
from trainers.spec import TrainSpec


@dataclass(frozen=True)
class Job:
    """One attempt, ready to train."""

    spec: TrainSpec
    loaded: Loaded
    cache: TokenCache
    micro_batch: int
    progress: Progress

    @property
    def train_tokens(self) -> Tokens:
        """The tokenised training rows."""
        return self._tokens("train_file")

    @property
    def validation_tokens(self) -> Tokens:
        """The tokenised validation rows."""
        return self._tokens("validation_file")

    def _tokens(self, field: str) -> Tokens:
        spec = self.spec
        return self.cache.get(getattr(spec, field), spec.task, self.loaded.tokenizer, spec.max_seq_length)


@dataclass(frozen=True)
class Run:
    """A finished training."""

    model: Any
    """The trained model: a PeftModel, or the base itself after full fine-tuning."""
    tokens: Tokens
    reference: Any = None
    """The untrained model, kept for preference tuning of all weights; None: take the adapter off instead."""


def carry_out(trainer: Any) -> Any:
    """Train without printing; returns the trained model."""
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer.model


def trainable_in_fp32(model: Any) -> None:
    """Keep trained weights in fp32 on a half-precision base: bf16 swallows small updates."""
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.dtype in (torch.bfloat16, torch.float16):
            parameter.data = parameter.data.float()


def plain(model: Any) -> Any:
    """`model` in eval mode without what trainers put around its forward: wrappers (docs/traps.md, 1) and autocast."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    for module in (model, base):
        vars(module).pop("forward", None)
        vars(module).pop("_original_forward", None)
    return model.eval()

"""What every trainer takes and gives back, and what they share around the training call."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from peft import LoraConfig
from transformers import PrinterCallback, set_seed

from trainers.adapters import lora_config
from trainers.arguments import common_arguments
from trainers.base import Loaded, init_head
from trainers.data import Coding, Row, TokenCache, Tokens
from trainers.progress import Progress
from trainers.spec import TrainSpec


@dataclass(frozen=True)
class Run:
    """A finished training."""

    model: Any
    """The trained model: a PeftModel, or the base itself after full fine-tuning."""
    tokens: Tokens
    reference: Any = None
    """The untrained model, kept for preference tuning of all weights; None: take the adapter off instead."""


@dataclass(frozen=True)
class Job:
    """One attempt, ready to train."""

    spec: TrainSpec
    loaded: Loaded
    coding: Coding
    cache: TokenCache
    micro_batch: int
    progress: Progress

    @cached_property
    def train_tokens(self) -> Tokens:
        """The tokenised training rows."""
        return self._tokens("train_file")

    @cached_property
    def validation_tokens(self) -> Tokens:
        """The tokenised validation rows."""
        return self._tokens("validation_file")

    def _tokens(self, field: str) -> Tokens:
        file, limit = getattr(self.spec, field), self.spec.max_seq_length
        return self.cache.get(file, self.coding, self.loaded.tokenizer, limit)

    @cached_property
    def adapter(self) -> LoraConfig | None:
        """The adapter to train; None: all weights."""
        return lora_config(self.spec, self.loaded)

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of TrainingArguments and of every TRL config."""
        return common_arguments(self.spec, self.micro_batch, self.loaded.model.num_parameters())

    def begin(self) -> None:
        """Set every random state from the seed, and the new head, if there is one."""
        set_seed(self.spec.seed)
        init_head(self.loaded, self.spec.seed)

    def run(
        self,
        trainer_class: type[Any],
        arguments: Any,
        train_rows: Any,
        validation_rows: Any,
        reference: Any = None,
        **options: Any,
    ) -> Run:
        """Train with a trainer of transformers or TRL, which prints nothing and reports to nobody.

        `reference` goes into the `Run`, `options` to the trainer; the model is the base unless they name another.
        """
        trainer = quiet(trainer_class)(
            args=arguments,
            train_dataset=train_rows,
            eval_dataset=validation_rows,
            processing_class=self.loaded.tokenizer,
            callbacks=[self.progress],
            **{"model": self.loaded.model, **options},
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        return Run(trainer.model, self.train_tokens, reference)


def quiet(trainer_class: type[Any]) -> type[Any]:
    """A library's trainer on tokenised rows, without its usage report to the hub and its model card."""
    return type(trainer_class.__name__, (_Quiet, trainer_class), {})


class _Quiet:
    def _send_telemetry(self) -> None:
        return None

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        return None  # the report writes the card

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset

    @staticmethod
    def tokenize_row(feature: Row, model: Any = None) -> Row:
        return feature


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

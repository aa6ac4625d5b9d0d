"""Which weights are trained: a fresh PEFT configuration for every attempt (docs/traps.md, 3), or all of them."""

from typing import Any

import torch
from peft import LoraConfig, TaskType
from transformers.pytorch_utils import Conv1D

from trainers.base import Loaded
from trainers.errors import InputError
from trainers.spec import Adapter, TrainSpec

PARAM = "search.target_modules"
HEAD_NAMES = frozenset({"classifier", "score", "pre_classifier", "classification_head"})
QUERY_VALUE = frozenset({"q_proj", "v_proj", "query", "value", "q_lin", "v_lin", "c_attn", "query_key_value", "Wqkv"})
"""Names of query and value projections; where an architecture fuses them with the key, the fused one."""


def lora_config(spec: TrainSpec, loaded: Loaded) -> LoraConfig | None:
    """The adapter of `spec` for this base; None for full fine-tuning. Raises InputError for an unusable setting."""
    if spec.adapter is Adapter.FULL:
        return None
    classifying = bool(spec.labels)
    return LoraConfig(
        task_type=TaskType.SEQ_CLS if classifying else TaskType.CAUSAL_LM,
        r=int(spec.config["lora_rank"]),
        lora_alpha=int(spec.config["lora_alpha"]),
        lora_dropout=float(spec.config["lora_dropout"]),
        target_modules=target_modules(loaded.model, str(spec.config["target_modules"]), loaded.head),
        modules_to_save=head_modules(loaded) if classifying else None,
        use_rslora=spec.adapter is Adapter.RSLORA,
        use_dora=spec.adapter is Adapter.DORA,
    )


def target_modules(model: Any, choice: str, head: tuple[str, ...] = ()) -> list[str]:
    """Full names of the linear layers of the backbone that `choice` means.

    all-linear: every one; attention: those of attention blocks; mlp: the others; qv: query and value projections.
    Never the output layer or a new head. Raises InputError if the architecture has none of the kind.
    """
    output, heads = model.get_output_embeddings(), _fresh(model, head) | HEAD_NAMES
    linear = (
        name
        for name, module in model.named_modules()
        if isinstance(module, (torch.nn.Linear, Conv1D)) and module is not output and _top(name, model) not in heads
    )
    names = [name for name in linear if _is_kind(name, choice)]
    if not names:
        raise InputError(PARAM, f"{choice!r} names no layer of {type(model).__name__}.", "Use all-linear.")
    return names


def head_modules(loaded: Loaded) -> list[str]:
    """Modules trained in full beside a classification adapter: the head, and whatever else the checkpoint lacks."""
    children = {name for name, _ in loaded.model.named_children()}
    return sorted(_fresh(loaded.model, loaded.head) | (HEAD_NAMES & children))


def _fresh(model: Any, head: tuple[str, ...]) -> set[str]:
    """The modules of the parameters that the checkpoint lacks."""
    return {_top(parameter.rpartition(".")[0], model) for parameter in head}


def _top(name: str, model: Any) -> str:
    """The module right below the model or its backbone that holds `name`: "bert.pooler.dense" gives "pooler"."""
    parts = name.split(".")
    return parts[1] if parts[0] == model.base_model_prefix and len(parts) > 1 else parts[0]


def _is_kind(name: str, choice: str) -> bool:
    attention = any("attn" in part or "attention" in part for part in name.lower().split("."))
    kinds = {
        "all-linear": True,
        "attention": attention,
        "mlp": not attention,
        "qv": name.rpartition(".")[2] in QUERY_VALUE,
    }
    if choice not in kinds:
        raise InputError(PARAM, f"must be one of {', '.join(kinds)}, got {choice!r}.", "Choose one.")
    return kinds[choice]

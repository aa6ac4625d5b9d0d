"""The one map from a configuration of ours to the arguments of transformers and TRL trainers."""

from pathlib import Path
from typing import Any

from trainers.spec import Config, TrainSpec

SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
"""Our names to transformers' names; "constant" keeps its warmup."""


def split_batch(batch_size: int, micro_batch: int) -> tuple[int, int]:
    """Per-device batch and accumulation steps whose product is exactly `batch_size`.

    The per-device batch is the largest divisor of `batch_size` that is at most `micro_batch`.
    """
    per_device = max(d for d in range(1, min(batch_size, micro_batch) + 1) if batch_size % d == 0)
    return per_device, batch_size // per_device


def step_at(share: float, steps: int) -> int:
    """The step that ends `share` (above 0, at most 1) of a run of `steps` optimizer steps; 1 or more."""
    return max(1, round(share * steps))


def checkpointed(device: str, n_parameters: int) -> bool:
    """Whether only the inputs of layers are kept and the rest is computed again: one forward more, far less memory.

    On a GPU, above about 1e9 parameters: activations outgrow everything else there (docs/traps.md).
    """
    return device == "cuda" and n_parameters > 1_000_000_000


def common_arguments(spec: TrainSpec, micro_batch: int, n_parameters: int) -> dict[str, Any]:
    """Keyword arguments of TrainingArguments and of every TRL config, from `spec.config`.

    Logging and evaluation are driven by `trainers.progress.Progress`, so the strategies are "no" here.
    """
    config = spec.config
    per_device, accumulation = split_batch(int(config["batch_size"]), micro_batch)
    return {
        "output_dir": str(scratch_directory(spec)),
        "learning_rate": float(config["learning_rate"]),
        "per_device_train_batch_size": per_device,
        "per_device_eval_batch_size": per_device,
        "gradient_accumulation_steps": accumulation,
        "num_train_epochs": float(config["epochs"]),
        "lr_scheduler_type": SCHEDULERS[str(config["scheduler"])],
        # transformers 5 has no warmup_ratio; warmup_steps below 1 is a share of the run (docs/traps.md, 7)
        "warmup_steps": min(float(config["warmup_ratio"]), 0.99),
        "weight_decay": float(config["weight_decay"]),
        "max_grad_norm": float(config["max_grad_norm"]),
        "optim": "adamw_torch",
        "seed": spec.seed,
        "data_seed": spec.seed,
        # TRL reads None as True, also on the CPU (docs/traps.md, 8)
        "bf16": spec.precision == "bf16",
        "fp16": False,
        "use_cpu": spec.device == "cpu",
        "gradient_checkpointing": checkpointed(spec.device, n_parameters),
        "report_to": "none",
        "save_strategy": "no",
        "eval_strategy": "no",
        "logging_strategy": "no",
        "logging_nan_inf_filter": False,  # would replace a NaN loss by an average
        "disable_tqdm": True,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": spec.device == "cuda",
        "remove_unused_columns": False,
    }


def scratch_directory(spec: TrainSpec) -> Path:
    """Where libraries may write during the run; removed at its end."""
    return spec.output_dir.with_name(spec.output_dir.name + ".scratch")


def preference_arguments(config: Config, loss: str) -> dict[str, Any]:
    """What a preference loss adds: its own parameters, under TRL's names (docs/traps.md)."""
    specific: dict[str, Any] = {"loss_type": loss}
    if loss == "simpo":
        # cpo_alpha's default of 1.0 would add the CPO likelihood term and train CPO-SimPO instead
        gamma = float(config["simpo_gamma"]) * float(config["beta"])
        specific |= {"cpo_alpha": 0.0, "simpo_gamma": gamma}
    if loss == "robust":
        specific["label_smoothing"] = float(config["label_smoothing"])
    return {"beta": float(config["beta"]), "disable_dropout": True, **specific}

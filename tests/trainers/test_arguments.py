"""The map from our configuration to the libraries' arguments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.arguments import common_arguments, preference_arguments, split_batch


@given(batch=st.integers(1, 512), micro=st.integers(1, 64))
def test_effective_batch_is_exact(batch, micro):
    """Per-device batch times accumulation is the batch asked for, and no larger divisor would fit."""
    per_device, accumulation = split_batch(batch, micro)
    assert per_device * accumulation == batch
    assert per_device <= micro
    assert not [d for d in range(per_device + 1, min(batch, micro) + 1) if batch % d == 0]


def test_warmup_precision_and_schedule_are_mapped(classification):
    """Traps 1 and 2: warmup is a share in warmup_steps, bf16 and use_cpu are said explicitly."""
    from transformers import TrainingArguments

    spec = classification(warmup_ratio=0.06, scheduler="constant", precision="bf16")
    arguments = TrainingArguments(**common_arguments(spec, 4, 100))
    assert arguments.get_warmup_steps(100) == 6
    assert arguments.bf16 is True
    assert arguments.use_cpu is True
    assert arguments.lr_scheduler_type == "constant_with_warmup"
    assert arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps == 8
    assert arguments.logging_nan_inf_filter is False
    assert arguments.report_to == []


def test_trl_does_not_turn_bf16_on_by_itself(sft):
    """Trap 2: fp32 stays fp32 in TRL's configuration."""
    from trl import SFTConfig

    assert SFTConfig(**common_arguments(sft(), 4, 100)).bf16 is False


def test_simpo_drops_the_likelihood_term():
    """cpo_alpha is 0, and gamma is the ratio times beta."""
    arguments = preference_arguments({"beta": 2.5, "simpo_gamma": 0.5}, "simpo")
    assert arguments["cpo_alpha"] == 0.0
    assert arguments["simpo_gamma"] == 1.25


@pytest.mark.parametrize("loss", ["sigmoid", "sigmoid_norm", "ipo", "hinge", "apo_zero"])
def test_label_smoothing_goes_to_robust_only(loss):
    """Only the robust loss reads label_smoothing."""
    assert "label_smoothing" not in preference_arguments({"beta": 0.1, "label_smoothing": 0.2}, loss)
    assert preference_arguments({"beta": 0.1, "label_smoothing": 0.2}, "robust")["label_smoothing"] == 0.2


def test_steps_are_counted_as_the_trainer_counts_them(classification):
    """The schedule's length equals that of the run."""
    from trainers.base import Resident
    from trainers.fit import fit

    spec = classification(batch_size=8, micro_batch=4, epochs=2)
    result = fit(spec, Resident(), lambda p, n: None).result
    assert result.steps == 12

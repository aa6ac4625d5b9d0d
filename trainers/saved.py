"""Opening a saved adapter in any process, after checking every file against its manifest, and merging it.

A merge is checked by comparing logits before and after (peft #1035, #2502).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from trainers.embedded import MINILM, minilm_path
from trainers.errors import InputError, TunewrightError
from trainers.open_base import open_model, open_tokenizer
from trainers.save import FACTS_FILE, MANIFEST_FILE, SavedFacts, scratch_beside, seal, sha256, swap
from trainers.spec import Adapter, TrainSpec

MAX_DIFFERENCE = 1e-2
"""Largest accepted difference of any logit, as a share of the largest logit; fp32 rounding gives about 1e-6."""

PROBE = ("The quick brown fox jumps over the lazy dog.", "def mean(values): return sum(values) / len(values)", "42")


class MergeFailed(TunewrightError):
    """The merged model does not compute what the adapter computes."""

    code = "merge_failed"


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


def merge(directory: Path, out: Path) -> float:
    """Write the base model with the adapter of `directory` merged in, in fp32, with tokenizer and head, to `out`.

    Returns the largest absolute difference of the probe's logits between the merged model, read back from disk, and
    the adapter. Raises MergeFailed if it is more than rounding, InputError for an unusable adapter. Costs two loads
    of the base model.
    """
    import torch

    saved = load_saved(directory, device="cpu")
    before = _probe(saved.model, saved.tokenizer)
    whole = saved.facts.adapter is Adapter.FULL
    merged = saved.model if whole else saved.model.merge_and_unload(safe_merge=True)
    with scratch_beside(out) as name:
        scratch = Path(name)
        merged.to(torch.float32).save_pretrained(scratch)
        saved.tokenizer.save_pretrained(scratch)
        facts = saved.facts.model_copy(update={"adapter": Adapter.FULL, "revision": None})
        (scratch / FACTS_FILE).write_text(facts.model_dump_json(indent=2), encoding="utf-8")
        seal(scratch)
        again = load_saved(scratch, device="cpu")
        difference = float((_probe(again.model, again.tokenizer) - before).abs().max())
        if difference > MAX_DIFFERENCE * max(1.0, float(before.abs().max())):
            raise MergeFailed(f"logits of the merged model differ from the adapter's by {difference:.3g}.")
        swap(scratch, out)
    return difference


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


def _probe(model: Any, tokenizer: Any) -> Any:
    """Logits of fixed texts, one after the other, as one vector."""
    import torch

    with torch.inference_mode():
        rows = [model(**tokenizer(text, return_tensors="pt")).logits.float().flatten() for text in PROBE]
    return torch.cat(rows)

"""Merging an adapter into its base model, checked by comparing logits before and after (peft #1035, #2502)."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from trainers.errors import TunewrightError
from trainers.save import FACTS_FILE, seal, swap
from trainers.saved import load_saved
from trainers.spec import Adapter

MAX_DIFFERENCE = 1e-2
"""Largest accepted difference of any logit, as a share of the largest logit; fp32 rounding gives about 1e-6."""

PROBE = ("The quick brown fox jumps over the lazy dog.", "def mean(values): return sum(values) / len(values)", "42")


class MergeFailed(TunewrightError):
    """The merged model does not compute what the adapter computes."""

    code = "merge_failed"


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
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
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
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return difference


def _probe(model: Any, tokenizer: Any) -> Any:
    """Logits of fixed texts, one after the other, as one vector."""
    import torch

    with torch.inference_mode():
        rows = [model(**tokenizer(text, return_tensors="pt")).logits.float().flatten() for text in PROBE]
    return torch.cat(rows)

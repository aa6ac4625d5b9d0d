"""Handing an adapter over: a copy of its directory, or the base model with the adapter merged in."""

import shutil
from pathlib import Path

from trainers.errors import InputError
from trainers.saved import merge as merge_adapter
from trainers.spec import Closed


class Exported(Closed):
    """What was written."""

    directory: Path
    merged: bool
    megabytes: float
    max_logit_difference: float | None = None
    """Largest difference of logits between adapter and merged model on a probe; None for a plain copy."""


def export(adapter: Path, out: Path, *, merge: bool) -> Exported:
    """Write `adapter` to the new directory `out`; with `merge`, as a full model in fp32.

    Raises InputError where `adapter` is not a saved adapter or `out` exists. Merging costs one load of the base model
    and one forward pass before and after.
    """
    if not (adapter / "MANIFEST.json").is_file():
        rule = f"must be an adapter directory with a MANIFEST.json, got {adapter}"
        raise InputError("adapter", rule, "Name the directory that a report printed.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError("out", f"must be a new or empty directory, got {out}", "Choose another name.")
    difference = merge_adapter(adapter, out) if merge else None
    if not merge:
        shutil.copytree(adapter, out, dirs_exist_ok=True)
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file()) / 1e6
    return Exported(directory=out, merged=merge, megabytes=round(size, 2), max_logit_difference=difference)

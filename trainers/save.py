"""Writing a trained adapter: temporary directory, fsync, manifest, rename. safetensors and JSON only."""

import hashlib
import json
import os
import re
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from trainers.spec import Adapter, Closed, Columns, Config, Loss, Task, TrainSpec

FACTS_FILE, MANIFEST_FILE = "tunewright.json", "MANIFEST.json"
PACKAGES = ("torch", "transformers", "peft", "trl", "tokenizers", "safetensors")


class SavedFacts(Closed):
    """What is needed to open a saved adapter again, in `tunewright.json` beside it."""

    task: Task
    base_model: str
    base_path: str
    revision: str | None
    adapter: Adapter
    loss: Loss | None
    labels: tuple[str, ...]
    columns: Columns = Columns()
    """Of the training data: data to evaluate on are read alike."""
    max_seq_length: int
    config: Config
    seed: int
    precision: Literal["fp32", "bf16"] = "fp32"
    chat: bool = False
    """Trained on conversations, so to be asked in the model's chat template."""
    versions: dict[str, str]


def save(spec: TrainSpec, model: Any, tokenizer: Any, directory: Path) -> str:
    """Write weights, tokenizer and facts to `directory`, replacing what is there; returns the manifest's sha256.

    Readers see the old directory or the new one, never half of one. Costs the size of the trained weights twice.
    """
    with scratch_beside(directory) as name:
        scratch = Path(name)
        if spec.adapter is Adapter.FULL:
            model.save_pretrained(scratch)
        else:
            _name_base(spec, model)
            model.save_pretrained(scratch, save_embedding_layers=False)  # "auto" would ask the hub
            (scratch / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
        tokenizer.save_pretrained(scratch)
        (scratch / FACTS_FILE).write_text(facts_of(spec).model_dump_json(indent=2), encoding="utf-8")
        digest = seal(scratch)
        swap(scratch, directory)
    return digest


def _name_base(spec: TrainSpec, model: Any) -> None:
    """Let the adapter name its base by hub id and commit, so that it opens on other machines; a local base by path."""
    hub_id = re.fullmatch(r"[\w.-]+/[\w.-]+", spec.base_model) and not Path(spec.base_model).exists()
    for config in model.peft_config.values():
        config.base_model_name_or_path = spec.base_model if hub_id else spec.base_path
        config.revision = spec.revision if hub_id else None


def facts_of(spec: TrainSpec) -> SavedFacts:
    """The facts of a run with this spec on this installation; all rows of a training file are of one kind."""
    with spec.train_file.open(encoding="utf-8") as rows:
        chat = "messages" in json.loads(rows.readline() or "{}")
    return SavedFacts(
        **{name: value for name, value in spec if name in SavedFacts.model_fields},
        chat=chat,
        versions={name: version(name) for name in PACKAGES},
    )


def seal(directory: Path) -> str:
    """Flush every file of `directory` to disk and write a manifest of their sha256; returns the manifest's own."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    digests = {str(path.relative_to(directory)): sha256(path) for path in files}
    manifest = directory / MANIFEST_FILE
    manifest.write_text(json.dumps({"files": digests}, indent=2, sort_keys=True), encoding="utf-8")
    for path in [*files, manifest, directory]:
        sync(path)
    return sha256(manifest)


def scratch_beside(directory: Path) -> TemporaryDirectory[str]:
    """A directory to fill and move to `directory`, removed at the end if it was not."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    return TemporaryDirectory(prefix=f".{directory.name}.", dir=directory.parent, ignore_cleanup_errors=True)


def swap(scratch: Path, directory: Path) -> None:
    """Put `scratch` in the place of `directory`."""
    scratch.chmod(0o755)  # temporary directories are private
    if directory.exists():
        with scratch_beside(directory) as old:
            directory.rename(Path(old, "was"))
            scratch.rename(directory)
    else:
        scratch.rename(directory)
    sync(directory.parent)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Flush a file or directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

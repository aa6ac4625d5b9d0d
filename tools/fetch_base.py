"""Bringing a hub model onto this machine before any worker starts; workers have no network."""

from tools.base_model import BaseModelFacts
from trainers.errors import InputError

FILES = ("*.safetensors", "*.safetensors.index.json", "*.json", "tokenizer*", "*.model", "vocab*", "merges*", "*.jinja")
"""What is downloaded: weights as safetensors, configuration, tokenizer. Never pickles, never code."""


def fetch_base(base: BaseModelFacts) -> None:
    """Download the pinned revision into the hub cache where it is not there yet; local directories need nothing.

    Raises InputError where the hub refuses or cannot be reached.
    """
    from pathlib import Path

    if Path(base.path).is_dir():
        return
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(base.path, revision=base.revision, allow_patterns=list(FILES))
    except (OSError, ValueError) as error:
        raise InputError(
            "base_model",
            f"{base.name} must be downloadable or in the local cache, but the hub said: {error}",
            "Check the connection and your HF_TOKEN, or name a local directory.",
            code="hub_offline",
        ) from error

"""Bringing a hub model onto this machine before any worker starts; workers have no network."""

from tools.base_model import BaseModelFacts
from trainers.open_base import local_directory


def fetch_base(base: BaseModelFacts) -> None:
    """Download the pinned revision into the hub cache where it is not there yet; local directories need nothing.

    Weights as safetensors, configuration and tokenizer only: never pickles, never code. Raises InputError where the
    hub refuses or cannot be reached.
    """
    local_directory(base.path, base.revision)

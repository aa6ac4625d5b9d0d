"""The trained network back from its directory, for the tests that compare it."""

from pathlib import Path
from typing import Any

import torch
from transformers import LlamaForCausalLM


def load_network(directory: Path) -> Any:
    """The network in float32 for inference."""
    return LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32).eval().requires_grad_(False)

"""A small causal language model made on the spot, without torch and without a download.

Random weights behind a real tokenizer: it shows that SFT and preference tuning run end to end, nothing more. The
files depend only on this code, `tiny_causal_files/` and the running Python's standard library.
"""

import ast
import hashlib
import json
import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trainers.save import scratch_beside

FILES = Path(__file__).with_name("tiny_causal_files")
"""Configuration, generation settings, and the tokenizer's settings with the chat template."""

PAD, BEGIN, END, TURN, TURN_END = "<pad>", "<s>", "</s>", "<|turn|>", "<|end|>"


def version() -> str:
    """Digest of what the model is made from: this code and its files."""
    sources = (Path(__file__), *sorted(FILES.glob("*.json")))
    return hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:12]


def build_tiny_causal(directory: Path) -> Path:
    """Write the model to `directory` unless it is there; returns it. About 2.6 M parameters, a few seconds.

    Built in a temporary directory beside it and renamed, so that a killed build leaves nothing half done.
    """
    if (directory / "config.json").is_file():
        return directory
    with scratch_beside(directory) as name:
        scratch = Path(name)
        _write(scratch)
        scratch.chmod(0o755)
        try:
            scratch.rename(directory)
        except OSError:  # another process was first: the same code wrote the same files
            if not (directory / "config.json").is_file():
                raise
    return directory


def docstrings() -> Iterator[str]:
    """Docstrings of the running Python's standard library, in a fixed order."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for file in sorted(root.glob("*.py")):
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                text = ast.get_docstring(node)
                if text:
                    yield text


def _write(directory: Path) -> None:
    from safetensors.numpy import save_file

    config = json.loads((FILES / "config.json").read_bytes())
    for file in FILES.glob("*.json"):
        shutil.copyfile(file, directory / file.name)
    _tokenizer(config["vocab_size"]).save(str(directory / "tokenizer.json"))
    save_file(_weights(config), str(directory / "model.safetensors"), metadata={"format": "pt"})


def _tokenizer(n_tokens: int) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=n_tokens,
        special_tokens=[PAD, BEGIN, END, TURN, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(docstrings(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN} $B", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))]
    )
    return tokenizer


def _weights(config: dict[str, Any]) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Normal(0, 0.02) matrices (the initialisation of transformers' Llama), ones for norms; float32."""
    rng = np.random.default_rng(0)
    hidden, inner, n_layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]

    def normal(rows: int, columns: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return (rng.standard_normal((rows, columns)) * 0.02).astype(np.float32)

    shapes = {f"self_attn.{name}_proj": (hidden, hidden) for name in "qkvo"}
    shapes |= {"mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
    tensors = {"model.embed_tokens.weight": normal(config["vocab_size"], hidden)}
    for layer in range(n_layers):
        tensors |= {f"model.layers.{layer}.{name}.weight": normal(*shape) for name, shape in shapes.items()}
    norms = [f"layers.{i}.{place}_layernorm" for i in range(n_layers) for place in ("input", "post_attention")]
    return tensors | {f"model.{name}.weight": np.ones(hidden, dtype=np.float32) for name in ("norm", *norms)}

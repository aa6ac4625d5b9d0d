"""A small causal language model made on the spot, without torch and without a download.

Random weights behind a real tokenizer: it shows that SFT and preference tuning run end to end, nothing more. The
files depend only on this code and the running Python's standard library.
"""

import ast
import json
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trainers.save import scratch_beside

VOCABULARY = 4096
HIDDEN, INNER, LAYERS, HEADS, POSITIONS = 192, 512, 4, 4, 1024
BEGIN, END, PAD, TURN, TURN_END = "<s>", "</s>", "<pad>", "<|turn|>", "<|end|>"
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|turn|>{{ message['role'] }}\n"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<|end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)


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

    _tokenizer().save(str(directory / "tokenizer.json"))
    ids = {token: i for i, token in enumerate((PAD, BEGIN, END, TURN, TURN_END))}
    tokenizer = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": PAD,
        "additional_special_tokens": [TURN, TURN_END],
        "model_max_length": POSITIONS,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    special = {"bos_token_id": ids[BEGIN], "eos_token_id": ids[END], "pad_token_id": ids[PAD]}
    config: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": POSITIONS,
        "tie_word_embeddings": True,
        "dtype": "float32",
        **special,
    }
    _write_json(directory / "tokenizer_config.json", tokenizer)
    _write_json(directory / "generation_config.json", {**special, "eos_token_id": [ids[END], ids[TURN_END]]})
    save_file(_weights(), str(directory / "model.safetensors"), metadata={"format": "pt"})
    _write_json(directory / "config.json", config)


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2), encoding="utf-8")


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, BEGIN, END, TURN, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(docstrings(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN} $B", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))]
    )
    return tokenizer


def _weights() -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Normal(0, 0.02) matrices (the initialisation of transformers' Llama), ones for norms; float32."""
    rng = np.random.default_rng(0)

    def normal(rows: int, columns: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return (rng.standard_normal((rows, columns)) * 0.02).astype(np.float32)

    shapes = {f"self_attn.{name}_proj": (HIDDEN, HIDDEN) for name in "qkvo"}
    shapes |= {"mlp.gate_proj": (INNER, HIDDEN), "mlp.up_proj": (INNER, HIDDEN), "mlp.down_proj": (HIDDEN, INNER)}
    tensors = {"model.embed_tokens.weight": normal(VOCABULARY, HIDDEN)}
    for layer in range(LAYERS):
        tensors |= {f"model.layers.{layer}.{name}.weight": normal(*shape) for name, shape in shapes.items()}
    norms = [f"layers.{i}.{place}_layernorm" for i in range(LAYERS) for place in ("input", "post_attention")]
    return tensors | {f"model.{name}.weight": np.ones(HIDDEN, dtype=np.float32) for name in ("norm", *norms)}

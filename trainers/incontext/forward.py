"""The in-context model's forward pass in numpy: many configurations after one common history, without torch.

The same function as transformers' LlamaForCausalLM in float32 (a test compares them). The history is read once; every
configuration then attends to it without copies, which no general runtime does as cheaply for a network this small.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import deserialize
from scipy.special import softmax

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Read:
    """A history that was read: keys and values per layer, (heads, tokens, width of a head); the last layer's output."""

    keys: tuple[Array, ...]
    values: tuple[Array, ...]
    hidden: Array  # (tokens, width)


class Network:
    """Weights from a directory in Hugging Face's format. Reading 250 tokens takes about 20 ms on one core."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        self._layers, self._heads = config["num_hidden_layers"], config["num_attention_heads"]
        self._epsilon = config["rms_norm_eps"]
        self._theta = (config.get("rope_parameters") or config).get("rope_theta", 10000.0)

    @cached_property
    def _weights(self) -> dict[str, Array]:
        return tensors(self.directory / "model.safetensors")

    def read(self, tokens: list[int]) -> Read:
        """Read a history."""
        empty = tuple(np.zeros((self._heads, 0, 1), dtype=np.float32) for _ in range(self._layers))
        hidden, keys, values = self._run(np.array([tokens]), Read(empty, empty, np.zeros((0, 1), dtype=np.float32)))
        return Read(tuple(k[0] for k in keys), tuple(v[0] for v in values), hidden[0])

    def after(self, history: Read, tokens: NDArray[np.int64]) -> Array:
        """The last layer's output (M, width) at the end of each of M continuations (M, L) of the history."""
        return np.asarray(self._run(tokens, history)[0][:, -1])

    def shares(self, hidden: Array, words: slice | list[int]) -> Array:
        """Probabilities among `words` alone after each of (M, width) outputs."""
        return np.asarray(softmax(hidden @ self._weights["lm_head.weight"][words].T, axis=-1))

    def _run(self, tokens: NDArray[np.int64], history: Read) -> tuple[Array, list[Array], list[Array]]:
        w, (m, length), past = self._weights, tokens.shape, len(history.hidden)
        x = w["model.embed_tokens.weight"][tokens]
        width = x.shape[-1] // self._heads
        cosine, sine = self._angles(past, length, width)
        causal = np.triu(np.full((length, length), -1e9, dtype=np.float32), 1)
        all_keys, all_values = [], []
        for i in range(self._layers):
            name = f"model.layers.{i}."
            h = self._norm(x, w[name + "input_layernorm.weight"])

            def split(what: str, h: Array = h, name: str = name) -> Array:
                y = h @ w[f"{name}self_attn.{what}_proj.weight"].T
                return y.reshape(m, length, self._heads, width).transpose(0, 2, 1, 3)

            q, k, v = split("q"), split("k"), split("v")
            q, k = _turned(q, cosine, sine), _turned(k, cosine, sine)
            score = np.matmul(q, k.transpose(0, 1, 3, 2)) + causal
            if past:  # one product a head for all continuations: the history is the same
                flat = q.transpose(1, 0, 2, 3).reshape(self._heads, m * length, width)
                old = np.matmul(flat, history.keys[i].transpose(0, 2, 1)).reshape(self._heads, m, length, past)
                score = np.concatenate([old.transpose(1, 0, 2, 3), score], -1)
            score = softmax(score * np.float32(1.0 / np.sqrt(width)), axis=-1)
            mixed = np.matmul(score[..., past:], v)
            if past:
                flat = score[..., :past].transpose(1, 0, 2, 3).reshape(self._heads, m * length, past)
                old = np.matmul(flat, history.values[i]).reshape(self._heads, m, length, width)
                mixed = mixed + old.transpose(1, 0, 2, 3)
            x = x + mixed.transpose(0, 2, 1, 3).reshape(m, length, -1) @ w[f"{name}self_attn.o_proj.weight"].T
            h = self._norm(x, w[name + "post_attention_layernorm.weight"])
            gate = h @ w[name + "mlp.gate_proj.weight"].T
            inner = gate / (1 + np.exp(-gate)) * (h @ w[name + "mlp.up_proj.weight"].T)
            x = x + inner @ w[name + "mlp.down_proj.weight"].T
            all_keys.append(k)
            all_values.append(v)
        return self._norm(x, w["model.norm.weight"]), all_keys, all_values

    def _norm(self, x: Array, weight: Array) -> Array:
        return np.asarray(x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self._epsilon)) * weight)

    def _angles(self, first: int, length: int, width: int) -> tuple[Array, Array]:
        frequency = self._theta ** (-np.arange(0, width, 2) / width)
        angle = np.arange(first, first + length)[:, None] * frequency[None]
        angle = np.concatenate([angle, angle], -1)
        return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def _turned(x: Array, cosine: Array, sine: Array) -> Array:
    half = x.shape[-1] // 2
    return np.asarray(x * cosine + np.concatenate([-x[..., half:], x[..., :half]], -1) * sine)


def tensors(path: Path) -> dict[str, Array]:
    """All tensors of a safetensors file in float32; bfloat16, which numpy lacks, is the upper half of a float32."""
    arrays: dict[str, Array] = {}
    for name, entry in deserialize(path.read_bytes()):  # type: ignore[no-untyped-call]
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(entry["data"], dtype="<u2").astype(np.uint32) << 16).view(np.float32)
        elif entry["dtype"] == "F32":
            values = np.frombuffer(entry["data"], dtype="<f4")
        else:
            raise ValueError(f"{path} holds {name} as {entry['dtype']}; BF16 or F32 can be read")
        arrays[name] = values.reshape(entry["shape"])
    return arrays

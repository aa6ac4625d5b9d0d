"""Opening a base model and its tokenizer safely: safetensors only, no code from the checkpoint, revision pinned."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainers.embedded import TINY_CAUSAL
from trainers.errors import InputError
from trainers.spec import Adapter, TrainSpec

FILES = ["*.safetensors", "*.safetensors.index.json", "*.json", "tokenizer*", "*.model", "vocab*", "merges*", "*.jinja"]
CODE_KEYS = frozenset({"auto_map", "trust_remote_code", "custom_pipelines", "attn_implementation"})
"""Configuration keys through which a checkpoint can make a loader fetch or run code; so can every underscore key."""


def open_tokenizer(base_path: str, revision: str | None, *, adapter: bool = False) -> Any:
    """The tokenizer, with a padding token and right padding; `adapter`: one saved beside an adapter.

    Raises InputError.
    """
    from transformers import AutoTokenizer

    directory = Path(base_path) if adapter else local_directory(base_path, revision)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(directory), trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(base_path, "a tokenizer that transformers can load", error) from error
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token is None:
            rule = f"must have a padding or end-of-text token, and the tokenizer of {base_path} has neither."
            raise unusable_base(rule, "Choose another base model.")
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    return tokenizer


def open_model(spec: TrainSpec, tokenizer: Any) -> tuple[Any, tuple[str, ...]]:
    """The model in eval mode on `spec.device`, and the names of parameters its checkpoint does not hold.

    Where the spec has labels it gets a classification head for them; else it must be a language model already.
    fp32 weights on the CPU (bf16 there means autocast, which measured faster than bf16 weights: 0.33 s against
    0.43 s a step for MiniLM, batch 32, 64 tokens, and 0.68 s in fp32), for full fine-tuning and for `precision=fp32`;
    else bf16. Raises InputError("base_model", ...).
    """
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
    from transformers.utils import logging as transformers_logging

    directory = local_directory(spec.base_path, spec.revision)
    config = safe_config(directory, spec.base_path)
    if config.get_text_config().pad_token_id is None:
        config.get_text_config().pad_token_id = tokenizer.pad_token_id
    family = AutoModelForCausalLM
    if spec.labels:
        family = AutoModelForSequenceClassification
        config.num_labels = len(spec.labels)
        config.id2label = dict(enumerate(spec.labels))
        config.label2id = {label: index for index, label in enumerate(spec.labels)}
    transformers_logging.set_verbosity_error()  # what a load report says is in `head`
    transformers_logging.disable_progress_bar()
    try:
        model, info = family.from_pretrained(
            str(directory),
            config=config,
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=True,
            ignore_mismatched_sizes=bool(spec.labels),
            output_loading_info=True,
            **_placement(spec),
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if "out of memory" in str(error):
            raise
        raise _unreadable(spec.base_path, f"loadable for {spec.task}", error) from error
    if spec.adapter is not Adapter.QLORA:
        model.to(spec.device)
    invented = [key[0] if isinstance(key, tuple) else key for key in info["mismatched_keys"]]  # of another shape
    head = tuple(sorted({*info["missing_keys"], *invented}))
    if head and not spec.labels:
        rule = f"must be a language model for {spec.task}, and {spec.base_model} holds no {head[0]}."
        hint = "Choose a causal language model, for instance embedded:tiny-causal or Qwen/Qwen3-0.6B."
        raise unusable_base(rule, hint)
    return model.eval(), head


def safe_config(directory: Path, name: str) -> Any:
    """The configuration built from `config.json` without the keys that can name code. Raises InputError."""
    from transformers import CONFIG_MAPPING

    file = directory / "config.json"
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(name, "a readable config.json", error) from error
    kind = raw.get("model_type")
    if kind not in CONFIG_MAPPING:
        rule = f"must be of an architecture that transformers has built in, got model_type={kind!r} in {name}."
        raise unusable_base(rule, "Models that need their own code are not run; choose another base model.")
    return CONFIG_MAPPING[kind].from_dict(_scrubbed(raw))


def local_directory(base_path: str, revision: str | None) -> Path:
    """Where the files are: `base_path` itself, or the hub snapshot of the pinned revision (downloaded if needed).

    Raises InputError where the model is unknown, gated, unreachable, an adapter, or without safetensors weights.
    """
    directory = Path(base_path)
    if not directory.is_dir():
        from huggingface_hub import snapshot_download

        with hub_errors(base_path, revision):
            snapshot = snapshot_download(base_path, revision=revision, allow_patterns=FILES, ignore_patterns=["*/*"])
        directory = Path(snapshot)
    if (directory / "adapter_config.json").is_file():
        rule = f"must be a whole model, and {base_path} holds an adapter."
        hint = "Name the adapter's base model, or merge the adapter first (tunewright export --merge)."
        raise unusable_base(rule, hint)
    if not any(directory.glob("*.safetensors")):
        rule = f"must have its weights as safetensors, found none in {base_path}."
        raise unusable_base(rule, "Pickled weights are not opened; choose a model or revision with model.safetensors.")
    return directory


@contextmanager
def hub_errors(name: str, revision: str | None = None) -> Iterator[None]:
    """What the hub's errors mean for a base model: InputError with code gated_model, unknown_model or hub_offline."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        rule = f"{name} is gated: the hub gives it only to accounts that accepted its terms."
        hint = f"Accept them at https://huggingface.co/{name} and set HF_TOKEN, or choose an open model."
        raise unusable_base(rule, hint, "gated_model") from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError) as error:
        at = f" at {revision}" if revision else ""
        rule = f"the hub has no model {name!r}{at} (or it is private), and there is no such directory."
        hint = "Check the spelling at https://huggingface.co/models, set HF_TOKEN, or name a directory."
        raise unusable_base(rule, hint, "unknown_model") from error
    except InputError:
        raise
    except Exception as error:  # of any HTTP library or proxy: SOCKS without its package is an ImportError
        rule = f"{name!r} is not on this machine and the hub did not answer ({type(error).__name__})."
        hint = f"Connect and try again, or name a local directory; {TINY_CAUSAL} shows the loop without a download."
        raise unusable_base(rule, hint, "hub_offline") from error


def _scrubbed(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _scrubbed(v) for k, v in value.items() if not k.startswith("_") and k not in CODE_KEYS}
    if isinstance(value, list):
        return [_scrubbed(item) for item in value]
    return value


def _placement(spec: TrainSpec) -> dict[str, Any]:
    import torch

    if spec.adapter is not Adapter.QLORA:
        half = spec.device == "cuda" and spec.precision == "bf16" and spec.adapter is not Adapter.FULL
        return {"dtype": torch.bfloat16 if half else torch.float32}
    if spec.device != "cuda" or find_spec("bitsandbytes") is None:
        missing = "a CUDA device" if spec.device != "cuda" else "the bitsandbytes package"
        hint = "Use adapter=lora, or install the extra: pip install 'tunewright[qlora]' on a machine with a GPU."
        raise InputError("adapter", f"qlora needs {missing}, which is not here.", hint)
    from transformers import BitsAndBytesConfig

    four_bit = BitsAndBytesConfig(  # NF4 with double quantisation: QLoRA, arXiv 2305.14314, section 3
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"dtype": torch.bfloat16, "quantization_config": four_bit, "device_map": {"": 0}}


def _unreadable(name: str, need: str, error: Exception) -> InputError:
    reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    return unusable_base(f"{name} must be {need}: {reason}", "Check the files, or choose another base model.")


def unusable_base(rule: str, hint: str, code: str = "bad_input") -> InputError:
    """The error that a base model cannot be used, with what it must be and the next step."""
    return InputError("base_model", rule, hint, code)

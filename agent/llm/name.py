"""Spellings of `--llm`: which planner language model to ask."""

import ipaddress
import re
from typing import Literal
from urllib.parse import urlsplit

from trainers.errors import InputError
from trainers.spec import Closed

SPELLINGS = (
    "embedded, openai:MODEL, anthropic:MODEL, hf:MODEL_OR_PATH, vllm:MODEL_OR_PATH, http://HOST:PORT/v1#MODEL, "
    "or any LangChain provider:model"
)
_PROVIDER_MODEL = re.compile(r"([a-z][a-z0-9_-]*):(\S+)")


class LlmName(Closed):
    """One planner LLM, as configured. Holds no secret."""

    kind: Literal["embedded", "openai", "anthropic", "http", "hf", "vllm", "langchain"]
    model: str = ""
    base_url: str | None = None
    provider: str | None = None
    spelling: str

    @property
    def local(self) -> bool:
        """Whether nothing is paid per token: in this process, or a server on this machine or the own network."""
        if self.kind == "http":
            return _own_network(urlsplit(self.base_url or "").hostname or "")
        return self.kind in ("embedded", "hf", "vllm")


def parse_llm(spelling: str) -> LlmName:
    """The planner that `spelling` names. Raises InputError with the list of spellings for anything else."""
    text = spelling.strip()
    if text == "embedded":
        return LlmName(kind="embedded", spelling=text)
    if text.startswith(("http://", "https://")):
        return _endpoint(text)
    match = _PROVIDER_MODEL.fullmatch(text)
    if match is None:
        raise InputError("llm", f"must be one of {SPELLINGS}, got {spelling!r}.", "Correct --llm or TUNEWRIGHT_LLM.")
    provider, model = match.groups()
    kind = provider if provider in ("openai", "anthropic", "hf", "vllm") else "langchain"
    about = {"kind": kind, "model": model, "provider": provider.replace("-", "_"), "spelling": text}
    return LlmName.model_validate(about)


def _own_network(host: str) -> bool:
    """Whether `host` is a private address or a name without a public domain; others may well send a bill."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan"))


def _endpoint(text: str) -> LlmName:
    url, _, model = text.partition("#")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError("llm", f"the address must be valid: {error}.", "Write http://HOST:PORT/v1#MODEL.") from error
    if "@" in parts.netloc or parts.query:
        hint = "Put the key into the environment variable TUNEWRIGHT_API_KEY."
        raise InputError("llm", "an address must not hold a user name, password or query.", hint)
    if not host or not model or re.search(r"\s", text):
        raise InputError("llm", f"an address must be http://HOST:PORT/v1#MODEL, got {text!r}.", "Add what is missing.")
    return LlmName(kind="http", model=model, base_url=url.rstrip("/"), spelling=text)

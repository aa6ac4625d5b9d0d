"""The JSON in a model's reply, and the schemas that replies are held to."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from agent.llm.messages import Decoding, JsonSchema

MAX_REPLY_CHARACTERS = 200_000
MAX_ITEMS, MAX_CHARACTERS = 12, 300
"""Bounds on lists and free text that a schema leaves open: small models do not find the end by themselves."""

LIMITS = ("maxLength", "maxItems", "minimum", "maximum")
_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)


def extract_json(text: str) -> Any:
    """The JSON object in a reply that may wrap it in prose, Markdown fences or thinking. Raises ValueError if none."""
    if len(text) > MAX_REPLY_CHARACTERS:
        raise ValueError(f"the reply must have at most {MAX_REPLY_CHARACTERS} characters, got {len(text)}.")
    text = _THINKING.sub("", text).strip()
    decoder = json.JSONDecoder()
    start = text.find("{")
    problem = "the reply holds no JSON object."
    for _ in range(20):
        if start < 0:
            break
        try:
            return decoder.raw_decode(text, start)[0]
        except json.JSONDecodeError as error:
            problem = f"the reply is not valid JSON: {error}."
        except RecursionError:
            problem = "the reply is nested too deeply."
        start = text.find("{", start + 1)
    raise ValueError(problem)


def inlined_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of `model` without references, titles and defaults, as strict decoders want it."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    shape = _inlined(schema, definitions)
    shape["title"] = model.__name__
    return dict(shape)


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = definitions[node["$ref"].rsplit("/", 1)[1]]
    shape = {}
    for key, value in node.items():
        if key == "properties":
            shape[key] = {name: _inlined(part, definitions) for name, part in value.items()}
        elif key not in ("title", "default"):
            shape[key] = _inlined(value, definitions)
    return shape


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object with just these properties, all of them required, as strict decoders want it."""
    names = list(properties)
    return {"type": "object", "properties": dict(properties), "required": names, "additionalProperties": False}


def response_format(schema: JsonSchema, decoding: Decoding) -> dict[str, Any]:
    if decoding == "json_mode":
        return {"type": "json_object"}
    shape = {key: value for key, value in schema.items() if key != "title"}
    return {"type": "json_schema", "json_schema": {"name": schema["title"], "strict": True, "schema": shape}}


def bounded(schema: JsonSchema) -> Any:
    """`schema` with `MAX_ITEMS` on lists and `MAX_CHARACTERS` on strings where it sets no limit of its own."""
    return _rewritten(schema, lambda node: {**_open_ends(node), **node})


def _open_ends(node: JsonSchema) -> dict[str, int]:
    kinds = node.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    limits = {"maxItems": MAX_ITEMS} if "array" in kinds else {}
    if "string" in kinds and not {"enum", "const", "pattern", "format"} & set(node):
        limits["maxLength"] = MAX_CHARACTERS
    return limits


def without_limits(schema: JsonSchema) -> Any:
    """`schema` without the limits on lengths and numbers that hosted strict decoders refuse; local grammars need them,
    since a small model may write without end where it is free to."""
    return _rewritten(schema, lambda node: {k: v for k, v in node.items() if k not in LIMITS})


def _rewritten(node: Any, rewrite: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A schema, each object in it rewritten, the innermost first."""
    if isinstance(node, list):
        return [_rewritten(item, rewrite) for item in node]
    return rewrite({k: _rewritten(v, rewrite) for k, v in node.items()}) if isinstance(node, Mapping) else node


def readable(error: ValueError) -> str:
    """What is wrong with a reply, short enough to show to the model that wrote it."""
    if not isinstance(error, ValidationError):
        return str(error)
    lines = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:8]]
    return ("; ".join(lines) + ".")[:1500]

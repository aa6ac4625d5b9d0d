"""The JSON in a model's reply, and the schemas that replies are held to."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

MAX_REPLY_CHARACTERS = 200_000
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


def readable(error: ValueError) -> str:
    """What is wrong with a reply, short enough to show to the model that wrote it."""
    if not isinstance(error, ValidationError):
        return str(error)
    lines = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:8]]
    return ("; ".join(lines) + ".")[:1500]

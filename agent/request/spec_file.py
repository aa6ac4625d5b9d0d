"""Reading a spec file: YAML or JSON in the shape of `trainers.spec.TaskSpec`, with any part left out.

The result is a `Draft` whose values quote the file, so that requests and spec files are resolved by the same code.
Paths in the file are relative to the working directory, as on the command line.
"""

import difflib
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from agent.request.draft import Draft, DraftSpec, Quote
from trainers.errors import InputError
from trainers.spec import Intent

MAX_BYTES = 256 * 1024
SUFFIXES = (".yaml", ".yml", ".json")


class _Loader(yaml.SafeLoader):
    """Plain data only: no tags that build objects, no aliases (they can blow up a small file), no repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a name", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# YAML 1.1, which PyYAML reads, takes 1e-4 for a string; every tuner writes learning rates that way
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def is_spec_file(text: str) -> bool:
    """Whether a command-line argument names a spec file and not a request. Touches nothing."""
    return text.strip().lower().endswith(SUFFIXES) and not re.search(r"\s", text.strip())


def load_spec(path: Path) -> Draft:
    """The draft that a spec file holds. Raises InputError naming key, line or rule; nothing in the file is executed."""
    return spec_draft(_parse(path, _text(path)), str(path))


def spec_draft(tree: dict[str, Any], path: str) -> Draft:
    """The draft that a spec in the shape of `trainers.spec.TaskSpec` gives, of plain values; `path` is for messages."""
    _check_keys(tree, DraftSpec, "", path)
    try:
        spec = DraftSpec.model_validate(tree)
    except ValidationError as error:
        raise _first_problem(error, path) from error
    stated = spec if spec.intent else spec.model_copy(update={"intent": Intent.TRAIN})
    return Draft(
        spec=stated,
        quotes=tuple(_quotes(tree)),
        inferred={} if spec.intent else {"intent": "a spec file asks for training"},
    )


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise InputError(
                "spec", f"the spec file {path} must exist.", "Check the path, or quote a request.", code="missing_spec"
            )
        if path.stat().st_size > MAX_BYTES:
            raise InputError(
                "spec",
                f"a spec file has at most {MAX_BYTES // 1024} KiB, {path} has {path.stat().st_size // 1024}.",
                "Name data files in it instead of holding data.",
            )
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError("spec", f"{path} must be UTF-8 text.", "Save it as UTF-8.") from error
    except OSError as error:
        raise InputError("spec", f"{path} must be readable: {error.strerror}.", "Check its permissions.") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        tree = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with further limits
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}:" if error.problem_mark else ""
        raise InputError("spec", f"{path} must be valid YAML or JSON:{line} {error.problem}.", "Correct it.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError("spec", f"{path} must be valid YAML or JSON: {error}.", "Correct it.") from error
    if not isinstance(tree, dict):
        raise InputError("spec", f"{path} must hold keys and values, such as `task: sft`.", "Start from the README's.")
    return tree


def _check_keys(tree: dict[Any, Any], model: type[BaseModel], prefix: str, path: str) -> None:
    """Raise for the first key that `model` does not have, with the names that are near it."""
    for key, value in tree.items():
        if key not in model.model_fields:
            near = difflib.get_close_matches(str(key), model.model_fields, n=3, cutoff=0.5)
            raise InputError(
                f"{prefix}{key}",
                f"unknown key {str(key)!r} in {path}.",
                f"Did you mean {' or '.join(near)}?" if near else f"Known here: {', '.join(model.model_fields)}.",
                code="unknown_key",
            )
        inner = model.model_fields[key].annotation
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, BaseModel):
            _check_keys(value, inner, f"{prefix}{key}.", path)


def _first_problem(error: ValidationError, path: str) -> InputError:
    problems = error.errors(include_url=False)
    problem = max(problems, key=lambda p: (p["type"] == "value_error", len(p["loc"])))
    field = ".".join(str(part) for part in problem["loc"] if str(part) in _FIELD_NAMES) or "spec"
    if problem["loc"][0] == "search" and len(problem["loc"]) > 2 and problem["type"] != "value_error":
        name = problem["loc"][1]
        whole = next(p["input"] for p in problems if p["loc"][:2] == ("search", name) and len(p["loc"]) == 3)
        return _search_problem(str(name), whole, path)
    given = problem.get("input")
    shown = repr(given) if not isinstance(given, dict | list) else _flow(given)[:200]
    expected = str(problem.get("ctx", {}).get("expected", ""))
    near = difflib.get_close_matches(str(given), re.findall(r"'([^']+)'", expected), n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else "Correct the value; docs/reference.md lists every field."
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    message = f"must be {message}" if problem["msg"].startswith("Input should be") else _sentence(message)
    return InputError(field, f"{message}, got {shown} in {path}.", hint, code="bad_value")


def _search_problem(name: str, value: object, path: str) -> InputError:
    """Of a hyperparameter, whose value has three forms: pydantic says of each why it is not that one."""
    shown = _flow(value)[:200]
    rule = "must be a value, a range {low: 1, high: 2} or a list {choices: [1, 2]}"
    hint = f"Write {name}: {{choices: {shown}}}." if isinstance(value, list) and value else "Correct the value."
    return InputError(f"search.{name}", f"{rule}, got {shown} in {path}.", hint, code="bad_value")


def _sentence(message: str) -> str:
    return message[:1].lower() + message[1:]


def _names(model: type[BaseModel]) -> set[str]:
    names = set(model.model_fields)
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names |= _names(field.annotation)
    return names


_FIELD_NAMES = _names(DraftSpec) | {"low", "high", "choices"}


def _quotes(tree: dict[str, Any], prefix: str = "") -> list[Quote]:
    found: list[Quote] = []
    for key, value in tree.items():
        field = f"{prefix}{key}"
        if value is None:
            continue
        if isinstance(value, dict) and not field.startswith("search."):
            found += _quotes(value, f"{field}.")
        else:
            found.append(Quote(field=field, quote=f"{key}: {_flow(value)}"))
    return found


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("...").strip()

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
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from agent.request.draft import Draft, DraftSpec, Quote
from trainers.dotted import fields, flat
from trainers.errors import InputError
from trainers.spec import Intent

MAX_BYTES = 256 * 1024
SUFFIXES = (".yaml", ".yml", ".json")
_FIELDS = fields(DraftSpec)


class _Loader(yaml.SafeLoader):
    """Plain data only: no tags that build objects, no aliases (they can blow up a small file), no repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a name", problem_mark=key.start_mark)
            if key.value in keys:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} is given twice", problem_mark=key.start_mark)
            keys.add(key.value)
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
    try:
        spec = DraftSpec.model_validate(tree)
    except ValidationError as error:
        raise _input_error(error.errors(include_url=False), path) from error
    quotes = tuple(Quote(field=f, quote=f"{f.rpartition('.')[2]}: {_flow(value)}") for f, value in flat(tree).items())
    if spec.intent is not None:
        return Draft(spec=spec, quotes=quotes)
    spec = spec.model_copy(update={"intent": Intent.TRAIN})
    return Draft(spec=spec, quotes=quotes, inferred={"intent": "a spec file asks for training"})


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            hint = "Check the path, or quote a request."
            raise InputError("spec", f"the spec file {path} must exist.", hint, code="missing_spec")
        if (size := path.stat().st_size) > MAX_BYTES:
            rule = f"a spec file has at most {MAX_BYTES // 1024} KiB, {path} has {size // 1024}."
            raise InputError("spec", rule, "Name data files in it instead of holding data.")
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


def _input_error(problems: list[ErrorDetails], path: str) -> InputError:
    """Of the first unknown key, else of what says most: a broken rule before a wrong type, the innermost first."""
    for problem in problems:
        if problem["type"] in ("extra_forbidden", "invalid_key") and not _is_hyperparameters(problem):
            return _unknown_key([str(part) for part in problem["loc"]], path)
    problem = max(problems, key=lambda p: (p["type"] == "value_error", len(p["loc"])))
    if problem["type"] != "value_error" and _is_hyperparameters(problem):
        return _search_problem(str(problem["loc"][1]), problems, path)
    names = {name for field in _FIELDS for name in field.split(".")} | {"low", "high", "choices"}
    field = ".".join(str(part) for part in problem["loc"] if str(part) in names) or "spec"
    value = problem.get("input")
    text = _flow(value)[:200] if isinstance(value, dict | list) else repr(value)
    expected = re.findall(r"'([^']+)'", str(problem.get("ctx", {}).get("expected", "")))
    near = difflib.get_close_matches(str(value), expected, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else "Correct the value; docs/reference.md lists every field."
    rule = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)
    return InputError(field, f"{rule[:1].lower()}{rule[1:]}, got {text} in {path}.", hint, code="bad_value")


def _is_hyperparameters(problem: ErrorDetails) -> bool:
    """Whether the problem lies inside a hyperparameter's value."""
    return problem["loc"][0] == "search" and len(problem["loc"]) > 2


def _unknown_key(loc: list[str], path: str) -> InputError:
    *parents, key = loc
    names = dict.fromkeys(f.split(".")[len(parents)] for f in _FIELDS if f.split(".")[: len(parents)] == parents)
    near = difflib.get_close_matches(key, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known here: {', '.join(names)}."
    return InputError(".".join(loc), f"unknown key {key!r} in {path}.", hint, code="unknown_key")


def _search_problem(name: str, problems: list[ErrorDetails], path: str) -> InputError:
    """Of a hyperparameter, whose value has three forms: pydantic says of each why it is not that one."""
    value = next(p["input"] for p in problems if p["loc"][:2] == ("search", name) and len(p["loc"]) == 3)
    text, is_list = _flow(value)[:200], isinstance(value, list) and len(value) > 0
    rule = "must be a value, a range {low: 1, high: 2} or a list {choices: [1, 2]}"
    hint = f"Write {name}: {{choices: {text}}}." if is_list else "Correct the value."
    return InputError(f"search.{name}", f"{rule}, got {text} in {path}.", hint, code="bad_value")


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("...").strip()

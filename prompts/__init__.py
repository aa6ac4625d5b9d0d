"""What the planner is told: the Markdown templates beside this file, and the function that renders them."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@dataclass(frozen=True)
class Rendered:
    """A prompt ready to send; `name` and `sha256` (of the template, not of the text) identify what made it."""

    name: str
    sha256: str
    text: str


def source(name: str) -> str:
    """The template `prompts/NAME.md` as text. Raises FileNotFoundError naming the file."""
    return files("prompts").joinpath(f"{name}.md").read_text(encoding="utf-8")


def render(name: str, **variables: object) -> Rendered:
    """Fill the template `prompts/NAME.md`. Raises jinja2.UndefinedError where a variable is missing."""
    template = source(name)
    text = _ENVIRONMENT.from_string(template).render(**variables)
    return Rendered(name, hashlib.sha256(template.encode()).hexdigest(), text)

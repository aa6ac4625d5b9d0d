"""Write docs/reference.md from the command line's own help and the models' own fields.

`python docs/make_reference.py --check` changes nothing and fails where the file is out of date.
"""

import sys
from pathlib import Path

import click

from agent.cli import cli
from trainers.spec import Budget, Columns, Constraints, Data, Objective, Output, Search, TaskSpec

PATH = Path(__file__).with_name("reference.md")
MODELS = (TaskSpec, Data, Columns, Objective, Budget, Search, Constraints, Output)


def reference() -> str:
    """The whole page."""
    return "\n".join(
        ["# Reference", "", "Made by `make docs`; do not edit.", "", *commands(cli, "tunewright"), *models()]
    )


def commands(command: click.Command, name: str) -> list[str]:
    """Help of a command and of everything below it."""
    # click remembers the option names of the first context that asks for help: they must be the command line's
    names = cli.context_settings["help_option_names"]
    context = click.Context(
        command, info_name=name, max_content_width=100, terminal_width=100, help_option_names=list(names)
    )
    own = [f"## `{name}`", "", "```text", command.get_help(context), "```", ""]
    below = command.commands.items() if isinstance(command, click.Group) else ()
    return own + [line for child, sub in sorted(below) for line in commands(sub, f"{name} {child}")]


def models() -> list[str]:
    """The fields of a spec file."""
    lines = [
        "## Spec file",
        "",
        "YAML or JSON; unknown keys are refused. `tunewright plan ... --json` prints one under `spec`.",
        "",
    ]
    for model in MODELS:
        lines += [
            f"### {model.__name__}",
            "",
            (model.__doc__ or "").strip(),
            "",
            "| field | type | default | meaning |",
            "|---|---|---|---|",
        ]
        schema = model.model_json_schema()
        required = schema.get("required", [])
        lines += [_row(name, field, name in required) for name, field in schema["properties"].items()]
        lines.append("")
    return lines


def _row(name: str, field: dict[str, object], required: bool) -> str:
    default = field.get("default")
    shown = "required" if required else "" if default is None or isinstance(default, dict) else f"`{default}`"
    return f"| `{name}` | {_type(field)} | {shown} | {field.get('description', '')} |"


def _type(schema: dict[str, object]) -> str:
    """A JSON schema in words: "number > 0", "Range or Choices", "one of a, b"."""
    if isinstance(options := schema.get("anyOf"), list):
        return " or ".join(_type(option) for option in options if option.get("type") != "null")
    if isinstance(reference := schema.get("$ref"), str):
        return reference.rsplit("/", 1)[-1]
    bounds = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    limits = [f"{sign} {schema[key]}" for key, sign in bounds.items() if key in schema]
    return " ".join([str(schema.get("type", "")), *limits])


if __name__ == "__main__":
    page = reference()
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PATH.read_text(encoding="utf-8") == page else "docs/reference.md is out of date; run `make docs`")
    PATH.write_text(page, encoding="utf-8")
    sys.stdout.write(f"wrote {PATH}\n")

"""The instructions for coding agents that come with the package (`SKILL.md`, in the form of Agent Skills)."""

import json
from importlib.resources import files
from pathlib import Path

import click

from agent.errors import InputError

NAME = "tunewright"


def skill_text() -> str:
    """`SKILL.md` as shipped."""
    return files("agent").joinpath("SKILL.md").read_text(encoding="utf-8")


def install_skill(directory: Path) -> Path:
    """Write `directory/tunewright/SKILL.md`; its path. An earlier one of ours is replaced.

    Raises InputError where something else is in the way, or nothing can be written there.
    """
    path = directory / NAME / "SKILL.md"
    if path.is_symlink() or path.parent.is_symlink() or (path.exists() and not _is_ours(path)):
        raise InputError("install", f"{path} is something else.", "Name another directory, or move it away.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(".SKILL.md")
        unfinished.write_text(skill_text(), encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        rule = f"{path.parent} must be writable: {error.strerror}."
        raise InputError("install", rule, "Name another directory.") from error
    return path


def _is_ours(path: Path) -> bool:
    return path.is_file() and f"\nname: {NAME}\n" in path.read_text(encoding="utf-8", errors="replace")[:2000]


def show_skill(directory: Path | None, as_json: bool) -> None:
    """Print the skill, or install it and say where."""
    if directory is None:
        click.echo(json.dumps({"name": NAME, "text": skill_text()}) if as_json else skill_text(), nl=as_json)
        return
    path = install_skill(directory.expanduser())
    click.echo(json.dumps({"name": NAME, "path": str(path)}) if as_json else f"skill in {path}")

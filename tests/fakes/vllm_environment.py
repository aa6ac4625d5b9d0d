"""An environment with a `vllm` in it that is a small HTTP server: a real process, started as the real one is.

`make_environment(DIRECTORY, ...)` writes DIRECTORY/bin/python, which runs this very file in place of vLLM's server. It
listens where --port says, wants the key of VLLM_API_KEY, answers from the steps of `tests/fakes/openai_server.py` and
of its own {"die": true}, and has a grandchild that ignores SIGTERM. `start` is "serve", "exit", "hang" or "no key".
"""

import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.fakes.openai_server import Handler, QuietServer

ROOT = Path(__file__).parent.parent.parent
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


class Environment:
    """The environment's files, and what its server was started with and asked."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.python = directory, directory / "bin" / "python"

    @property
    def starts(self) -> list[dict[str, Any]]:
        """Per start of the server: its arguments, environment and process ids."""
        return _lines(self.directory / "starts")

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Every request so far."""
        return _lines(self.directory / "requests")


def make_environment(directory: Path, *steps: dict[str, Any], start: str = "serve") -> Environment:
    """Write the environment; `steps` go on where a server that died left off."""
    package = directory / "site" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    (package / "api_server.py").write_text("from tests.fakes.vllm_environment import main\n\nmain()\n")
    (directory / "steps").write_text(json.dumps([{"start": start}, *steps]))
    python = directory / "bin" / "python"
    python.parent.mkdir()
    path = f"{directory / 'site'}{os.pathsep}{ROOT}"
    python.write_text(f'#!/bin/sh\nFAKE="{directory}" PYTHONPATH="{path}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return Environment(directory)


class VllmHandler(Handler, BaseHTTPRequestHandler):
    """The steps of the OpenAI fake behind a key, and vLLM's health check."""

    key: str | None = None
    steps_file = Path()

    def do_GET(self) -> None:
        """Health for anybody, the list of models for those who know the key."""
        if self.path == "/health":
            self.send(200, "")
        elif self._may():
            self.send(200, json.dumps({"data": [{"id": "planner"}]}))

    def do_POST(self) -> None:
        """A completion."""
        if self._may():
            super().do_POST()

    def next_step(self) -> dict[str, Any]:
        """As the base class has it, remembered for the next server."""
        step = super().next_step()
        self.steps_file.write_text(json.dumps([{"start": "serve"}, *self.steps]))
        return step

    def carry_out(self, step: dict[str, Any]) -> None:
        """A step."""
        if step.get("die"):
            print("RuntimeError: the fake engine is dead", file=sys.stderr, flush=True)
            os._exit(3)
        super().carry_out(step)

    def _may(self) -> bool:
        if self.key is None or self.headers.get("Authorization") == f"Bearer {self.key}":
            return True
        self.send(401, "no")
        return False


def main() -> None:
    """The server's process."""
    directory = Path(os.environ["FAKE"])
    first, *steps = json.loads((directory / "steps").read_text())
    stubborn = subprocess.Popen([sys.executable, "-c", STUBBORN])
    seen = {"argv": sys.argv, "environ": dict(os.environ), "pids": [os.getppid(), os.getpid(), stubborn.pid]}
    with (directory / "starts").open("a") as file:
        file.write(json.dumps(seen) + "\n")
    if first["start"] == "exit":
        print("INFO loading\nValueError: the fake model is too large\nINFO bye", flush=True)
        sys.exit(1)
    if first["start"] == "hang":
        time.sleep(600)
    VllmHandler.steps, VllmHandler.steps_file = steps, directory / "steps"
    VllmHandler.requests_file = directory / "requests"
    VllmHandler.key = None if first["start"] == "no key" else os.environ["VLLM_API_KEY"]
    port = int(sys.argv[sys.argv.index("--port") + 1])
    QuietServer(("127.0.0.1", port), VllmHandler).serve_forever()


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

"""A vLLM server as a child of this process: found, started, watched, ended.

It listens on 127.0.0.1 only, on a free port, behind a random key that stands in its environment and nowhere else. It
runs in vLLM's own environment (vLLM pins other versions of torch and transformers than we do) and dies with us.
"""

import atexit
import json
import os
import re
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from agent.llm.vllm.setup import CONTEXT, SERVED_NAME, context_of, find_python, server_command, server_environment
from tools.child import kill_group, start_child
from trainers.errors import InputError
from trainers.open_base import local_directory

START_SECONDS = 900.0
"""A server that does not answer for this long after its start is given up: big models load for minutes."""

_GRACE_SECONDS = 10.0
_TOLD_EVERY_SECONDS = 15.0


class ServerFailed(Exception):
    """The server did not start, or is gone; the message holds the end of its log."""


class VllmServer:
    """One model's server; not started before it is asked for. Safe for use by several threads."""

    def __init__(
        self,
        model: str,
        python: Path,
        home: Path,
        *,
        tools: bool = False,
        start_seconds: float = START_SECONDS,
        say: Callable[[str], None] = lambda text: click.echo(text, err=True),
    ) -> None:
        """`model`: a Hugging Face directory or hub name; `tools`: its tool calls are read where vLLM can; logs go to
        `home`/logs; `say` gets lines of progress."""
        self.key = secrets.token_urlsafe(32)
        self.base_url = ""
        self.context = CONTEXT
        self._model, self._python, self._start_seconds, self._say = model, python, start_seconds, say
        self._tools = tools
        name = re.sub(r"[^\w.-]+", "-", model).strip("-.")[-60:]
        self.log = home / "logs" / f"vllm-{name}-{os.getpid()}.log"
        self._log_offset = 0
        self._keeper: subprocess.Popen[bytes] | None = None
        self._exit: str | None = None
        self._lock, self._closing = threading.Lock(), threading.Event()

    def start(self) -> str:
        """Start the server unless it runs, and wait until it answers; the address of its API.

        Downloads a hub model first unless HF_HUB_OFFLINE is set. Raises ServerFailed, and InputError for a model that
        cannot be had.
        """
        with self._lock:
            if self._closing.is_set():
                raise ServerFailed(f"vLLM for {self._model} was stopped.")
            if self._keeper is None or self._keeper.poll() is not None:
                self._reap(0.0)
                directory = local_directory(self._model, None)
                self.context = context_of(directory)
                port = _free_port()
                try:
                    self._launch(directory, port)
                    self._await_answer(port)
                except BaseException:
                    self._reap(0.0)
                    raise
                self.base_url = f"http://127.0.0.1:{port}/v1"
            return self.base_url

    def died(self, within_seconds: float = 0.0) -> bool:
        """Whether it was started and is gone, or goes within so long."""
        keeper = self._keeper
        if keeper is None:
            return False
        try:
            keeper.wait(within_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self) -> str:
        """How it ended and the telling lines at the end of its log."""
        how = "is running"
        if self._keeper is not None and self._keeper.poll() is not None and self._exit is None:
            self._exit = (self._keeper.stdout.read().decode().strip() if self._keeper.stdout else "") or "unknown"
        if self._exit is not None:
            how = f"ended with exit code {self._exit}"
        text = self.log.read_bytes()[self._log_offset :].decode(errors="replace") if self.log.exists() else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        telling = [line for line in lines if re.search(r"\b\w*(Error|Exception)\b: ", line)] or lines
        ending = " | ".join(dict.fromkeys(line[-300:] for line in telling[-3:])) or "it printed nothing"
        return f"vLLM for {self._model} {how}; its log {self.log} ends: {ending}"

    def close(self) -> None:
        """End it for good: its whole process group, politely, then by force. Interrupts a start under way."""
        self._closing.set()
        with self._lock:
            self._reap(_GRACE_SECONDS)

    def _launch(self, directory: Path, port: int) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as log:
            self._log_offset, self._exit = log.seek(0, os.SEEK_END), None
            self._keeper = start_child("agent.llm.vllm.keeper", log, self.log.parent)
        command = server_command(self._python, directory, port, self._tools)
        order = {"command": command, "environment": server_environment(self._python, self.key)}
        if self._keeper.stdin is None:
            raise RuntimeError("the keeper has no standard input")
        self._keeper.stdin.write(json.dumps(order).encode() + b"\n")
        self._keeper.stdin.flush()
        self._say(f"planner: vLLM is starting for {self._model} (log: {self.log})")

    def _await_answer(self, port: int) -> None:
        started = reported = time.monotonic()
        while (now := time.monotonic()) - started < self._start_seconds:
            if self.died():
                raise ServerFailed(self.last_words())
            if self._answers(port):
                self._say(f"planner: vLLM is ready after {now - started:.0f} s")
                return
            if now - reported >= _TOLD_EVERY_SECONDS:
                reported = now
                self._say(f"planner: vLLM is still starting, {now - started:.0f} s")
            if self._closing.wait(0.2):
                raise ServerFailed(f"vLLM for {self._model} was stopped while it was starting.")
        raise ServerFailed(f"no answer within {self._start_seconds:.0f} s; {self.last_words()}")

    def _answers(self, port: int) -> bool:
        """Whether our server answers there. Raises ServerFailed where it does so without the key."""
        import httpx

        base = f"http://127.0.0.1:{port}"
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            try:
                if client.get(f"{base}/health").status_code != 200:
                    return False
                with_key = client.get(f"{base}/v1/models", headers={"Authorization": f"Bearer {self.key}"})
                without_key = client.get(f"{base}/v1/models")
            except httpx.HTTPError:
                return False
        if without_key.status_code != 401:
            raise ServerFailed(f"the server on port {port} answers without its key (HTTP {without_key.status_code}).")
        return with_key.status_code == 200 and f'"{SERVED_NAME}"' in with_key.text

    def _reap(self, grace_seconds: float) -> None:
        if self._keeper is not None:
            kill_group(self._keeper, grace_seconds)
            for pipe in (self._keeper.stdin, self._keeper.stdout):
                if pipe is not None:
                    pipe.close()
            self._keeper = None


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


_servers: dict[str, VllmServer] = {}
_servers_lock = threading.Lock()


def server_for(model: str, home: Path, environ: Mapping[str, str] = os.environ, tools: bool = False) -> VllmServer:
    """This process's server of `model`, the same for everyone who asks; started by the first question.

    `tools` counts for the first who asks. Raises InputError where there is no environment with vLLM, or no directory
    where one is meant.
    """
    python = find_python(home, environ)
    path = Path(model).expanduser()
    if model.startswith(("/", "./", "../", "~")):
        if not (path / "config.json").is_file():
            rule = f"vllm:MODEL_OR_PATH must name a Hugging Face model directory; {path} holds no config.json."
            raise InputError("llm", rule, "Correct the path, or give the name of a model on the hub.")
        model = str(path.resolve())
    with _servers_lock:
        if model not in _servers:
            _servers[model] = VllmServer(model, python, home, tools=tools)
        return _servers[model]


def close_servers() -> None:
    """End all servers of this process; a later question starts fresh ones."""
    with _servers_lock:
        servers = list(_servers.values())
        _servers.clear()
    for server in servers:
        server.close()


atexit.register(close_servers)

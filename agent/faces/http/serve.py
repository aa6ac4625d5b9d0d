"""`tunewright serve`: one server a home directory, on loopback unless told otherwise."""

import json
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import click
import httpx
import uvicorn
from starlette.types import ASGIApp

from agent.desk.desk import Desk
from agent.errors import InputError, StoreConflict, TunewrightError
from agent.faces.http.access import TOKEN_FILE, TOKEN_VARIABLE, Access, server_token, stored_token, write_private
from agent.faces.http.app import build_app
from agent.faces.http.guard import LOGIN, Hosts
from agent.faces.http.openai.files import UNFINISHED
from agent.faces.http.service import Service
from agent.faces.http.status import Statuses
from agent.settings import Settings
from agent.study.lock import owner_pid, owning
from trainers.spec import Closed

DEFAULT_PORT = 8321
ADDRESS_FILE = "server.json"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Address(Closed):
    """Where the server of a home directory is; what `server.json` holds."""

    url: str
    pid: int
    cwd: str


class Serving(Closed):
    """How to serve."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    allowed_hosts: tuple[str, ...] = ()
    new_token: bool = False
    show_token: bool = False
    max_upload_mb: int = 512


def serve(settings: Settings, serving: Serving, as_json: bool) -> None:
    """Serve until SIGINT or SIGTERM. Studies are not the server's: they go on.

    Raises InputError for an address that may not or cannot be listened on, StoreConflict where this home is served.
    """
    check_host(serving)
    with _only_one(settings.home), listening(serving) as listener:
        port = listener.getsockname()[1]
        url = url_of(serving, port)
        access = Access(server_token(settings.home, serving.new_token))
        os.environ.pop(TOKEN_VARIABLE, None)  # no child needs it
        hosts = Hosts.of(port, serving.allowed_hosts)
        with Desk(settings, unattended=True, face="http") as desk, closing(Statuses(settings.database)) as statuses:
            max_upload = serving.max_upload_mb * 1024 * 1024
            service = Service(desk, access, statuses, url, cookie_name=f"tunewright_{port}", max_upload=max_upload)
            for folder in (settings.home / "files").glob(UNFINISHED):  # of a server that did not live to see their end
                shutil.rmtree(folder, ignore_errors=True)
            address = Address(url=url, pid=os.getpid(), cwd=str(Path.cwd()))
            try:
                write_private(settings.home / ADDRESS_FILE, address.model_dump_json() + "\n")
                _run(build_app(service, hosts), listener, lambda: _greet(service, serving, as_json))
            finally:
                (settings.home / ADDRESS_FILE).unlink(missing_ok=True)


def running_server(home: Path) -> Address | None:
    """Where the server of this home is; None where none runs."""
    if owner_pid(home / "server") is None:
        return None
    try:
        return Address.model_validate_json((home / ADDRESS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    try:
        with owning(home / "server"):
            yield
    except StoreConflict as error:
        if (pid := owner_pid(home / "server")) in (None, os.getpid()):
            raise
        where = f" at {running.url}" if (running := running_server(home)) else ""
        raise StoreConflict(
            f"{home} is served already{where}, by process {pid}. A login link of it: tunewright serve --link"
        ) from error


def check_host(serving: Serving) -> None:
    """Raises InputError for an address beyond loopback without the names that the server may be called by."""
    if serving.host not in LOOPBACK and not serving.allowed_hosts:
        raise InputError(
            "--host",
            f"{serving.host} can be reached from other machines, so the names it is called by must be given.",
            "Add --allowed-host NAME, and put a proxy with TLS before it.",
        )


def url_of(serving: Serving, port: int) -> str:
    """Where the server is, by a name that it answers to."""
    name = serving.host if serving.host in LOOPBACK else serving.allowed_hosts[0]
    return f"http://{_in_url(name, port)}"


@contextmanager
def listening(serving: Serving) -> Iterator[socket.socket]:
    """A socket that listens. Raises InputError for an address that cannot be listened on."""
    if not 0 <= serving.port <= 65535:
        raise InputError("--port", f"must be between 0 and 65535, got {serving.port}.", "0 takes a free one.")
    family = socket.AF_INET6 if ":" in serving.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((serving.host, serving.port))
        except OSError as error:
            rule = f"{_in_url(serving.host, serving.port)} cannot be listened on: {error.strerror or error}."
            raise InputError("--port", rule, "Name another one, or 0 for a free one.") from error
        listener.listen(512)
        yield listener


def _in_url(host: str, port: int) -> str:
    bare = host if ":" not in host or host.startswith("[") or host.count(":") == 1 else f"[{host}]"
    return bare if bare.rpartition("]")[2].count(":") == 1 else f"{bare}:{port}"


def _run(app: ASGIApp, listener: socket.socket, greet: Callable[[], None]) -> None:
    """Greet and serve until a signal; the server has ended in good order when this returns."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="on",
        access_log=False,  # it would hold login codes; /metrics counts requests
        log_level="info",
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
        backlog=512,
    )
    # uvicorn raises the signal again when it is done
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            greet()  # the socket listens already: whoever asks at once is answered in a moment
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)
    logging.getLogger("uvicorn.error").warning("the server has stopped; running and queued studies go on")


def _greet(service: Service, serving: Serving, as_json: bool) -> None:
    """Say where it is and how to get in; never the token, unless asked to."""
    token_file = service.settings.home / TOKEN_FILE
    link = f"{service.url}{LOGIN}?code={service.access.new_code()}"
    if as_json:
        greeting = {"url": service.url, "login": link, "token_file": str(token_file), "pid": os.getpid()}
        click.echo(json.dumps(greeting))
    else:
        click.echo(
            f"tunewright serves {service.settings.home} at {service.url}\n"
            f"\n  web page   {link}\n             (works once; another one: tunewright serve --link)\n"
            f"\n  openai     export OPENAI_BASE_URL={service.url}/v1\n"
            f'             export OPENAI_API_KEY="$(cat {token_file})"\n'
            f"\n  Ctrl-C stops the server; running and queued studies go on."
        )
    if serving.show_token:
        click.echo(server_token(service.settings.home) if token_file.exists() else "the token is the variable's")
    sys.stdout.flush()


class NoServer(TunewrightError):
    """Nothing answers."""

    code = "no_server"
    retryable = True


def print_link(settings: Settings, as_json: bool) -> None:
    """A login link of the running server. Raises NoServer where none runs."""
    address = running_server(settings.home)
    if address is None:
        raise NoServer(f"no server runs for {settings.home}. Start one with `tunewright serve`.")
    token = os.environ.get(TOKEN_VARIABLE) or stored_token(settings.home)
    if token is None:
        raise InputError("token", f"{settings.home} holds no token.", f"Set {TOKEN_VARIABLE} as for the server.")
    headers = {"Authorization": f"Bearer {token}"}
    try:
        reply = httpx.post(f"{address.url}/v1/login_links", json={}, headers=headers, trust_env=False)
        reply.raise_for_status()
    except httpx.HTTPError as error:
        raise NoServer(f"the server at {address.url} gave no link: {error}") from error
    link = reply.json()
    click.echo(json.dumps(link) if as_json else link["url"])

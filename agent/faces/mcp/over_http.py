"""The MCP server over streamable HTTP: for those who know the token, under its own names only."""

import logging
import os
import signal
from contextlib import suppress

import click
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from agent.desk.desk import Desk
from agent.faces.http.access import TOKEN_FILE, TOKEN_VARIABLE, Access, server_token
from agent.faces.http.guard import MAX_JSON_BYTES, Guard, Hosts
from agent.faces.http.measures import Measures
from agent.faces.http.serve import Serving, check_host, listening, url_of
from agent.faces.mcp.server import DeskServer
from agent.faces.mcp.work import Work
from agent.settings import Settings

PATH = "/mcp"
MAX_SESSIONS = 64


def serve_http(settings: Settings, serving: Serving) -> None:
    """Answer clients that know the token until SIGINT or SIGTERM. Studies go on.

    Raises InputError for an address that may not or cannot be listened on.
    """
    check_host(serving)
    with listening(serving) as listener, Desk(settings, unattended=True, face="mcp") as desk:
        port = listener.getsockname()[1]
        access = Access(server_token(settings.home, serving.new_token))
        os.environ.pop(TOKEN_VARIABLE, None)  # no child needs it
        app = guarded(DeskServer(desk, Work()), access, Hosts.of(port, serving.allowed_hosts))
        click.echo(
            f"tunewright serves {settings.home} by MCP at {url_of(serving, port)}{PATH}\n"
            f"Clients send Authorization: Bearer TOKEN; the token is in {settings.home / TOKEN_FILE}\n"
            "Ctrl-C stops the server; running and queued studies go on.",
            err=True,
        )
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when it is done
            config = uvicorn.Config(
                app,
                ws="none",
                lifespan="on",
                access_log=False,
                log_level="warning",
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=2,
            )
            uvicorn.Server(config).run(sockets=[listener])
    click.echo("The server has stopped.", err=True)


def guarded(server: DeskServer, access: Access, hosts: Hosts) -> ASGIApp:
    """The server as an ASGI application that answers only to its own names and to those who know the token."""
    names = sorted(hosts.names)
    tls = [f"https://{name}" for name in hosts.tls_names]
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        transport_security=TransportSecuritySettings(
            allowed_hosts=names, allowed_origins=[*(f"http://{name}" for name in names), *tls]
        ),
        max_request_body_size=MAX_JSON_BYTES,
        max_sessions=MAX_SESSIONS,
    )
    return Guard(app, access, hosts, cookie_name="tunewright_mcp", max_upload=MAX_JSON_BYTES, measures=Measures())


def _is_news(record: logging.LogRecord) -> bool:
    """Not that an event stream was cut off: stopping the server does that."""
    return "without completing response" not in record.getMessage()

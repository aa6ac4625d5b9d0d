"""`tunewright serve --link`: another login link of the server that runs for this home."""

import json
import os

import click
import httpx

from agent.errors import InputError, TunewrightError
from agent.faces.http.access import TOKEN_VARIABLE, stored_token
from agent.faces.http.serve import running_server
from agent.settings import Settings


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

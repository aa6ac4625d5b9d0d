"""The client of the server of this home, as `tunewright submit` uses it."""

import json
import os
from collections.abc import Iterator
from typing import Any

import click
import httpx

from agent.errors import InputError, NeedsAnswer, StoreConflict, TunewrightError
from agent.faces.http.access import TOKEN_VARIABLE, stored_token
from agent.faces.http.serve import Address, running_server
from agent.settings import Settings

PLAN_SECONDS = 600.0
"""Reading a large data set may take minutes."""


STREAM_TIMEOUT = httpx.Timeout(10.0, read=60.0)
"""Streams send something every 15 s."""


class NoServer(TunewrightError):
    """Nothing answers."""

    code = "no_server"
    retryable = True


class ServerClient:
    """Asks the running server. Use as a context manager."""

    def __init__(self, address: Address, token: str) -> None:
        self.address = address
        self._http = httpx.Client(
            base_url=address.url,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=PLAN_SECONDS,
            trust_env=False,
        )

    @classmethod
    def of(cls, settings: Settings) -> "ServerClient":
        """The client of this home's server. Raises NoServer where none runs."""
        address = running_server(settings.home)
        if address is None:
            raise NoServer(f"no server runs for {settings.home}. Start one with `tunewright serve`.")
        token = os.environ.get(TOKEN_VARIABLE) or stored_token(settings.home)
        if token is None:
            raise InputError("token", f"{settings.home} holds no token.", f"Set {TOKEN_VARIABLE} as for the server.")
        return cls(address, token)

    def __enter__(self) -> "ServerClient":
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        """The JSON at `path`."""
        return self._told(self._ask("GET", path))

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> Any:
        """The JSON that posting `body` gives; `key` makes asking twice safe."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._told(self._ask("POST", path, body, headers))

    def stream(self, path: str, query: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """(name, data) of the events at `path`, until the server ends the stream."""
        headers = {"Accept": "text/event-stream"}
        try:
            with self._http.stream("GET", path, params=query, headers=headers, timeout=STREAM_TIMEOUT) as response:
                if not response.is_success:
                    response.read()
                    self._told(response)
                name = "message"
                for line in response.iter_lines():
                    field, _, value = line.partition(": ")
                    if field == "event":
                        name = value
                    elif field == "data":
                        yield name, value
                        name = "message"
        except httpx.TransportError as error:
            raise self._gone(error) from error

    def _gone(self, error: Exception) -> NoServer:
        return NoServer(
            f"the server at {self.address.url} does not answer ({error}). Start it with `tunewright serve`."
        )

    def _ask(
        self, verb: str, path: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        try:
            return self._http.request(verb, path, json=body, headers=headers)
        except httpx.TransportError as error:
            raise self._gone(error) from error

    def _told(self, response: httpx.Response) -> Any:
        """The body. Raises the error that the server tells."""
        try:
            body = response.json()
        except json.JSONDecodeError as error:
            raise TunewrightError(f"{self.address.url} gave no JSON (status {response.status_code}).") from error
        if response.is_success:
            return body
        said = body.get("error") or {}
        message, hint = str(said.get("message", "")), str(said.get("hint") or "")
        if response.status_code == 409:
            if said.get("code") == NeedsAnswer.code:
                raise NeedsAnswer(message)
            raise StoreConflict(message)
        if response.status_code < 500:
            raise InputError(said.get("param") or "request", message, hint, said.get("code") or "bad_input")
        raise TunewrightError(message or f"the server answered {response.status_code}.")


def print_link(settings: Settings, as_json: bool) -> None:
    """A login link of the running server."""

    with ServerClient.of(settings) as client:
        told = client.post("/v1/login_links", {})
    click.echo(json.dumps(told) if as_json else told["url"])

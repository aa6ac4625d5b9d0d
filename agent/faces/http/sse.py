"""Server-sent events: the form, heartbeats, and an end when the server closes."""

import asyncio
from collections.abc import AsyncIterator

from pydantic import BaseModel
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from agent.faces.http.service import Service

HEARTBEAT_SECONDS = 15.0
CLOSING_SECONDS = 0.5
HEARTBEAT = b": still here\n"
"""A comment and no empty line, which OpenAI's client would take for an event once there was an id."""
MEDIA_TYPE = "text/event-stream"


def event(data: str, number: int | None = None, name: str | None = None) -> bytes:
    """One event; `data` is JSON and so holds no line break."""
    head = ("" if number is None else f"id: {number}\n") + ("" if name is None else f"event: {name}\n")
    return f"{head}data: {data}\n\n".encode()


def model_event(model: BaseModel, number: int | None = None) -> bytes:
    """One event with a model as its data."""
    return event(model.model_dump_json(), number)


def stream(service: Service, events: AsyncIterator[bytes]) -> StreamingResponse:
    """`events` as a response, one of the server's limited number of streams. Raises Busy."""
    service.streams.take()
    return _Stream(service, events)


async def beating(service: Service, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """`events`, a comment where nothing came for a while, and an end when the server closes."""
    pending: asyncio.Future[bytes] | None = None
    quiet = 0.0
    try:
        while not service.closing.is_set():
            pending = pending or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({pending}, timeout=CLOSING_SECONDS)
            if done:
                try:
                    piece = pending.result()
                except StopAsyncIteration:
                    return
                finally:
                    pending = None
                quiet = 0.0
                yield piece
            elif (quiet := quiet + CLOSING_SECONDS) >= HEARTBEAT_SECONDS:
                quiet = 0.0
                yield HEARTBEAT
    finally:
        if pending is not None:
            pending.cancel()


class _Stream(StreamingResponse):
    """Gives its place back, also where the client is gone before the first event."""

    def __init__(self, service: Service, events: AsyncIterator[bytes]) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(beating(service, events), media_type=MEDIA_TYPE, headers=headers)
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Starlette."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._service.streams.free()

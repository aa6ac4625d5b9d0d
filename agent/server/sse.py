"""Server-sent events: the form, heartbeats, and an end when the server closes."""

import asyncio
from collections.abc import AsyncIterator

from pydantic import BaseModel
from starlette.responses import StreamingResponse

from agent.server.service import Service

HEARTBEAT_SECONDS = 15.0
CLOSING_SECONDS = 0.5
HEARTBEAT = b": still here\n"
"""A comment and no empty line: OpenAI's client takes an empty line after an event with an id for an event of its own."""
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

    async def limited() -> AsyncIterator[bytes]:
        try:
            async for piece in beating(service, events):
                yield piece
        finally:
            service.streams.free()

    return _Stream(limited(), media_type=MEDIA_TYPE, headers={"cache-control": "no-store", "x-accel-buffering": "no"})


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
    """One that is not compressed or cached on its way."""

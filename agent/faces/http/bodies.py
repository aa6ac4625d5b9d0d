"""How much a request may send: bytes of a body, brackets in brackets, time."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from agent.errors import InputError

Message = MutableMapping[str, Any]


Scope = MutableMapping[str, Any]


Receive = Callable[[], Awaitable[Message]]


Send = Callable[[Message], Awaitable[None]]


App = Callable[[Scope, Receive, Send], Awaitable[None]]


MAX_JSON_BYTES = 1024 * 1024
MAX_DEPTH = 20
BODY_SECONDS = 30.0
"""A JSON body must have arrived within this time."""
IDLE_SECONDS = 60.0
"""An upload may stand still for so long."""
UPLOAD_SECONDS = 3600.0
"""A whole upload must have arrived within this time."""
_DEPTH = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True)
class Length:
    """What the headers say about a body."""

    told: bytes | None
    chunked: bool

    @property
    def nothing(self) -> bool:
        """Whether there is no body."""
        return self.told in (None, b"0") and not self.chunked

    def check(self, limit: int) -> None:
        """Raises InputError where it is said to be more than `limit` bytes."""
        if self.told is not None and (not self.told.isdigit() or len(self.told) > 18 or int(self.told) > limit):
            raise _too_large(limit)


async def read_json(receive: Receive, length: Length) -> Receive:
    """`receive` of a JSON body that has come whole. Raises InputError for one that is too large, deep or slow."""
    length.check(MAX_JSON_BYTES)
    body = b""
    if not length.nothing:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _whole(receive)
        except TimeoutError as error:
            raise InputError("body", "did not arrive in time.", "Send it at once.", "too_slow") from error
    if depth(body) > MAX_DEPTH:
        raise InputError("body", f"JSON may be nested {MAX_DEPTH} deep at most.", "Send something flatter.")
    return _replayed(body, receive)


async def _whole(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InputError("body", "was cut off.", "Send it again.")
        body += message.get("body", b"")
        if len(body) > MAX_JSON_BYTES:
            raise _too_large(MAX_JSON_BYTES)
        if not message.get("more_body", False):
            return bytes(body)


def metered(receive: Receive, length: Length, limit: int) -> Receive:
    """`receive` that raises InputError once more than `limit` bytes have come, or they come too slowly."""
    length.check(limit)
    total, until = 0, time.monotonic() + UPLOAD_SECONDS

    async def counted() -> Message:
        nonlocal total
        try:
            async with asyncio.timeout(min(IDLE_SECONDS, until - time.monotonic())):
                message = await receive()
        except TimeoutError as error:
            raise InputError("body", "did not arrive in time.", "Send it again.", "too_slow") from error
        total += len(message.get("body", b""))
        if total > limit:
            raise _too_large(limit)
        return message

    return counted


def depth(body: bytes) -> int:
    """How deep the brackets of a JSON text are nested, those inside strings apart. Linear in its length."""
    deepest = level = 0
    for found in _DEPTH.finditer(body):
        first = body[found.start()]
        if first in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif first in b"]}":
            level -= 1
    return deepest


def _too_large(limit: int) -> InputError:
    return InputError("body", f"may have {limit:,} bytes at most.", "Send less.", "body_too_large")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """`receive` that gives a body already read, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay

"""How much a request may send: bytes of a body, brackets in brackets, time."""

import asyncio
import re
import time

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from agent.errors import InputError

MAX_JSON_BYTES = 1024 * 1024
MAX_DEPTH = 20
BODY_SECONDS = 30.0
"""A JSON body must have arrived within this time."""
IDLE_SECONDS = 60.0
"""An upload may stand still for so long."""
UPLOAD_SECONDS = 3600.0
"""A whole upload must have arrived within this time."""
_DEPTH = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)


def with_limits(receive: Receive, headers: Headers, max_bytes: int, max_seconds: float) -> Receive:
    """`receive` that raises InputError for a body of more than `max_bytes`, and for one that comes too slowly."""
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or len(length) > 18 or int(length) > max_bytes:
        raise _too_large(max_bytes)
    total, until = 0, time.monotonic() + max_seconds

    async def counted() -> Message:
        nonlocal total
        try:
            async with asyncio.timeout(min(IDLE_SECONDS, until - time.monotonic())):
                message = await receive()
        except TimeoutError as error:
            raise InputError("body", "did not arrive in time.", "Send it at once.", "too_slow") from error
        total += len(message.get("body", b""))
        if total > max_bytes:
            raise _too_large(max_bytes)
        return message

    return counted


async def read_json(scope: Scope, receive: Receive, headers: Headers) -> Receive:
    """`receive` of a JSON body that has come whole. Raises InputError for one that is too large, deep or slow."""
    try:
        body = await Request(scope, with_limits(receive, headers, MAX_JSON_BYTES, BODY_SECONDS)).body()
    except ClientDisconnect as error:
        raise InputError("body", "was cut off.", "Send it again.") from error
    if depth(body) > MAX_DEPTH:
        raise InputError("body", f"JSON may be nested {MAX_DEPTH} deep at most.", "Send something flatter.")
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return whole.pop() if whole else await receive()

    return replayed


def depth(body: bytes) -> int:
    """How deep the brackets of a JSON text are nested, those inside strings apart. Linear in its length."""
    deepest = level = 0
    for match in _DEPTH.finditer(body):
        first = body[match.start()]
        if first in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif first in b"]}":
            level -= 1
    return deepest


def _too_large(limit: int) -> InputError:
    return InputError("body", f"may have {limit:,} bytes at most.", "Send less.", "body_too_large")

"""Errors as HTTP tells them: {"error": {code, message, param, hint, retryable, type}} with the status that fits."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, Literal

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, Response

from agent.desk.cards import Problem
from agent.errors import Busy, InputError, NeedsAnswer, PlannerFailed, StoreConflict, TunewrightError
from agent.study.rows import StoreFull
from trainers.spec import Closed

ErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "conflict_error",
    "rate_limit_error",
    "server_error",
]
"""The classes that OpenAI's clients know, and one for conflicts."""

TYPES: dict[int, ErrorType] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
STATUS_OF_CODE = {
    "not_found": 404,
    "not_done": 409,
    "no_such_method": 405,
    "no_host": 403,
    "bad_origin": 403,
    "no_token": 401,
    "bad_token": 401,
    "bad_content_type": 415,
    "body_too_large": 413,
    "too_slow": 408,
}
"""Input errors that are not simply 400."""


class TurnRunning(TunewrightError):
    """A conversation answers one message at a time."""

    code = "turn_running"
    retryable = True


class ErrorDetail(Problem):
    """An error, for programs (`code`, `param`, `retryable`) and for people (`message`, `hint`)."""

    type: ErrorType = "invalid_request_error"


class ErrorBody(Closed):
    """The body of every answer that is not a success."""

    error: ErrorDetail


def status_of(error: TunewrightError) -> int:
    """The HTTP status of one of our errors."""
    if isinstance(error, InputError):
        return STATUS_OF_CODE.get(error.code, 400)
    if isinstance(error, Busy):
        return 429
    if isinstance(error, StoreFull):
        return 507
    if isinstance(error, StoreConflict | NeedsAnswer | TurnRunning):
        return 409
    return 502 if isinstance(error, PlannerFailed) else 500


def error_detail(error: TunewrightError) -> ErrorDetail:
    """The error as it is told. The messages of our own errors are fit for a user's eyes."""
    status = status_of(error)
    kind = TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return ErrorDetail(**Problem.of(error).model_dump(), type=kind)


INTERNAL = ErrorDetail(
    code="internal_error",
    message="Something went wrong inside the server; its log says what.",
    hint="Studies are not affected. Report it with the log if it comes back.",
    type="server_error",
)
"""For errors nobody expected: nothing of theirs leaves the process."""


def problem(error: TunewrightError) -> Response:
    """The response that tells `error`."""
    return response_of(error_detail(error), status_of(error))


def response_of(detail: ErrorDetail, status: int) -> Response:
    """`detail` with its status; `x-should-retry` tells OpenAI's clients not to try in vain."""
    headers = {"x-should-retry": "true" if detail.retryable else "false"}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if status == 429:
        headers["retry-after"] = "1"
    return JSONResponse({"error": detail.model_dump()}, status, headers)


POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'"
)
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def careful(headers: Iterable[tuple[bytes, bytes]], api: bool) -> list[tuple[bytes, bytes]]:
    """`headers` with those that every response has; answers of the API are not to be stored."""
    complete = MutableHeaders(raw=list(headers))
    complete.update(ALWAYS)
    complete.setdefault("content-security-policy", POLICY)
    complete.setdefault("cache-control", "no-store" if api else "no-cache")
    return complete.raw


NOT_LOGGED_IN = 401


def refusal(error: TunewrightError, scope: Mapping[str, Any]) -> Response:
    """The response that tells `error`: the page for a browser without a login, else that of `problem`."""
    asks_for_page = any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
    if status_of(error) == NOT_LOGGED_IN and scope["method"] == "GET" and asks_for_page:
        return _page()
    return problem(error)


def _page() -> Response:
    """Whole in itself, for without a login nothing else is served; its one style is named by its hash."""
    page = files("agent.faces.http").joinpath("page", "signed_out.html").read_text(encoding="utf-8")
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = hashlib.sha256((style.group(1) if style else "").encode()).digest()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{base64.b64encode(digest).decode()}'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    headers = {"content-security-policy": policy, "cache-control": "no-store", "www-authenticate": "Bearer"}
    return Response(page, NOT_LOGGED_IN, headers, media_type="text/html")

"""The outermost layer: who may ask, from where, and how much. Every route passes here; what is not allowed is refused.

Checked in this order: Host (DNS rebinding), Origin (other web pages), token, content type, size and depth of a body.
"""

import asyncio
import re
import time
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.errors import InputError
from agent.faces.http.access import Access
from agent.faces.http.measures import Measures
from agent.faces.http.problems import INTERNAL, careful, refusal, response_of

SAFE_VERBS = frozenset({"GET", "HEAD"})
LOGIN = "/login"
UPLOAD = "/v1/files"
BY_COOKIE = "tunewright.by_cookie"
"""Key of the scope: whether the request is the web page's."""
ONLY_ONE = ("host", "origin", "authorization")
"""Headers that a proxy and this server might read differently where they come twice."""
HOW_TO_KNOW = "Send Authorization: Bearer TOKEN with the token in server.token of the server's home directory."
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
class Hosts:
    """The names the server answers to, as in `Host` headers, and the web origins that are its own."""

    names: frozenset[str]
    tls_names: frozenset[str] = frozenset()
    """Names that a proxy may serve by https; their origin then begins with it."""

    @classmethod
    def of(cls, port: int, allowed: tuple[str, ...] = ()) -> "Hosts":
        """Loopback with `port`, and what the user allows: `name:port` as it is, `name` with `port` and without one."""
        local = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")}
        extra = set[str]()
        for name in (name.strip().lower() for name in allowed):
            match = re.fullmatch(r"(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?", name)
            if match is None:
                raise InputError("--allowed-host", f"must be NAME or NAME:PORT, got {name!r}.", "Such as box.lan:8321.")
            extra |= {name} if match[1] else {name, f"{name}:{port}"}
        return cls(frozenset(local | extra), frozenset(extra))

    def own_origin(self, origin: str, host: str) -> bool:
        """Whether a page of `origin` is one of ours, seen under the same name."""
        origin = origin.lower()
        return origin == "http://" + host or (host in self.tls_names and origin == "https://" + host)


class Guard:
    """Wraps the application; see the module."""

    def __init__(
        self, app: ASGIApp, access: Access, hosts: Hosts, cookie_name: str, max_upload: int, measures: Measures
    ) -> None:
        self.app, self.access, self.hosts, self.measures = app, access, hosts, measures
        self.cookie_name, self.max_upload = cookie_name, max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan. Anything else, such as a web socket, is closed."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, headers = time.perf_counter(), Headers(scope=scope)
        answer = _Answer(send, str(scope["path"]).startswith("/v1/"))
        try:
            scope[BY_COOKIE] = self._check(scope, headers)
            if scope["method"] not in SAFE_VERBS and scope["path"] == UPLOAD:
                receive = with_limits(receive, headers, self.max_upload, UPLOAD_SECONDS)
            elif scope["method"] not in SAFE_VERBS:
                receive = await read_json(scope, receive, headers)
            await self.app(scope, receive, answer)
        except InputError as error:
            if answer.status:
                raise
            await refusal(error, scope)(scope, receive, answer)
        except Exception:
            if not answer.status:
                await response_of(INTERNAL, 500)(scope, receive, answer)
            raise  # the server logs it
        finally:
            self.measures.count(scope, answer.status, (answer.began or time.perf_counter()) - started)

    def _check(self, scope: Scope, headers: Headers) -> bool:
        """Whether it is a browser with our cookie. Raises InputError for a request that is not to be answered."""
        host = headers.get("host", "").lower()
        if any(len(headers.getlist(name)) > 1 for name in ONLY_ONE) or host not in self.hosts.names:
            rule = f"this server does not answer to the name {host[:100]!r}."
            raise InputError("Host", rule, "Start it with --allowed-host.", "no_host")
        origin = headers.get("origin")
        if origin is not None and not self.hosts.own_origin(origin, host):
            raise _foreign("Ask without a browser.")
        method, path = scope["method"], scope["path"]
        if path == LOGIN and method == "GET":
            return False
        by_cookie = self._check_token(headers)
        kind = "multipart/form-data" if (method, path) == ("POST", UPLOAD) else "application/json"
        if method not in SAFE_VERBS and headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
            rule = f"must be {kind}, also where there is no body."
            raise InputError("Content-Type", rule, f"Send the header Content-Type: {kind}.", "bad_content_type")
        return by_cookie

    def _check_token(self, headers: Headers) -> bool:
        if (authorization := headers.get("authorization")) is not None:
            if not self.access.bearer_fits(authorization.encode("latin-1")):
                raise InputError("Authorization", "the token is not this server's.", HOW_TO_KNOW, "bad_token")
            return False
        for part in ";".join(headers.getlist("cookie")).split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.cookie_name and self.access.cookie_fits(value.encode("latin-1")):
                if headers.get("sec-fetch-site", "none") not in ("", "same-origin", "none"):
                    raise _foreign("")
                return True
        raise InputError("Authorization", "a token is needed.", HOW_TO_KNOW, "no_token")


def _foreign(hint: str) -> InputError:
    return InputError("Origin", "requests of other web pages are refused.", hint, "bad_origin")


class _Answer:
    """`send` that adds the headers every response has and remembers the status."""

    def __init__(self, send: Send, api: bool) -> None:
        self._send, self._api = send, api
        self.status = 0
        self.began: float | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.began = message["status"], time.perf_counter()
            message["headers"] = careful(message.get("headers", ()), self._api)
        await self._send(message)


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

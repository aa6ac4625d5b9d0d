"""The outermost layer: who may ask, from where, and how much. Every route passes here; what is not allowed is refused.

Checked in this order: Host (DNS rebinding), Origin (other web pages), token, content type, size and depth of a body.
Plain ASGI, because polling clients pass here many times a second.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from starlette.responses import Response

from agent.errors import InputError
from agent.server.access import Access
from agent.server.measures import Measures
from agent.server.problems import INTERNAL, response_of
from agent.server.signed_out import refusal

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SAFE_VERBS = frozenset({"GET", "HEAD"})
LOGIN = "/login"
UPLOAD = "/v1/files"
BY_COOKIE = "tunewright.by_cookie"
"""Key of the scope: whether the request is the web page's."""
MAX_JSON_BYTES = 1024 * 1024
MAX_DEPTH = 20
BODY_SECONDS = 30.0
"""A JSON body must have arrived within this time."""

POLICY = (
    b"default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; frame-ancestors 'none'; "
    b"base-uri 'none'; form-action 'self'"
)
ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_DEPTH = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True)
class Hosts:
    """The names the server answers to, as in `Host` headers, and the web origins that are its own."""

    names: frozenset[bytes]
    tls_names: frozenset[bytes] = frozenset()
    """Names that a proxy may serve by https; their origin then begins with it."""

    @classmethod
    def of(cls, port: int, allowed: tuple[str, ...] = ()) -> "Hosts":
        """Loopback with `port`, and what the user allows: `name:port` as it is, `name` with `port` and without one."""
        local = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost", "[::1]")}
        extra = set[bytes]()
        for name in (name.strip().lower() for name in allowed):
            if not re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:\d{1,5})?", name):
                raise InputError("--allowed-host", f"must be NAME or NAME:PORT, got {name!r}.", "Such as box.lan:8321.")
            bare = re.fullmatch(r".*[^:]:\d+", name) is None or name.endswith("]")
            extra |= {name.encode(), f"{name}:{port}".encode()} if bare else {name.encode()}
        return cls(frozenset(local | extra), frozenset(extra))

    def own_origin(self, origin: bytes, host: bytes) -> bool:
        """Whether a page of `origin` is one of ours, seen under the same name."""
        origin = origin.lower()
        return origin == b"http://" + host or (host in self.tls_names and origin == b"https://" + host)


@dataclass
class _Seen:
    """The headers that decide."""

    host: bytes | None = None
    origin: bytes | None = None
    authorization: bytes | None = None
    cookies: bytes = b""
    content_type: bytes = b""
    length: bytes | None = None
    chunked: bool = False
    fetch_site: bytes = b""
    accept: bytes = b""
    twice: bool = False


class Guard:
    """Wraps the application; see the module."""

    def __init__(
        self, app: App, access: Access, hosts: Hosts, cookie_name: str, max_upload: int, measures: Measures
    ) -> None:
        self.app, self.access, self.hosts, self.measures = app, access, hosts, measures
        self.cookie_prefix = cookie_name.encode() + b"="
        self.max_upload = max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan. Anything else, such as a web socket, is closed."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        started = time.perf_counter()
        answer = _Answer(send, str(scope["path"]).startswith("/v1/"))
        seen = _seen(scope["headers"])
        try:
            scope[BY_COOKIE] = self._check(scope, seen)
            receive = await self._body(scope, seen, receive)
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

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    def _check(self, scope: Scope, seen: _Seen) -> bool:
        """Whether it is a browser with our cookie. Raises InputError for a request that is not to be answered."""
        host = (seen.host or b"").lower()
        if seen.twice or host not in self.hosts.names:
            rule = f"this server does not answer to the name {host.decode('latin-1')[:100]!r}."
            raise InputError("Host", rule, "Start it with --allowed-host.", "no_host")
        if seen.origin is not None and not self.hosts.own_origin(seen.origin, host):
            raise InputError(
                "Origin", "requests of other web pages are refused.", "Ask without a browser.", "bad_origin"
            )
        method, path = scope["method"], scope["path"]
        if path == LOGIN and method == "GET":
            return False
        by_cookie = self._check_token(seen)
        if method not in SAFE_VERBS:
            self._check_content_type(path, method, seen)
        return by_cookie

    def _check_token(self, seen: _Seen) -> bool:
        if seen.authorization is not None:
            if not self.access.bearer_fits(seen.authorization):
                raise InputError("Authorization", "the token is not this server's.", HOW_TO_KNOW, "bad_token")
            return False
        for part in seen.cookies.split(b";"):
            part = part.strip()
            if part.startswith(self.cookie_prefix) and self.access.cookie_fits(part[len(self.cookie_prefix) :]):
                if seen.fetch_site not in (b"", b"same-origin", b"none"):
                    raise InputError("Origin", "requests of other web pages are refused.", "", "bad_origin")
                return True
        raise InputError("Authorization", "a token is needed.", HOW_TO_KNOW, "no_token")

    def _check_content_type(self, path: str, method: str, seen: _Seen) -> None:
        wanted = b"multipart/form-data" if path == UPLOAD and method == "POST" else b"application/json"
        if seen.content_type.partition(b";")[0].strip().lower() != wanted:
            raise InputError(
                "Content-Type",
                f"must be {wanted.decode()}, also where there is no body.",
                f"Send the header Content-Type: {wanted.decode()}.",
                "bad_content_type",
            )

    async def _body(self, scope: Scope, seen: _Seen, receive: Receive) -> Receive:
        """`receive` of a body that is small and shallow enough, or that stops once an upload is too large."""
        if scope["method"] in SAFE_VERBS:
            return _nothing(receive)
        upload = scope["path"] == UPLOAD
        limit = self.max_upload if upload else MAX_JSON_BYTES
        if seen.length is not None and (not seen.length.isdigit() or int(seen.length) > limit):
            raise _too_large(limit)
        if upload:
            return _metered(receive, limit)
        body = bytearray()
        if seen.length not in (None, b"0") or seen.chunked:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    more = True
                    while more:
                        message = await receive()
                        if message["type"] == "http.disconnect":
                            return receive
                        body += message.get("body", b"")
                        more = message.get("more_body", False)
                        if len(body) > limit:
                            raise _too_large(limit)
            except TimeoutError as error:
                raise InputError("body", "did not arrive in time.", "Send it at once.", "too_slow") from error
        if depth(bytes(body)) > MAX_DEPTH:
            raise InputError("body", f"JSON may be nested {MAX_DEPTH} deep at most.", "Send something flatter.")
        return _replayed(bytes(body), receive)


SIGNED_OUT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)


def signed_out() -> Response:
    """The page for a browser without a cookie: says how to get one. Always the same, whoever asks for what."""
    page = files("agent.server").joinpath("web", "signed_out.html").read_bytes()
    return Response(page, 401, {"content-security-policy": SIGNED_OUT_POLICY}, media_type="text/html")


HOW_TO_KNOW = "Send Authorization: Bearer TOKEN with the token in server.token of the server's home directory."


def _seen(headers: list[tuple[bytes, bytes]]) -> _Seen:
    seen = _Seen()
    for name, value in headers:
        if name == b"host":
            seen.twice, seen.host = seen.twice or seen.host is not None, value
        elif name == b"origin":
            seen.twice, seen.origin = seen.twice or seen.origin is not None, value
        elif name == b"authorization":
            seen.twice, seen.authorization = seen.twice or seen.authorization is not None, value
        elif name == b"cookie":
            seen.cookies += value + b";"
        elif name == b"content-type":
            seen.content_type = value
        elif name == b"content-length":
            seen.length = value
        elif name == b"transfer-encoding":
            seen.chunked = True
        elif name == b"sec-fetch-site":
            seen.fetch_site = value
        elif name == b"accept":
            seen.accept = value
    return seen


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


def _nothing(receive: Receive) -> Receive:
    """A request without a body, whatever is sent along."""
    return receive


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


def _metered(receive: Receive, limit: int) -> Receive:
    """`receive` that raises once more than `limit` bytes have come."""
    total = 0

    async def metered() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise _too_large(limit)
        return message

    return metered


class _Answer:
    """`send` that adds the headers every response has and remembers the status."""

    def __init__(self, send: Send, api: bool) -> None:
        self._send, self._api = send, api
        self.status = 0
        self.began: float | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.began = message["status"], time.perf_counter()
            headers = message["headers"] = [*message.get("headers", ()), *ALWAYS]
            names = {name for name, _ in headers}
            if b"content-security-policy" not in names:
                headers.append((b"content-security-policy", POLICY))
            if b"cache-control" not in names:
                headers.append((b"cache-control", b"no-store" if self._api else b"no-cache"))
        await self._send(message)

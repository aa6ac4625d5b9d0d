"""The outermost layer: who may ask, from where, and how much. Every route passes here; what is not allowed is refused.

Checked in this order: Host (DNS rebinding), Origin (other web pages), token, content type, size and depth of a body.
Plain ASGI, because polling clients pass here many times a second.
"""

import re
import time
from dataclasses import dataclass

from agent.errors import InputError
from agent.faces.http.access import Access
from agent.faces.http.bodies import App, Length, Message, Receive, Scope, Send, metered, read_json
from agent.faces.http.measures import Measures
from agent.faces.http.problems import INTERNAL, careful, refusal, response_of


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


SAFE_VERBS = frozenset({"GET", "HEAD"})
LOGIN = "/login"
UPLOAD = "/v1/files"
BY_COOKIE = "tunewright.by_cookie"
"""Key of the scope: whether the request is the web page's."""


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
            if scope["method"] not in SAFE_VERBS:
                length = Length(seen.length, seen.chunked)
                if scope["path"] == UPLOAD:
                    receive = metered(receive, length, self.max_upload)
                else:
                    receive = await read_json(receive, length)
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
    return seen


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

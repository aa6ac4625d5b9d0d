"""The names a server answers to, and the web pages that are its own."""

import re
from dataclasses import dataclass

from agent.errors import InputError


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

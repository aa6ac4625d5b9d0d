"""Answering a poll that repeats itself without reading it again.

A client that polls sends the same bytes on the same connection several times a second. Once such a request has passed
the guard and was answered, the same bytes get the study's current answer at once: token, names and rules do not change
while the server runs, so the decision would be the same.

What is saved is the processor of a study that is being trained beside it: code that runs for a moment, many times a
second, finds its caches cold and pushes the training out of them each time. For the same reason a crowd of polls is
answered in batches.
"""

import asyncio
import time
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from agent.faces.http.problems import Headers
from agent.faces.http.status import REPEATABLE

if TYPE_CHECKING:
    from agent.faces.http.service import Service

BEGINS, ENDS = b"GET /v1/studies/", b"\r\n\r\n"
CROWD_SECONDS = 0.03
"""Polls that follow each other faster than this are a crowd."""
QUIET_SECONDS = 0.25
"""Nobody is left waiting where anything else was asked for so lately: its answer takes several turns of the loop."""
MAX_PIPELINED = 100
"""A client may ask so many things at once; one that asks for more without reading is let go."""
PAUSE_SECONDS = 0.02
"""What a crowd is left waiting at most, to be answered together."""


class Crowd:
    """Sees to it that a crowd is answered in batches."""

    def __init__(self) -> None:
        self._latest, self._other, self._called = 0.0, 0.0, False

    def other(self, now: float) -> None:
        """Something else came at `now`."""
        self._other = now

    def came(self, now: float) -> None:
        """A poll was answered at `now`."""
        quiet = now - self._other > QUIET_SECONDS
        if quiet and now - self._latest < CROWD_SECONDS and not self._called:
            self._called = True
            asyncio.get_running_loop().call_soon(self._pause)
        self._latest = now

    def _pause(self) -> None:
        """Let requests gather in the kernel, which costs nobody anything."""
        time.sleep(PAUSE_SECONDS)
        self._called = False


class Heads:
    """The beginning of a 200, which changes with the date."""

    def __init__(self) -> None:
        self._headers: Headers = []
        self._head = b""

    def of(self, headers: Headers) -> bytes:
        """With these headers; the same list means the same ones."""
        if headers is not self._headers:
            lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
            self._headers, self._head = headers, b"HTTP/1.1 200 OK\r\n" + lines
        return self._head


def repeating(service: "Service") -> type[HttpToolsProtocol]:
    """uvicorn's protocol, for a server with these parts."""
    crowd, heads = Crowd(), Heads()

    class Repeating(HttpToolsProtocol):
        """One connection."""

        last = b""
        """The bytes that came last, if they were one whole request for a study."""
        answered = 0.0
        between = True
        """Whether the bytes that come next begin a request."""

        def data_received(self, data: bytes) -> None:
            """Answer at once what was answered before; all else goes the usual way."""
            if data == self.last and self._repeated():
                return
            whole = self.between and data.startswith(BEGINS) and data.find(ENDS) == len(data) - len(ENDS)
            self.last = data if whole else b""
            crowd.other(time.monotonic())
            super().data_received(data)
            if len(self.pipeline) > MAX_PIPELINED:
                self.pipeline.clear()
                self.transport.abort()

        def on_message_begin(self) -> None:
            """The first byte of a request."""
            self.between = False
            super().on_message_begin()

        def on_message_complete(self) -> None:
            """The last byte of a request."""
            self.between = True
            super().on_message_complete()

        def _repeated(self) -> bool:
            began = time.monotonic()
            study = self.scope.get(REPEATABLE)
            if study is None or not self.cycle.response_complete:
                return False
            if self.flow.write_paused or self.transport.is_closing():  # a client that does not read waits as usual
                return False
            entry = service.statuses.at_once(str(study))
            if entry is None:
                return False
            self.transport.write(heads.of(self.server_state.default_headers) + entry.wire)
            self.answered = time.monotonic()
            service.measures.count(self.scope, 200, self.answered - began)
            crowd.came(self.answered)
            return True

        def timeout_keep_alive_handler(self) -> None:
            """Close a connection on which nothing was asked for; what was answered here counts."""
            left = self.answered + self.timeout_keep_alive - time.monotonic()
            if left > 0 and not self.transport.is_closing():
                self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
            else:
                super().timeout_keep_alive_handler()

    return Repeating

"""Many clients that ask for a study's status several times a second, cheaply; and a server that costs nothing.

`python -m agent.server.pollers` reads what to do as one JSON line, begins at a line `on`, stops at a line `off`, and
tells what it saw as another line when its input is closed. Raw sockets, because fifty HTTP clients of the usual kind
would cost more than the server that they measure.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from trainers.spec import Closed

T = TypeVar("T")


class Orders(Closed):
    """What the pollers do."""

    host: str = "127.0.0.1"
    port: int
    path: str = "/"
    token: str = ""
    clients: int = 50
    hertz: float = 5.0


class Seen(Closed):
    """What the pollers saw."""

    requests: int
    errors: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_seconds: float


class _Client(asyncio.Protocol):
    """One connection that is kept; notes how long each answer takes."""

    def __init__(self, orders: Orders, latencies: list[float]) -> None:
        head = f"GET {orders.path} HTTP/1.1\r\nHost: {orders.host}:{orders.port}\r\n"
        self._request = f"{head}Authorization: Bearer {orders.token}\r\n\r\n".encode()
        self._latencies, self._sent, self._missing = latencies, 0.0, 0
        self._transport: asyncio.Transport | None = None
        self.errors = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The server has closed it."""
        self._transport = None

    def ask(self) -> None:
        """Send a request, unless the last one is not answered yet: that is an error of its own."""
        if self._transport is None or self._sent:
            self.errors += 1
            return
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Part of an answer; its length is in its head."""
        if not self._missing:
            head, _, body = data.partition(b"\r\n\r\n")
            if b" 200 " not in head[:20]:
                self.errors += 1
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._missing = int(length) - len(body)
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._latencies.append(time.perf_counter() - self._sent)
            self._sent, self._missing = 0.0, 0

    def close(self) -> None:
        """Let go."""
        if self._transport is not None:
            self._transport.close()


class _Crowd:
    """All clients; each asks at moments of its own."""

    def __init__(self, clients: list[_Client], hertz: float) -> None:
        self._clients, self._seconds = clients, 1 / hertz
        self._timers: dict[_Client, asyncio.TimerHandle] = {}

    def on(self) -> None:
        """Begin to ask."""
        now = asyncio.get_running_loop().time()
        for client in self._clients:
            self._ask_at(client, now + random.random() * self._seconds)

    def off(self) -> None:
        """Ask no more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _ask_at(self, client: _Client, due: float) -> None:
        self._timers[client] = asyncio.get_running_loop().call_at(due, self._ask, client, due)

    def _ask(self, client: _Client, due: float) -> None:
        client.ask()
        self._ask_at(client, due + self._seconds)


async def _poll(orders: Orders) -> Seen:
    """Poll between `on` and `off`, until standard input is closed."""
    loop, latencies = asyncio.get_running_loop(), list[float]()
    clients: list[_Client] = []
    for _ in range(orders.clients):
        _, client = await loop.create_connection(lambda: _Client(orders, latencies), orders.host, orders.port)
        clients.append(client)
    crowd, began, cpu = _Crowd(clients, orders.hertz), time.monotonic(), time.process_time()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        crowd.off()
        if line.strip() == "on":
            crowd.on()
    crowd.off()
    used = time.process_time() - cpu
    for client in clients:
        client.close()
    ordered = sorted(latencies) or [time.monotonic() - began]

    def at(share: float) -> float:
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    errors = sum(client.errors for client in clients)
    return Seen(
        requests=len(latencies), errors=errors, p50_ms=at(0.5), p95_ms=at(0.95), p99_ms=at(0.99), cpu_seconds=used
    )


class Trivial(asyncio.Protocol):
    """Answers anything with the same bytes: what clients cost by themselves."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """A request has come, in one piece."""
        if self._transport is not None:
            self._transport.write(self._answer)


async def _answer_all(size: int) -> None:
    """Serve `size` bytes to whoever asks, on a free port that is printed, until standard input is closed."""
    body = b"x" * size
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (size, body)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Trivial(answer), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def _run(work: Coroutine[Any, Any, T]) -> T:
    """On the fastest event loop there is, as clients that are no Python would be faster still."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def main() -> None:
    """The first line of standard input says what to do: `{"trivial": SIZE}`, or `Orders`."""
    line = json.loads(sys.stdin.readline())
    if "trivial" in line:
        _run(_answer_all(line["trivial"]))
    else:
        print(_run(_poll(Orders.model_validate(line))).model_dump_json(), flush=True)


if __name__ == "__main__":
    main()

"""Many clients that ask for a study's status several times a second, cheaply; and a server that costs nothing.

`python -m agent.faces.http.polling.pollers` reads what to do as one JSON line, begins at a line `on`, stops at a line
`off`, and tells what it saw as another line when its input is closed. Raw sockets, because fifty HTTP clients of the
usual kind would cost more than the server that they measure.
"""

import asyncio
import json
import os
import random
import selectors
import socket
import sys
import time
from heapq import heapify, heapreplace
from typing import cast

from trainers.spec import Closed


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


class _Client:
    """One connection that is kept; notes how long each answer takes."""

    def __init__(self, orders: Orders, latencies: list[float]) -> None:
        head = f"GET {orders.path} HTTP/1.1\r\nHost: {orders.host}:{orders.port}\r\n"
        self._request = f"{head}Authorization: Bearer {orders.token}\r\n\r\n".encode()
        self._latencies, self._sent, self._missing = latencies, 0.0, 0
        self.socket = socket.create_connection((orders.host, orders.port))
        self.socket.setblocking(False)
        self.errors = 0

    def ask(self) -> None:
        """Send a request, unless the last one is not answered yet: that is an error of its own."""
        if self._sent:
            self.errors += 1
            return
        self._sent = time.perf_counter()
        self.socket.send(self._request)

    def take(self) -> None:
        """Part of an answer has come; its length is in its head."""
        data = self.socket.recv(65536)
        if not data:
            raise SystemExit("the server has closed a connection")
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


class _Crowd:
    """All clients; each asks at moments of its own."""

    def __init__(self, clients: list[_Client], hertz: float) -> None:
        self._clients, self._seconds = clients, 1 / hertz
        self._due: list[tuple[float, int]] = []

    def on(self) -> None:
        """Begin to ask."""
        now = time.monotonic()
        self._due = [(now + random.random() * self._seconds, number) for number in range(len(self._clients))]
        heapify(self._due)

    def off(self) -> None:
        """Ask no more."""
        self._due = []

    def ask(self) -> float | None:
        """Let those ask whose moment has come; seconds until the next one's, None where nobody will."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            due, number = self._due[0]
            self._clients[number].ask()
            heapreplace(self._due, (due + self._seconds, number))
        return self._due[0][0] - now if self._due else None


def _poll(orders: Orders) -> Seen:
    """Poll between `on` and `off`, until standard input is closed. One thread without an event loop: a poll costs
    little more than its system calls, as from clients that are no Python."""
    latencies: list[float] = []
    clients = [_Client(orders, latencies) for _ in range(orders.clients)]
    crowd, began, cpu = _Crowd(clients, orders.hertz), time.monotonic(), time.process_time()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        selector.register(0, selectors.EVENT_READ)
        told = b"off"
        while told:
            for key, _ in selector.select(crowd.ask()):
                if key.data is not None:
                    key.data.take()
                    continue
                told = os.read(0, 4096)
                crowd.on() if told.split()[-1:] == [b"on"] else crowd.off()
    used = time.process_time() - cpu
    for client in clients:
        client.socket.close()
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


def _serve(size: int) -> None:
    """`_answer_all` on the fastest event loop there is."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(_answer_all(size))
    else:
        uvloop.run(_answer_all(size))


def main() -> None:
    """The first line of standard input says what to do: `{"trivial": SIZE}`, or `Orders`."""
    line = b""
    while not line.endswith(b"\n"):  # by the byte: what follows is not for Python's buffer
        line += os.read(0, 1)
    orders = json.loads(line)
    if "trivial" in orders:
        _serve(orders["trivial"])
    else:
        print(_poll(Orders.model_validate(orders)).model_dump_json(), flush=True)


if __name__ == "__main__":
    main()

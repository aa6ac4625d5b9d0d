"""Calls that may take longer than a client waits: they go on, and asking again gets the result."""

import threading
import time
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

import anyio

from agent.errors import Busy, TunewrightError

PATIENCE_SECONDS = 30.0
"""Clients give a call up after a minute or less; one that gave up earlier can ask again as well."""
KEEP_SECONDS = 600.0
MAX_AT_ONCE = 8
POLL_SECONDS = 0.05
TELL_SECONDS = 2.0

T = TypeVar("T")
Tell = Callable[[float, str], Awaitable[None]]
"""Reports progress: how far, and in words."""


class StillWorking(TunewrightError):
    """The call takes longer than a client waits; the very same call later gets its result."""

    code = "still_working"
    retryable = True


class Work:
    """Runs blocking calls in threads of their own, which neither a client that gave up nor the end of the process
    waits for. A call with the key of one that runs, or whose result nobody has got yet, is joined to it."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.patience_seconds = patience_seconds
        self._begun: dict[Hashable, tuple[Future[Any], float]] = {}
        self._lock = threading.Lock()

    async def done(self, key: Hashable, call: Callable[[], T], doing: str, tell: Tell) -> T:
        """The result of `call`. Raises StillWorking if it takes longer than a client waits, and Busy."""
        future = self._future(key, call)
        began, next_news = time.monotonic(), 0.0
        while not future.done():
            seconds = time.monotonic() - began
            if seconds > self.patience_seconds:
                raise StillWorking(f"{doing} goes on; call again with the same arguments to get the result.")
            if seconds >= next_news:
                next_news = seconds + TELL_SECONDS
                await tell(seconds, f"{doing}, {seconds:.0f} s")
            await anyio.sleep(POLL_SECONDS)
        self._forget(key, future)
        return cast(T, future.result())

    def _future(self, key: Hashable, call: Callable[[], T]) -> Future[Any]:
        with self._lock:
            self._drop_old()
            if key not in self._begun:
                if sum(not future.done() for future, _ in self._begun.values()) >= MAX_AT_ONCE:
                    raise Busy(f"{MAX_AT_ONCE} calls are being worked on; ask again in some seconds.")
                future: Future[Any] = Future()
                self._begun[key] = (future, time.monotonic())
                threading.Thread(target=_carry_out, args=(future, call), daemon=True).start()
            return self._begun[key][0]

    def _forget(self, key: Hashable, future: Future[Any]) -> None:
        with self._lock:
            if key in self._begun and self._begun[key][0] is future:
                del self._begun[key]

    def _drop_old(self) -> None:
        old = time.monotonic() - KEEP_SECONDS
        for key in [k for k, (future, began) in self._begun.items() if future.done() and began < old]:
            del self._begun[key]


def _carry_out(future: Future[Any], call: Callable[[], Any]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)

"""Work in a thread of its own whose products are read here one by one, and which can be left behind."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Stopped(BaseException):
    """Nobody waits for the work any more. No Exception, which libraries on the way would log or turn into a reply."""


class Background(Generic[T]):
    """`work(put)` in a daemon thread. Iterate for what it puts; `stop` lets go of it at once."""

    def __init__(self, work: Callable[[Callable[[T], None]], None]) -> None:
        self._products: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._work = work
        threading.Thread(target=self._run, name="chat", daemon=True).start()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Nothing more is wanted; the work's next `put` raises Stopped in its thread."""
        self._stopped.set()

    def products(self, patience: Callable[[], float | None]) -> Iterator[T]:
        """What was put, as it comes; then what the work raised, if it did.

        `patience` tells how many seconds to wait for the next product (None: without end). Raises TimeoutError.
        """
        while True:
            try:
                product, error = self._products.get(timeout=patience())
            except queue.Empty:
                self.stop()
                raise TimeoutError from None
            if error is not None:
                if isinstance(error, _Done):
                    return
                raise error
            if product is not None:
                yield product

    def _put(self, product: T) -> None:
        if self._stopped.is_set():
            raise Stopped
        self._products.put((product, None))

    def _run(self) -> None:
        try:
            self._work(self._put)
        except BaseException as error:  # raised again where the products are read
            self._products.put((None, error))
        else:
            self._products.put((None, _Done()))


class _Done(Exception):
    """The work has ended well."""

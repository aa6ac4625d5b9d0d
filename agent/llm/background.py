"""Work in a thread of its own whose products are read here one by one, and which can be left behind.

A question to the planner LLM is such work. The store is written by one thread only, so what happens on the way is kept
until it is collected. Nothing paid for is lost by stopping: what is done is recorded, what is under way is recorded as
lost.
"""

import contextvars
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from agent.llm.calls import LlmCall, LlmEvent, Ticket

T = TypeVar("T")
Step = Ticket | LlmCall | LlmEvent
"""What happens on the way to an answer: a call begins, has ended, or there is something to see."""

STOP_SECONDS = 2.0
"""How long stopping waits for a reply that may be just about to arrive."""


class Stopped(BaseException):
    """Nobody waits for the work any more. No Exception, which libraries on the way would log or turn into a reply."""


class Background(Generic[T]):
    """`work(self)` in a daemon thread, which hands over its products with `put`. Read them with `products` (`ended`
    says whether all were read); `stop` lets go of it at once. Spans of the work belong to the one it was started in."""

    def __init__(self, work: "Callable[[Background[T]], object]") -> None:
        self._work, self.ended = work, False
        self._queue: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
        self._stopped = threading.Event()
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._run,), name="background", daemon=True)
        self._thread.start()

    def put(self, product: T) -> None:
        """Hand a product over; for the work. Raises Stopped after `stop`."""
        if self._stopped.is_set():
            raise Stopped
        self._queue.put(product)

    def pause(self, seconds: float) -> None:
        """Sleep; for the work. Raises Stopped when `stop` is called meanwhile."""
        if self._stopped.wait(seconds):
            raise Stopped

    def products(self, patience: Callable[[], float | None] = lambda: None) -> Iterator[T]:
        """What was put, as it comes; then what the work raised, if it did.

        `patience` tells how many seconds to wait for the next product (None: without end). Raises TimeoutError.
        """
        while True:
            try:
                product = self._queue.get(timeout=patience())
            except queue.Empty:
                self.stop()
                raise TimeoutError from None
            if not isinstance(product, _End):
                yield product
                continue
            self.ended = True
            if product.error is not None:
                raise product.error
            return

    def over(self, within_seconds: float = 0.0) -> bool:
        """Whether the work has ended, or ends within so long."""
        self._thread.join(within_seconds)
        return not self._thread.is_alive()

    def stop(self) -> list[T]:
        """Nothing more is wanted: the work's next `put` raises Stopped in its thread. What was put but not read."""
        self._stopped.set()
        unread: list[T] = []
        while not self._queue.empty():
            if not isinstance(product := self._queue.get(), _End):
                unread.append(product)
        return unread

    def _run(self) -> None:
        try:
            self._work(self)
        except BaseException as error:  # raised again where the products are read
            self._queue.put(_End(error))
        else:
            self._queue.put(_End())


@dataclass(frozen=True)
class _End:
    """The work is over, well or with an error."""

    error: BaseException | None = None


class Asking(Generic[T]):
    """A question in its thread. Collect it with `result`, or let go of it with `stop`; both from the asking thread."""

    def __init__(
        self,
        answer: Callable[[Background[Step]], T],
        on_step: Callable[[LlmCall | LlmEvent], None],
        on_lost: Callable[[Ticket], None],
        release: Callable[[], None],
    ) -> None:
        """`on_lost` gets a call that was sent and whose reply nobody waited for; `release` is called at the end."""
        self._answer, self._on_step, self._on_lost, self._release = answer, on_step, on_lost, release
        self._value: T | None = None
        self._under_way: Ticket | None = None
        self._background: Background[Step] = Background(self._work)

    @property
    def done(self) -> bool:
        """Whether `result` will return without waiting."""
        return self._background.over()

    def result(self) -> T:
        """The answer; waits for it (the planner's own time limits hold). Records every call, then raises what went
        wrong, as `Planner.ask` does. Ctrl-C leaves the question to `stop`."""
        try:
            for step in self._background.products():
                self._take(step)
        except Exception:
            self._background.stop()  # a call that cannot be recorded is the last
            raise
        finally:
            if self._background.ended:
                self._release()
        assert self._value is not None
        return self._value

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Wait at most `seconds` for the reply, record what was paid for, drop the answer."""
        self._background.over(seconds)
        for step in self._background.stop():
            self._take(step)
        lost, self._under_way = self._under_way, None
        if lost is not None:
            self._on_lost(lost)
        self._release()

    def _work(self, background: Background[Step]) -> None:
        self._value = self._answer(background)

    def _take(self, step: Step) -> None:
        if isinstance(step, Ticket):
            self._under_way = step
            return
        if isinstance(step, LlmCall):
            self._under_way = None
        self._on_step(step)

"""A question under way in a thread of its own, and the way its calls and events take back to the thread that asked.

The store is written by one thread only, so a background question keeps what happens until it is collected. Nothing
paid for is lost by stopping: what is done is recorded, what is under way is recorded as lost.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from agent.llm.calls import LlmCall, LlmEvent

T = TypeVar("T")

STOP_SECONDS = 2.0
"""How long stopping waits for a reply that may be just about to arrive."""


class Stopped(Exception):
    """The question is not wanted any more."""


class Outbox:
    """Calls and events of one question, in order: passed on at once, or kept until `flush` once `hold` was called.

    `on_lost` gets a call that was sent and whose reply nobody waited for.
    """

    def __init__(
        self,
        on_call: Callable[[LlmCall], None],
        on_event: Callable[[LlmEvent], None],
        on_lost: Callable[[LlmCall], None],
    ) -> None:
        self._on_call, self._on_event, self._on_lost = on_call, on_event, on_lost
        self._lock = threading.Lock()
        self._kept: list[LlmCall | LlmEvent] | None = None
        self._lost: LlmCall | None = None
        self._stopped = threading.Event()

    def hold(self) -> None:
        """Keep what comes from now on."""
        self._kept = []

    def call(self, call: LlmCall) -> None:
        """A call that was made."""
        self._put(call)

    def event(self, event: LlmEvent) -> None:
        """Something a user should see."""
        self._put(event)

    def _put(self, item: LlmCall | LlmEvent) -> None:
        with self._lock:
            if self._stopped.is_set():
                return  # it was given up and recorded as lost
            if self._kept is not None:
                self._lost = None if isinstance(item, LlmCall) else self._lost
                self._kept.append(item)
                return
        self._pass_on(item)

    @contextmanager
    def under_way(self, lost: LlmCall) -> Iterator[None]:
        """While the block runs, `lost` is what to record if nobody waits for its end. Raises Stopped after `stop`."""
        with self._lock:
            if self._stopped.is_set():
                raise Stopped
            self._lost = lost
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            self._on_lost(lost)
            raise

    def pause(self, seconds: float) -> None:
        """Sleep. Raises Stopped when `stop` is called meanwhile."""
        if self._stopped.wait(seconds):
            raise Stopped

    def stop(self) -> None:
        """Nothing more is wanted: what was kept is passed on, no further call is made, the one under way is lost.
        For a question in a thread; call it from the thread that may write the store."""
        with self._lock:
            self._stopped.set()
            lost, self._lost = self._lost, None
        self.flush()
        if lost is not None:
            self._on_lost(lost)

    def flush(self) -> None:
        """Pass on what was kept; call it from the thread that may write the store."""
        with self._lock:
            kept, self._kept = self._kept or [], []
        for item in kept:
            self._pass_on(item)

    def _pass_on(self, item: LlmCall | LlmEvent) -> None:
        if isinstance(item, LlmCall):
            self._on_call(item)
        else:
            self._on_event(item)


class Asking(Generic[T]):
    """A question in its thread. Collect it with `result`, or let go of it with `stop`; both from the asking thread."""

    def __init__(self, answer: Callable[[Outbox], T], outbox: Outbox, release: Callable[[], None]) -> None:
        self._answer, self._outbox, self._release = answer, outbox, release
        self._value: T | None = None
        self._error: BaseException | None = None
        outbox.hold()
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether `result` will return without waiting."""
        return not self._thread.is_alive()

    def result(self) -> T:
        """The answer; waits for it (the planner's own time limits hold). Records every call, then raises what went
        wrong, as `Planner.ask` does."""
        self._thread.join()
        self._outbox.flush()
        self._release()
        if self._error is not None:
            raise self._error
        assert self._value is not None
        return self._value

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Wait at most `seconds` for the reply, record what was paid for, drop the answer."""
        self._thread.join(seconds)
        self._outbox.stop()
        self._release()

    def _run(self) -> None:
        try:
            self._value = self._answer(self._outbox)
        except BaseException as error:  # raised again where the result is collected
            self._error = error

"""A watcher in a thread of the study's process, behind a bounded queue; for what is light and short."""

import os
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Callable

from agent.llm.calls import redacted, secrets_of
from agent.study.nouns import EventKind, StudyEvent

MAX_WAITING = 1000
"""Events that may wait; more are dropped, which is told."""

MAX_FAILURES = 3
"""In a row; then the watcher is switched off for this run of the study."""

MAX_MESSAGE = 300

_LOGIN = re.compile(r"://[^/@\s]+@")


class ThreadWatcher:
    """A `Watcher` (agent/report/watching/watched.py): `take` is called with the events of some
    kinds, in order, in a thread.

    `take` may raise and may hang; `close` is called at the end, from the thread as well.
    """

    def __init__(
        self,
        name: str,
        kinds: tuple[EventKind, ...],
        take: Callable[[StudyEvent], None],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._kinds, self._take, self._close = frozenset(kinds), take, close
        self._waiting: queue.Queue[StudyEvent | None] = queue.Queue(MAX_WAITING)
        self._troubles: deque[str] = deque(maxlen=20)
        self._full = self._off = False
        self._thread = threading.Thread(target=self._run, name=f"watch-{name}", daemon=True)
        self._thread.start()

    def on_event(self, event: StudyEvent) -> None:
        """Put the event into the queue."""
        if self._off or event.kind not in self._kinds:
            return
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            if not self._full:
                self._troubles.append(f"is too slow: {MAX_WAITING} events wait, and further ones are dropped")
            self._full = True

    def troubles(self) -> list[str]:
        """See `Watcher`."""
        return [self._troubles.popleft() for _ in range(len(self._troubles))]

    def close(self, until: float) -> None:
        """See `Watcher`. A thread that hangs is left behind; it cannot keep the process from ending."""
        try:
            self._waiting.put(None, timeout=max(0.1, until - time.monotonic()))
        except queue.Full:
            pass
        else:
            self._thread.join(max(0.1, until - time.monotonic()))
        if self._thread.is_alive():
            self._troubles.append("was not done in time at the end and was left; something may not have been sent")

    def _run(self) -> None:
        failures = 0
        while (event := self._waiting.get()) is not None:
            if self._off:
                continue
            try:
                self._take(event)
                failures = 0
            except Exception as error:  # whatever fails here must not touch the study
                failures += 1
                self._off = failures == MAX_FAILURES
                ended = f"failed {failures} times and is switched off" if self._off else "failed"
                if failures == 1 or self._off:
                    self._troubles.append(f"{ended}: {said(error)}")
        if not self._off:
            try:
                self._close()
            except Exception as error:
                self._troubles.append(f"failed at the end: {said(error)}")


def said(error: Exception) -> str:
    """An error in one line, without secrets."""
    line = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return redacted(without_login(line), secrets_of(os.environ))[:MAX_MESSAGE]


def without_login(text: str) -> str:
    """`text` without the user names and passwords of addresses in it."""
    return _LOGIN.sub("://", text)

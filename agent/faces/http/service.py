"""What the routes share: the desk, the cards of polled studies, and limits on what runs at once."""

import threading
from dataclasses import dataclass, field

from agent.desk.desk import Desk
from agent.errors import Busy, InputError
from agent.faces.http.access import Access
from agent.faces.http.measures import Measures
from agent.faces.http.status import Statuses
from agent.llm.name import parse_llm
from agent.settings import Settings


class Slots:
    """A number of things that may go on at once; one more is refused, not queued. `with` holds one."""

    def __init__(self, n: int, what: str) -> None:
        self._n, self._what, self._slots = n, what, threading.BoundedSemaphore(n)

    def take(self) -> None:
        """Take one. Raises Busy."""
        if not self._slots.acquire(blocking=False):
            raise Busy(f"{self._n} {self._what} are going on already. Try again in a moment.")

    def free(self) -> None:
        """Give one back."""
        self._slots.release()

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, *_: object) -> None:
        self.free()


@dataclass
class Service:
    """One server's parts."""

    desk: Desk
    access: Access
    statuses: Statuses
    url: str
    cookie_name: str
    measures: Measures = field(default_factory=Measures)
    max_upload: int = 512 * 1024 * 1024
    """Bytes of an uploaded file."""
    planning: Slots = field(default_factory=lambda: Slots(8, "plans"))
    loading: Slots = field(default_factory=lambda: Slots(2, "requests to models"))
    streams: Slots = field(default_factory=lambda: Slots(200, "streams"))
    verbs: Slots = field(default_factory=lambda: Slots(16, "verbs that take longer than a moment"))
    turns: Slots = field(default_factory=lambda: Slots(8, "conversation turns"))

    @property
    def settings(self) -> Settings:
        """Home, planner and roots."""
        return self.desk.settings

    def planner(self, llm: str | None) -> str | None:
        """The planner a client names, if it may: an address to send requests and a key to is the server's to choose."""
        if llm is None or llm == self.settings.llm:
            return None
        if llm.strip().lower().startswith(("http:", "https:")):
            hint = "Start the server with --llm, or name a hosted or local model."
            raise InputError("llm", "a planner's address cannot be given from outside.", hint)
        return parse_llm(llm).spelling

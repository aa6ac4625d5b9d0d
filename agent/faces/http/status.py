"""`GET /v1/studies/{id}` for clients that poll: encoded answers, made again only when the database has changed.

Many clients asking several times a second must not slow a training run on the same cores, so the usual request costs a
dictionary look-up. What is told is less than a second old, and never older than the last write through this server.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from agent.desk.cards import StudyCard
from agent.desk.study_cards import study_card
from agent.errors import TunewrightError
from agent.faces.http.problems import Headers, careful, problem
from agent.study.nouns import StudyState
from agent.study.store import Store

FRESH_SECONDS = 0.3
"""For so long an answer is given without looking at the database."""
LOCK_SECONDS = 2.0
"""After so long a study is looked at even where the database has not changed: a process that died writes nothing."""
STALE_SECONDS = 1.0
"""No answer is older."""
DONE_SECONDS = 60.0
"""A study that is done changes no more, whatever else the database tells."""
MAX_STUDIES = 256

REPEATABLE = "tunewright.repeatable"
"""Key of the scope: the study that this request is about, where the very same bytes would be answered alike."""
ODD = frozenset({b"if-none-match", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect"})
"""Headers that a request without surprises lacks, KEEP_ALIVE apart."""
KEEP_ALIVE = (b"connection", b"keep-alive")
"""Most clients send it, and it says nothing."""

T = TypeVar("T")
Receive = Callable[[], Any]


@dataclass
class Entry:
    """A study's card, encoded."""

    card: StudyCard
    body: bytes
    etag: bytes
    version: int
    built: float
    looked: float

    @property
    def headers(self) -> Headers:
        """Those of a 200."""
        return [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self.body)).encode()),
            (b"etag", self.etag),
        ]

    @cached_property
    def wire(self) -> bytes:
        """A whole 200 as it is sent, but for the status line and the date."""
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in careful(self.headers, api=True))
        return lines + b"\r\n" + self.body


class Statuses:
    """The cards of studies over a connection of its own, read by one thread of its own."""

    def __init__(self, database: Path, max_studies: int = MAX_STUDIES) -> None:
        self._max_studies = max_studies
        self._store = Store.open(database, read_only=True)
        self._thread = ThreadPoolExecutor(1, "statuses")
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._running: dict[str, asyncio.Task[Entry]] = {}
        self._written = 0.0
        self._version, self._version_at = 0, 0.0

    def close(self) -> None:
        """Let go of the database."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._store.close()

    def written(self) -> None:
        """Something was changed through this server: whoever asks next must see it."""
        self._written = time.monotonic()
        self._version_at = 0.0

    @property
    def known(self) -> list[str]:
        """The studies whose answers are kept, the latest last."""
        return list(self._entries)

    async def read(self, read: Callable[[Store], T]) -> T:
        """What `read` finds in the database, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, read, self._store)

    async def version(self) -> int:
        """A number that changes when the database does; looked up a few times a second at most."""
        now = time.monotonic()
        if now - self._version_at > FRESH_SECONDS:
            self._version_at = now
            self._version = await self.read(Store.version)
        return self._version

    def at_once(self, study: str) -> Entry | None:
        """The study as it stood within the last second, if that is known; one that is no longer fresh is looked up
        for the next one who asks. Call it in the event loop."""
        found = self._entries.get(study)
        if found is None or found.looked < self._written:
            return None
        age = time.monotonic() - found.looked
        if age >= FRESH_SECONDS:
            self._looking(study)
        return found if age < STALE_SECONDS else None

    async def entry(self, study: str) -> Entry:
        """The study as it stands. Raises InputError where there is none."""
        if (found := self.at_once(study)) is not None:
            return found
        return await asyncio.shield(self._looking(study))

    def _looking(self, study: str) -> asyncio.Task[Entry]:
        """The look that is under way, or one that begins now."""
        task = self._running.get(study)
        if task is None:
            task = self._running[study] = asyncio.create_task(self._look(study))
            task.add_done_callback(lambda done: self._looked(study, done))
        return task

    def _looked(self, study: str, done: asyncio.Task[Entry]) -> None:
        self._running.pop(study, None)
        if not done.cancelled():
            done.exception()  # whoever waits for it is told; where nobody does, the next one looks again

    async def _look(self, study: str) -> Entry:
        looked, found = time.monotonic(), self._entries.get(study)
        if found is not None and found.built < self._written:
            found = None
        entry = await self.read(lambda store: _looked_up(store, study, found, looked))
        self._entries[study] = entry
        self._entries.move_to_end(study)
        while len(self._entries) > self._max_studies:
            self._entries.popitem(last=False)
        return entry


def _looked_up(store: Store, study: str, found: Entry | None, looked: float) -> Entry:
    version = store.version()
    if found is not None:
        age, done = looked - found.built, found.card.state is StudyState.DONE
        if (found.version == version and age < LOCK_SECONDS) or (done and age < DONE_SECONDS):
            found.looked = looked
            return found
    card = study_card(store.study(study), store)
    body = card.model_dump_json().encode()
    etag = b'"' + hashlib.blake2b(body, digest_size=12).hexdigest().encode() + b'"'
    return Entry(card, body, etag, version, looked, looked)


class StatusRoute:
    """The route as plain ASGI in front of the others; all that is not exactly it goes on to `app`."""

    path = "/v1/studies/{study}"
    """What it is counted as."""

    def __init__(self, app: Callable[..., Any], statuses: Statuses) -> None:
        self.app, self.statuses = app, statuses

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, with 304 where the client has it already."""
        path = scope.get("path", "")
        study = path[12:]
        if scope["type"] != "http" or scope["method"] != "GET" or path[:12] != "/v1/studies/" or not study.isdigit():
            await self.app(scope, receive, send)
            return
        scope["route"] = self
        try:
            entry = await self.statuses.entry(study)
        except TunewrightError as error:
            await problem(error)(scope, receive, send)
            return
        if not any(name in ODD and (name, value) != KEEP_ALIVE for name, value in scope["headers"]):
            scope[REPEATABLE] = study
        elif any(name == b"if-none-match" and entry.etag in value for name, value in scope["headers"]):
            await send({"type": "http.response.start", "status": 304, "headers": [(b"etag", entry.etag)]})
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.start", "status": 200, "headers": entry.headers})
        await send({"type": "http.response.body", "body": entry.body})

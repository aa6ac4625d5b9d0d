"""The cards of studies for clients that poll: read from the database a few times a second, whoever asks."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from agent.desk.cards import StudyCard
from agent.desk.study_cards import study_card
from agent.study.store import Store

FRESH_SECONDS = 0.3
"""An answer is given again for this long, unless something was written through this server since."""
MAX_STUDIES = 256


@dataclass(frozen=True)
class Entry:
    """A study's card, encoded."""

    card: StudyCard
    body: bytes
    etag: str
    read_at: float

    def response(self, if_none_match: str) -> Response:
        """The card; 304 for a client that names its tag."""
        if self.etag in if_none_match:
            return Response(status_code=304, headers={"etag": self.etag})
        return Response(self.body, headers={"etag": self.etag}, media_type="application/json")


class Statuses:
    """The cards of studies, over a connection of its own: nobody waits here for what is being written."""

    def __init__(self, database: Path) -> None:
        self.store = Store.open(database, read_only=True)
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._reading = asyncio.Lock()
        self._written_at = 0.0

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()

    def written(self) -> None:
        """Something was changed through this server: whoever asks next must see it. Usable from several threads."""
        self._written_at = time.monotonic()

    async def entry(self, study: str) -> Entry:
        """The study as it stands. Raises InputError where there is none."""
        if (entry := self._fresh(study)) is not None:
            return entry
        async with self._reading:  # one reads for all who wait
            if (entry := self._fresh(study)) is None:
                entry = self._entries[study] = await run_in_threadpool(self._read, study)
                self._entries.move_to_end(study)
                while len(self._entries) > MAX_STUDIES:
                    self._entries.popitem(last=False)
        return entry

    def _fresh(self, study: str) -> Entry | None:
        entry = self._entries.get(study)
        oldest = max(self._written_at, time.monotonic() - FRESH_SECONDS)
        return entry if entry is not None and entry.read_at > oldest else None

    def _read(self, study: str) -> Entry:
        read_at = time.monotonic()
        card = study_card(self.store.study(study), self.store)
        body = card.model_dump_json().encode()
        return Entry(card, body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"', read_at)

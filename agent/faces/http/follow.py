"""Events of a study as they come."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from fastapi import Response

from agent.faces.http.service import Service
from agent.faces.http.sse import event, model_event, stream
from agent.faces.http.status import FRESH_SECONDS
from agent.study.journal import MAX_SEQ
from agent.study.nouns import StudyEvent
from agent.study.store import Store

PAGE = 500


async def event_stream(service: Service, study: str, after: int, last_event_id: str | None) -> Response:
    """The events after `after` as they come; 204, which tells a browser that reconnects to stop, where none will."""
    entry = await service.statuses.entry(study)
    if last_event_id is not None and last_event_id.isdecimal():
        after = min(int(last_event_id[:19]), MAX_SEQ)
        if entry.card.over and entry.card.last_event <= after:
            return Response(status_code=204)
    return stream(service, _events(service, study, after))


async def _events(service: Service, study: str, after: int) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"
    async for found in followed(service, study, after):
        yield model_event(found, found.seq)
    yield event('{"over": true}', name="end")


async def followed(service: Service, study: str, after: int) -> AsyncIterator[StudyEvent]:
    """Events as they come, until the study is over. Costs a look at the database only when that has changed."""
    seen: int | None = None
    while True:
        version = await service.statuses.version()
        over = (await service.statuses.entry(study)).card.over
        found: list[StudyEvent] = []
        if version != seen or over:
            found = await service.statuses.read(partial(Store.events, study_id=study, after=after, limit=PAGE))
            seen = version
        for one in found:
            after = one.seq
            yield one
        if over and not found:
            return
        if len(found) < PAGE and not over:
            await asyncio.sleep(FRESH_SECONDS)
        else:
            seen = None

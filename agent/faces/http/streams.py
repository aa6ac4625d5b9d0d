"""Streams of server-sent events: their number, their form, and the events of a study as they come."""

import asyncio
from collections.abc import AsyncIterator, Mapping

from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agent.faces.http.service import Service
from agent.faces.http.status import FRESH_SECONDS
from agent.study.journal import MAX_SEQ
from agent.study.nouns import StudyEvent

HEARTBEAT = b": still here\n"
MEDIA_TYPE = "text/event-stream"
PAGE = 500
RETRY_MS = 2000

Event = str | bytes | Mapping[str, str | int]
"""The data of an event; its bytes as they are sent; or its fields by name: data, id, event, retry."""


class _Heartbeat(ServerSentEvent):
    """A comment without an empty line behind it, which OpenAI's client would take for an event once there was an id."""

    def encode(self) -> bytes:
        """See sse-starlette."""
        return HEARTBEAT


class EventStream(EventSourceResponse):
    """One of the server's limited number of streams; heartbeats and the end of the server are sse-starlette's."""

    def __init__(self, service: Service, events: AsyncIterator[Event]) -> None:
        """Raises Busy where there are too many streams already."""
        service.streams.take()
        super().__init__(events, sep="\n", ping_message_factory=_Heartbeat)
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the place back, also where the client is gone before the first event."""
        try:
            await super().__call__(scope, receive, send)
            if self.active:  # the server closes: end in good order
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._service.streams.free()


async def study_stream(service: Service, study: str, after: int, last_event_id: str | None) -> Response:
    """The events after `after` as they come; 204, which tells a browser that reconnects to stop, where none will."""
    card = (await service.statuses.entry(study)).card
    if last_event_id is not None and last_event_id.isdecimal():
        after = min(int(last_event_id[:19]), MAX_SEQ)
        if card.over and card.last_event <= after:
            return Response(status_code=204)
    return EventStream(service, _events(service, study, after))


async def _events(service: Service, study: str, after: int) -> AsyncIterator[Event]:
    yield {"retry": RETRY_MS}
    async for event in follow(service, study, after):
        yield {"id": str(event.seq), "data": event.model_dump_json()}
    yield {"event": "end", "data": '{"over": true}'}


async def follow(service: Service, study: str, after: int) -> AsyncIterator[StudyEvent]:
    """Events as they come, until the study is over. They are read only when the study's card tells of new ones."""
    store = service.statuses.store
    while True:
        card = (await service.statuses.entry(study)).card
        events: list[StudyEvent] = []
        if card.over or card.last_event > after:
            events = await run_in_threadpool(store.events, study, after, limit=PAGE)
        for event in events:
            after = event.seq
            yield event
        if card.over and not events:
            return
        if not events:
            await asyncio.sleep(FRESH_SECONDS)

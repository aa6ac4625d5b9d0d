"""Turns of conversations: each in a thread of its own, which goes on when whoever listens goes away."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count

from agent.desk.cards import Problem
from agent.desk.chat.conversation import Conversation
from agent.desk.chat.happenings import Happening, TurnOver
from agent.errors import TunewrightError
from agent.faces.http.problems import INTERNAL, TurnRunning
from agent.faces.http.service import Service

log = logging.getLogger("uvicorn.error")
Piece = Happening | None
"""What a listener gets: a happening, or the end."""


class Turns:
    """Starts turns, one at a time in each conversation. Usable from several threads."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def start(self, conversation: Conversation, turn: Callable[[Conversation], Iterator[Happening]]) -> "Listener":
        """Begin a turn; what happens is what the listener hears.

        Raises TurnRunning while the conversation answers something else, Busy with too many turns at once, and what
        the turn raises at once (InputError for words or a hash that do not fit).
        """
        with self._lock:
            if conversation.conversation_id in self._busy:
                raise TurnRunning(f"conversation {conversation.conversation_id} is answering. Wait for its reply.")
            self._service.turns.take()
            self._busy.add(conversation.conversation_id)
        try:
            happenings = turn(conversation)
            listener = Listener()
            thread = threading.Thread(
                target=self._run, args=(conversation.conversation_id, happenings, listener), daemon=True, name="turn"
            )
            thread.start()
        except BaseException:
            self._over(conversation.conversation_id)
            raise
        return listener

    def running(self, conversation_id: str) -> bool:
        """Whether the conversation is answering now."""
        return conversation_id in self._busy

    def _run(self, conversation_id: str, happenings: Iterator[Happening], listener: "Listener") -> None:
        broken: Problem | None = None
        try:
            for happening in happenings:
                listener.hear(happening)
        except TunewrightError as error:
            broken = Problem.of(error)
        except Exception:
            log.exception("conversation %s: the turn failed", conversation_id)
            broken = Problem(**INTERNAL.model_dump(exclude={"type"}))
        finally:
            self._service.statuses.written()
            self._over(conversation_id)  # before the listener knows: it may speak again at once
            if broken is not None:
                listener.hear(TurnOver(conversation_id=conversation_id, problem=broken))
            listener.hear(None)

    def _over(self, conversation_id: str) -> None:
        with self._lock:
            self._busy.discard(conversation_id)
        self._service.turns.free()


class Listener:
    """Hands what a turn's thread tells to whoever listens on the event loop, from the first happening on."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._wakes: list[Callable[[], object]] = []

    def hear(self, piece: Piece) -> None:
        """Called by the turn's thread."""
        self._pieces.append(piece)
        for wake in tuple(self._wakes):
            with suppress(RuntimeError):  # its loop may be closed: nobody listens there any more
                wake()

    async def pieces(self) -> AsyncIterator[Happening]:
        """What happens, waiting for it. Several may listen."""
        woken = asyncio.Event()
        wake = partial(asyncio.get_running_loop().call_soon_threadsafe, woken.set)
        self._wakes.append(wake)
        try:
            for place in count():
                while place == len(self._pieces):
                    woken.clear()
                    if place == len(self._pieces):
                        await woken.wait()
                piece = self._pieces[place]
                if piece is None:
                    return
                yield piece
        finally:
            self._wakes.remove(wake)

"""Which stored conversation a chat without conversations goes on with: the one whose words it repeats."""

import hashlib
import json
import threading
from collections import OrderedDict

from agent.desk.cards import PlanCard
from agent.desk.chat.conversation import Conversation
from agent.desk.desk import Desk
from agent.faces.http.conversations import conversation_of
from agent.request.markup import table

MAX_BOUND = 10_000
MAX_SEARCHED = 200
FACE = "openai"

Transcript = list[tuple[str, str]]
"""(user or assistant, words), in order."""


class Transcripts:
    """Knows the conversations by what was said in them. Usable from several threads."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._bound: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._lock = threading.Lock()

    def conversation(self, named: str | None, before: Transcript) -> Conversation:
        """The conversation named, or the one that stands where `before` ends; else a new one.

        A client may go back and edit what was said: then the conversation has moved on, and a new one begins, in which
        no plan waits for a yes. Raises InputError for a name that there is not.
        """
        if named is not None:
            return conversation_of(self._desk, named, FACE)
        standing = self._standing(before) if before else None
        if standing is not None:
            return conversation_of(self._desk, standing, FACE)
        conversation = Conversation(self._desk, face=FACE)
        for role, words in before:
            self._desk.store.add_turn(conversation.conversation_id, "user" if role == "user" else "assistant", words)
        return conversation

    def bind(self, transcript: Transcript, conversation_id: str) -> None:
        """Note that the conversation stands where `transcript` ends."""
        turns = self._desk.store.turns(conversation_id)
        with self._lock:
            self._bound[_key(transcript)] = (conversation_id, turns[-1].turn_id if turns else 0)
            while len(self._bound) > MAX_BOUND:
                self._bound.popitem(last=False)

    def _standing(self, before: Transcript) -> str | None:
        with self._lock:
            bound = self._bound.get(_key(before))
        if bound is not None:
            turns = self._desk.store.turns(bound[0])
            return bound[0] if turns and turns[-1].turn_id == bound[1] else None
        for row in self._desk.store.conversations()[:MAX_SEARCHED]:  # known before a restart
            turns = self._desk.store.turns(row.conversation_id)
            words = [(str(turn.role), turn.text) for turn in turns if turn.role in ("user", "assistant")]
            if _key(words) == _key(before):
                return row.conversation_id
        return None


def _key(transcript: Transcript) -> str:
    """The same for the same words, however a client spaces them or shows plans between them."""
    texts = [(role, _without_tables(words) if role == "assistant" else words) for role, words in transcript]
    plain = [(role, " ".join(words.split())) for role, words in texts]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def plan_words(card: PlanCard) -> str:
    """A plan as a table, for clients that show text only."""
    rows = [(line.name, line.value) for line in (*card.understood, *card.data)]
    rows += [("searched: " + line.name, f"{line.value}, {line.origin}") for line in card.searched]
    rows += [("note", note) for note in card.notes]
    return f"\n\n{table(('plan', ''), rows)}\n\n"


def _without_tables(words: str) -> str:
    """Words without tables such as `plan_words` puts between them; the store keeps the words alone."""
    return "\n".join(line for line in words.splitlines() if not line.startswith("|"))

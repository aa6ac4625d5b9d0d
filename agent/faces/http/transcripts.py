"""Which stored conversation a chat without conversations goes on with: the one whose words it repeats."""

import hashlib
import json
import threading
from collections import OrderedDict

from agent.desk.cards import PlanCard
from agent.desk.chat.conversation import Conversation
from agent.desk.desk import Desk
from agent.faces.http.conversations import opened

MAX_BOUND = 10_000
MAX_SEARCHED = 200
FACE = "openai"

Said = list[tuple[str, str]]
"""(user or assistant, words), in order."""


class Transcripts:
    """Knows the conversations by what was said in them. Usable from several threads."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._bound: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._lock = threading.Lock()

    def conversation(self, named: str | None, before: Said) -> Conversation:
        """The conversation named, or the one that stands where `before` ends; else a new one.

        A client may go back and edit what was said: then the conversation has moved on, and a new one begins, in which
        no plan waits for a yes. Raises InputError for a name that there is not.
        """
        if named is not None:
            return opened(self._desk, named, FACE)
        found = self._standing(before) if before else None
        if found is not None:
            return opened(self._desk, found, FACE)
        conversation = Conversation(self._desk, face=FACE)
        for role, words in before:
            self._desk.store.add_turn(conversation.conversation_id, "user" if role == "user" else "assistant", words)
        return conversation

    def bind(self, said: Said, conversation_id: str) -> None:
        """Note that the conversation stands where `said` ends."""
        turns = self._desk.store.turns(conversation_id)
        with self._lock:
            self._bound[_key(said)] = (conversation_id, turns[-1].turn_id if turns else 0)
            while len(self._bound) > MAX_BOUND:
                self._bound.popitem(last=False)

    def _standing(self, before: Said) -> str | None:
        with self._lock:
            bound = self._bound.get(_key(before))
        if bound is not None:
            turns = self._desk.store.turns(bound[0])
            return bound[0] if turns and turns[-1].turn_id == bound[1] else None
        for row in self._desk.store.conversations()[:MAX_SEARCHED]:  # known before a restart
            if _key(self._told(row.conversation_id)) == _key(before):
                return row.conversation_id
        return None

    def _told(self, conversation_id: str) -> Said:
        """A stored conversation as it was told in chunks of text."""
        told: Said = []
        for turn in self._desk.store.turns(conversation_id):
            if turn.role == "user":
                told.append(("user", turn.text))
            elif turn.role == "assistant":
                told.append(("assistant", turn.text))
        return told


def _key(said: Said) -> str:
    """The same for the same words, however a client spaces them or shows plans between them."""
    plain = [(role, " ".join(_without_plan(words).split())) for role, words in said]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


PLAN_HEAD, PLAN_END = "| plan | |\n|---|---|\n", "\n\n"


def plan_words(card: PlanCard) -> str:
    """A plan as a table, for clients that show text only."""
    rows = [(line.name, line.value) for line in (*card.understood, *card.data)]
    rows += [("searched: " + line.name, f"{line.value}, {line.origin}") for line in card.searched]
    rows += [("note", note) for note in card.notes]
    cells = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows]
    return PLAN_HEAD + "\n".join(cells) + PLAN_END


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _without_plan(words: str) -> str:
    """Words without the tables that `plan_words` has put between them."""
    while (start := words.find(PLAN_HEAD)) >= 0:
        end = words.find(PLAN_END, start + len(PLAN_HEAD))
        words = words[:start] + ("" if end < 0 else words[end + len(PLAN_END) :])
    return words

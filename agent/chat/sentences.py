"""A stream of text in whole sentences, so that each can be checked before it is shown."""

import re

_END = re.compile(r"[.!?…][\"”’)*_]*\s|\n")
_MARKER = re.compile(r"(?:^|\n)[ \t]*(?:[-*+>][ \t]+)*(?:#{1,6}[ \t]*)?\d{1,3}\.\s$")
_ABBREVIATED = re.compile(r"(?:\b(?:e\.g|i\.e|vs|approx|resp|etc|cf|No|no|Nr|fig)|\b[A-Z])\.\s$")
MAX_CHARACTERS = 2000
"""A sentence that does not end is cut at a space here."""


class Sentences:
    """Collects pieces of text; gives out what has ended. Nothing is lost: joined, the sentences are the text."""

    def __init__(self) -> None:
        self._open = ""

    def feed(self, piece: str) -> list[str]:
        """The sentences that `piece` completes."""
        self._open += piece
        done: list[str] = []
        at = 0
        while (end := _END.search(self._open, at)) is not None:
            at = end.end()
            head = self._open[:at]
            if head.count("`") % 2 or _MARKER.search(head) or _ABBREVIATED.search(head):
                continue
            done.append(head)
            self._open, at = self._open[at:], 0
        if len(self._open) > MAX_CHARACTERS and (cut := self._open.rfind(" ") + 1):
            done.append(self._open[:cut])
            self._open = self._open[cut:]
        return done

    def rest(self) -> str:
        """What has not ended; nothing is left after it."""
        left, self._open = self._open, ""
        return left

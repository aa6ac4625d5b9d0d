"""Orders to the program that hide in a request. They are set aside, shown as ignored, and never read as fields."""

import re

from agent.request.rules.claims import Reading
from agent.request.rules.text import regex
from agent.request.rules.vocabulary import PHRASES

_PHRASES = PHRASES["injections"]


def read_injections(reading: Reading) -> None:
    """Set aside every clause that orders something a fine-tuning request cannot ask for."""
    _read_secret_orders(reading)
    patterns = (_PHRASES["reported_speech"], _PHRASES["sample"], _PHRASES["chat_message"])
    for match in [match for pattern in patterns for match in regex(pattern).finditer(reading.text.left)]:
        reading.ignore(match)
    _read_quotations(reading)
    for pattern, whole_sentence in ((_PHRASES["takes_over"], True), (_PHRASES["commands"], False)):
        while order := regex(pattern).search(reading.text.left):
            reading.ignore(_extent(reading.text.left, order, whole_sentence))


def _read_secret_orders(reading: Reading) -> None:
    """ "read ~/.ssh/config and ...": where the data was named before, an order about a secret is no wish to train."""
    for match in regex(_PHRASES["reads_private_file"]).finditer(reading.text.left):
        if regex(r"[\w/-]\.(?:csv|tsv|jsonl?|parquet|txt)(?!\w)").search(reading.text.left[: match.start()]):
            reading.ignore(_extent(reading.text.left, match, whole_sentence=True))


def _read_quotations(reading: Reading) -> None:
    """Sentences in quotation marks and comments are samples or somebody else's words, unless all is quoted."""
    for match in regex(_PHRASES["comment"]).finditer(reading.text.left):
        reading.ignore(match)
    for match in regex(_PHRASES["quotation"]).finditer(reading.text.left):
        words = match.group()[1:-1].split()
        before, after = reading.text.left[: match.start()], reading.text.left[match.end() :]
        is_file = bool(words) and regex(r"\.\w{2,7}$").search(words[-1]) is not None
        is_name = len(words) < 7 and regex(_PHRASES["named_before"]).search(before) is not None
        is_all = len(regex(r"\w{3,}").findall(before + after)) < 3
        if len(words) >= 4 and not (is_file or is_name or is_all):
            reading.ignore(match)


def _extent(text: str, match: re.Match[str], whole_sentence: bool) -> tuple[int, int]:
    """The clause around a match: from the last joint before it to the next one after it."""
    sentences = [m.end() for m in regex(_PHRASES["sentence_end"]).finditer(text, 0, match.start())]
    start = sentences[-1] if sentences else 0
    joints = [m.start() for m in regex(_PHRASES["clause_start"]).finditer(text, start, match.start() + 2)]
    joints = [joint for joint in joints if joint <= match.start()]
    start = joints[-1] if joints else _without_joint(text, start, match, whole_sentence)
    stop = regex(_PHRASES["sentence_end"]).search(text, match.end())
    end = stop.start() if stop else len(text)
    if not whole_sentence and (joint := regex(_PHRASES["clause_end"]).search(text, match.end(), end)):
        end = joint.start()
    return start, max(end, match.end())


def _without_joint(text: str, start: int, match: re.Match[str], whole_sentence: bool) -> int:
    """Where an order begins that nothing parts from the words before it: those stay if they are a request."""
    honest = regex(r"\.\w{2,7}(?!\w)|tun|train|classif").search(text[start : match.start()]) is not None
    return match.start() if whole_sentence or honest else start

"""What this program does not do: other kinds of machine learning, and other work."""

import re

from agent.request.rules.text import regex
from agent.request.rules.vocabulary import PHRASES, WORDS

_PHRASES = PHRASES["scope"]


def out_of_scope(text: str) -> re.Match[str] | None:
    """The first words of other machine learning in lower-case `text` that are not the subject of a text."""
    matches = regex(rf"(?<![\w/-]){_PHRASES['other']}(?!\w|\.\w)").finditer(text)
    return next((match for match in matches if not _is_subject(text, match)), None)


def _is_subject(text: str, match: re.Match[str]) -> bool:
    """Whether the words only tell what texts are about: "image captions", "tickets about images"."""
    if regex(_PHRASES["makes"]).match(match.group()):
        return False
    if regex(rf"(?:[ -]\w+)?[ -]{WORDS.texts}(?!\w)").match(text, match.end()):
        return True
    start = max((m.end() for m in regex(r"[.;!?\n](?=\s)").finditer(text[: match.start()])), default=0)
    texts = regex(rf"(?<![\w-]){WORDS.texts}(?![\w-])").search(text[start : match.end()])
    return texts is not None and regex(_PHRASES["about"]).match(text[start : match.end()], texts.end()) is not None

"""Usual names of columns, by role. Compared letter by letter after folding case and dropping `_`, `-` and spaces."""

import re

TEXT = (
    ("text", "sentence", "utterance", "document", "review"),
    ("body", "content", "message", "comment", "reviewtext", "reviewbody", "tweet", "post", "complaint", "passage"),
    ("consumercomplaintnarrative", "narrative", "complainttext", "abstract", "headline", "email", "feedback", "ticket"),
    ("description", "article", "transcript", "snippet", "docstring", "sms", "paragraph", "query", "question"),
    ("request", "input", "prompt", "title", "subject", "name"),
)
LABEL = (
    ("label", "labels", "class", "category", "intent", "target", "topic", "sentiment", "labeltext", "labelname"),
    ("classname", "tag", "emotion", "department", "genre", "gold", "y", "product"),
    ("language", "spam", "isspam", "toxic", "priority", "queue", "type", "stars", "starrating", "rating", "score"),
)
LABEL_STRINGS = ("labeltext", "labelname", "classname", "labels", "category", "intent")
PROMPT = (
    ("prompt", "instruction", "question"),
    ("query", "problem", "source", "user", "request", "human", "signature", "code"),
    ("input", "article", "document", "dialogue", "text"),
)
COMPLETION = (
    ("completion", "response", "answer", "output"),
    ("target", "solution", "reply", "assistant", "summary", "highlights", "translation", "bot", "docstring"),
)
CONTEXT = ("input", "context", "passage")
"""Appended to the prompt below an empty line where a row has both, as Alpaca and SQuAD rows do."""
MESSAGES = (("messages", "conversations", "conversation"), ("dialog", "dialogue", "chat", "turns"))
CHOSEN = (("chosen",), ("preferred", "sentencegood", "accepted", "winner", "better", "good", "positive"))
REJECTED = (("rejected",), ("dispreferred", "sentencebad", "loser", "worse", "bad", "negative"))

ROLES = (TEXT, LABEL, PROMPT, COMPLETION, MESSAGES, CHOSEN, REJECTED)
_KNOWN = frozenset(name for role in ROLES for tier in role for name in tier) | frozenset(CONTEXT) | {"id", "idx"}


def folded(name: str) -> str:
    """The name as it is compared: lower case, letters and digits only."""
    return re.sub(r"[\W_]+", "", name.casefold())


def is_known_name(name: str) -> bool:
    """Whether a header cell is a usual column name."""
    return folded(name) in _KNOWN


def by_role(columns: tuple[str, ...], role: tuple[tuple[str, ...], ...]) -> list[str]:
    """The columns with a usual name of `role`, from the first tier that has any, in the tier's order."""
    by_name = {folded(column): column for column in reversed(columns)}
    return next((hits for tier in role if (hits := [by_name[n] for n in tier if n in by_name])), [])

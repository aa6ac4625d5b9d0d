"""Which columns of the data hold what: "the text is in body and the label in topic", "question -> answer"."""

import re

from agent.request.rules.claims import Reading
from agent.request.rules.text import regex
from agent.request.rules.vocabulary import PHRASES, WORDS
from agent.request.tasks import TASK_OF_ROLE

_PHRASES = PHRASES["columns"]
_NAME = _PHRASES["name"]


def read_columns(reading: Reading) -> None:
    """Claim data.columns.* and, where a pair of roles settles it, the task."""
    _read_side_columns(reading)
    _read_arrow(reading)
    _read_listed(reading)
    _read_predicted(reading)
    _read_contents(reading)
    _read_role_is_name(reading)
    _read_name_is_role(reading)
    _read_other_column(reading)


def _role(name: str) -> str | None:
    bare = name.strip("\"'`").lower()
    return next((role for role, words in WORDS.column_roles.items() if regex(words).fullmatch(bare)), None)


def _classifies(reading: Reading) -> bool:
    return reading.find(WORDS.tasks[TASK_OF_ROLE["label"]]) is not None


def _claim(reading: Reading, role: str, match: re.Match[str], group: str, *, consume: bool = True) -> bool:
    """Claim `data.columns.ROLE` with the name in a group of the match; False where it cannot be a column's name."""
    outright = regex(r"\b(?:column|field) $").search(reading.text.clean[: match.start(group)])
    no_names = WORDS.never_a_column if outright else WORDS.no_column
    name = reading.text.name(match, group)
    is_quoted = len(name) < len(match[group])
    if (name.lower() in no_names and not is_quoted) or reading.has(f"data.columns.{role}"):
        return False
    reading.claim(f"data.columns.{role}", name, match, consume=consume)
    return True


def _read_side_columns(reading: Reading) -> None:
    """ "input column 'source', output column 'target'": prompt and completion, or text and label for a classifier."""
    first, last = ("text", "label") if _classifies(reading) else ("prompt", "completion")
    for side, role in (("input|source", first), ("output|target", last)):
        if match := reading.find(rf"(?:{side}) (?:column|field)(?: is| called| named|:|=)*\s*(?P<name>{_NAME})"):
            _claim(reading, role, match, "name")


def _read_arrow(reading: Reading) -> None:
    """ "question -> answer": two columns whose names tell prompt and completion from text and label."""
    for match in reading.find_all(rf"(?P<from>{_NAME})\s*(?:-+>|=+>|>|\bto\b)\s*(?P<to>{_NAME})(?!\s*[:=])"):
        source, target = _role(match["from"]), _role(match["to"])
        maps = reading.follows(r"maps? (?:the |column )*$", match)
        in_prose = source is None or target is None or not reading.follows(_PHRASES["columns_come"], match)
        if regex(r"\bto\b").search(match.group()) and in_prose and not maps:
            continue
        says_role = target in ("completion", "label") or source == "prompt"
        if not says_role and not reading.has("data.train"):
            continue
        labels = target == "label" and source in ("text", None, "label")
        last = "label" if labels or (_classifies(reading) and target != "completion") else "completion"
        first = "text" if last == "label" else "prompt"
        if _claim(reading, first, match, "from", consume=False):
            _claim(reading, last, match, "to")
            if says_role and not _classifies(reading):
                reading.claim("task", TASK_OF_ROLE[last], match, consume=False)


def _read_listed(reading: Reading) -> None:
    """ "columns prompt, chosen, rejected" and "columns body and topic"."""
    match = reading.find(_PHRASES["listed"])
    if match is None:
        return
    start, end = match.span("after" if match["after"] else "before")
    words = regex(_NAME).finditer(reading.text.left, start, end)
    listed = [m for m in words if m.group() not in ("and", "the", "a", "with", "has", "have")]
    roles = [_role(m.group()) for m in listed]
    pair = len(listed) == 2 and None in roles and set(roles) <= {None, "text", "label"}
    if pair and match["after"] and _classifies(reading):
        roles = ["text", "label"]
    claimed = [(r, m) for r, m in zip(roles, listed, strict=True) if r and not reading.has(f"data.columns.{r}")]
    for role, name in claimed:
        reading.claim(f"data.columns.{role}", reading.text.name(name), match, consume=False)
    if claimed:
        reading.text.consume(*match.span())


def _read_predicted(reading: Reading) -> None:
    """ "predict `category` from `title`": the label, then the text."""
    match = reading.find(_PHRASES["predicted"])
    if match is None or match["text"] in WORDS.no_column or match["label"] in WORDS.no_column:
        return
    if _claim(reading, "label", match, "label", consume=False):
        _claim(reading, "text", match, "text")
        reading.claim("task", TASK_OF_ROLE["label"], match, consume=False)


def _read_contents(reading: Reading) -> None:
    """ "the stars are in `rating`", "subject line in column subject"."""
    for role, words in WORDS.column_contents.items():
        if match := reading.find(rf"{words}{_PHRASES['is_in_column']}"):
            _claim(reading, role, match, match.lastgroup or "")


def _read_role_is_name(reading: Reading) -> None:
    """ "the text is in column body", "label column is topic", "text=utterance", "prompt: q"."""
    says_column = regex(r"(?<!\w)(?:col(?:umn)?s?|fields?)(?!\w)").search(reading.text.clean) is not None
    for role, words in WORDS.column_names.items():
        matches = reading.find_all(rf"{words}{_PHRASES['is']}(?P<name>{_NAME})(?: column| field)?")
        match = next((m for m in matches if says_column or not _is_loose(m)), None) or reading.find(
            rf"{words}(?: (?:in|en))?\s+(?P<name>{_PHRASES['quoted_name']})|"
            rf"(?:column|field) {words}(?: in| en|:|=)?\s+(?P<other>{_NAME})"
        )
        if match:
            _claim(reading, role, match, match.lastgroup or "")


def _is_loose(match: re.Match[str]) -> bool:
    """Whether "ROLE is NAME" or "ROLE in NAME" may be prose: no quotes and no sign joins the two."""
    return match["name"][0] not in "\"'`" and regex(r"[=:]|called|named").search(match.group()) is None


def _read_name_is_role(reading: Reading) -> None:
    """ "use topic as the label", "column body holds the text", "the `topic` column is the label"."""
    for role, words in WORDS.column_names.items():
        match = reading.find(
            rf"(?:column|field) (?P<a>{_NAME}) (?:is|are|holds?|contains?|has|as)(?: the| our)? {words}|"
            rf"(?P<b>{_NAME})(?: column| field)? (?:as|is|holds?|contains?)(?: the| our)? {words}(?: column)?"
        )
        if match:
            _claim(reading, role, match, match.lastgroup or "")


def _read_other_column(reading: Reading) -> None:
    """The one other column that a classifier's request names is its label where the text is known, or the reverse."""
    roles = {role for role in ("text", "label") if reading.has(f"data.columns.{role}")}
    others = reading.find_all(rf"(?:is|in) (?:the )?(?:column|field)(?: called| named)? (?P<name>{_NAME})")
    if len(roles) == 1 and len(others) == 1 and _classifies(reading):
        _claim(reading, "label" if roles == {"text"} else "text", others[0], "name")

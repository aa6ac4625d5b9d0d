"""Which columns of the data hold what: "the text is in body and the label in topic", "question -> answer"."""

import re

from agent.request.rules.claims import Reading
from agent.request.rules.vocabulary import TASKS_STRONG
from trainers.spec import Task

ROLES: dict[str, str] = {
    "text": r"texts?|sentences?|documents?|inputs?",
    "label": r"labels?|class(?:es)?|categor(?:y|ies)|targets?|intents?|topics?|sentiments?",
    "prompt": r"prompts?|questions?|instructions?|queries|query",
    "completion": r"completions?|responses?|answers?|outputs?|repl(?:y|ies)|summar(?:y|ies)",
    "messages": r"messages|conversations?|dialogues?|chats?",
    "chosen": r"chosen|preferred|winner|better(?: answer| response)?|accepted",
    "rejected": r"rejected|dispreferred|loser|worse(?: answer| response)?",
}
"""What each role of `trainers.spec.Columns` is called."""

_NARROW: dict[str, str] = {
    "text": r"texts?|inputs?",
    "label": r"labels?|target|class",
    "prompt": r"prompts?|instructions?|questions?",
    "completion": r"completions?|responses?|answers?|outputs?",
    "messages": r"messages|conversations?",
    "chosen": r"chosen(?: answers?| responses?)?|preferred(?: answers?| responses?)?",
    "rejected": r"rejected(?: answers?| responses?)?|dispreferred(?: answers?| responses?)?",
}
_NAME = r"(?:\"[^\"\n\x00]{1,60}\"|'[^'\n\x00]{1,60}'|`[^`\n\x00]{1,60}`|[^\W\d][\w-]*)"
_QUOTED_NAME = r"(?:\"[^\"\n\x00/]{1,60}\"|'[^'\n\x00/]{1,60}'|`[^`\n\x00/]{1,60}`)"
_NOT_NAMES_WORDS = (
    "a an and are as at be by column columns data dataset field fields file for from given has have holds i in "
    "into is it its of on one only or our so that the then them there these they this to under use using with my "
    "set should called named values where which who not no best good more than each per all any if but length max "
    "loss accuracy model out classes lora very quite noisy messy short long clean dirty imbalanced uneven "
    "unbalanced balanced german english wrong mixed missing often sometimes mostly also always never too so still "
    "important different many few some unknown trials hours epochs learning batch rank pairs pair answers labels "
    "texts prompts first second third fourth last final left right "
    "contains contain includes include shows looks seems stays needs must may can might"
)
_NOT_NAMES = frozenset(_NOT_NAMES_WORDS.split())
_NEVER_NAMES_WORDS = (
    "a an and are as at be by called column columns contain contains for from has holds i in include includes is it "
    "its named names of on or so that the then to use using where which with"
)
_NEVER_NAMES = frozenset(_NEVER_NAMES_WORDS.split())
"""Words that are no column's name even right after "column"."""
_TASK_OF_PAIR = {"completion": Task.SFT, "label": Task.CLASSIFICATION}


def read_columns(reading: Reading) -> None:
    """Claim data.columns.* and, where a pair of roles settles it, the task."""
    _read_side_columns(reading)
    _read_arrow(reading)
    _read_listed(reading)
    _read_predicted(reading)
    _read_kind_in_column(reading)
    _read_role_is_name(reading)
    _read_name_is_role(reading)
    _read_other_column(reading)


def _read_other_column(reading: Reading) -> None:
    """The one other column that a classifier's request names is its label where the text is known, or the reverse."""
    known = {role for role in ("text", "label") if reading.has(f"data.columns.{role}")}
    others = reading.find_all(rf"(?:is|in) (?:the )?(?:column|field)(?: called| named)? (?P<name>{_NAME})")
    if len(known) == 1 and len(others) == 1 and _classifies(reading):
        _claim(reading, "label" if known == {"text"} else "text", others[0], "name")


def _role(name: str) -> str | None:
    return next((role for role, words in ROLES.items() if re.fullmatch(words, _bare(name).lower())), None)


def _bare(name: str) -> str:
    return name.strip("\"'`")


def _claim(reading: Reading, role: str, match: re.Match[str], group: int | str, *, consume: bool = True) -> bool:
    """Claim `data.columns.ROLE` with the name in a group of the match; False where it cannot be a column's name."""
    name = reading.text.cased[match.start(group) : match.end(group)]
    outright = re.search(r"\b(?:column|field) $", reading.text.clean[: match.start(group)]) is not None
    not_names = _NEVER_NAMES if outright else _NOT_NAMES
    if (_bare(name).lower() in not_names and name == _bare(name)) or reading.has(f"data.columns.{role}"):
        return False
    reading.claim(f"data.columns.{role}", _bare(name), match.start(), match.end(), consume=consume)
    return True


def _read_arrow(reading: Reading) -> None:
    """ "question -> answer": two columns whose names tell prompt and completion from text and label."""
    pattern = rf"(?P<from>{_NAME})\s*(?:-+>|=+>|>|\bto\b)\s*(?P<to>{_NAME})(?!\s*[:=])"
    for match in reading.find_all(pattern):
        source, target = _role(match["from"]), _role(match["to"])
        maps = re.search(r"maps? (?:the |column )*$", reading.before(match.start())) is not None
        if (
            not maps
            and re.search(r"\bto\b", match.group())
            and (source is None or target is None or _doing(reading, match))
        ):
            continue
        known = target in _TASK_OF_PAIR or source == "prompt"
        if not known and not reading.has("data.train"):
            continue
        labels = target == "label" and source in ("text", None, "label")
        last = "label" if labels or (_classifies(reading) and target != "completion") else "completion"
        first = "text" if last == "label" else "prompt"
        if _claim(reading, first, match, "from", consume=False):
            _claim(reading, last, match, "to")
            if known and not _classifies(reading):
                reading.claim("task", _TASK_OF_PAIR[last], match.start(), match.end(), consume=False)


def _classifies(reading: Reading) -> bool:
    return re.search(rf"(?<!\w)(?:{TASKS_STRONG[Task.CLASSIFICATION]})(?!\w)", reading.text.left) is not None


def _read_side_columns(reading: Reading) -> None:
    """ "input column 'source', output column 'target'": prompt and completion, or text and label for a classifier."""
    first, last = ("text", "label") if _classifies(reading) else ("prompt", "completion")
    for side, role in (("input|source", first), ("output|target", last)):
        match = reading.find(rf"(?:{side}) (?:column|field)(?: is| called| named|:|=)*\s*(?P<name>{_NAME})")
        if match:
            _claim(reading, role, match, "name")


def _doing(reading: Reading, match: re.Match[str]) -> bool:
    """Whether "X to Y" is prose, such as "summarise questions to answers"."""
    return not re.search(r"(?:map|from|columns?|go(?:es|ing)?|given|\()\s*$", reading.before(match.start()))


def _read_listed(reading: Reading) -> None:
    """ "columns prompt, chosen, rejected" and "columns body and topic"."""
    joint = r"\s*(?:,\s*(?:and\b)?|\band\b|/|\+|&)\s*"
    match = reading.find(
        rf"(?:columns|fields|cols)(?: are| named| called|:|=|,|"
        rf" the)*\s*[(\[]?\s*({_NAME}(?:{joint}{_NAME}){{1,4}})\s*[)\]]?|"
        rf"({_NAME}(?:{joint}{_NAME}){{1,4}}) (?:columns|fields)"
    )
    if match is None:
        return
    group = 1 if match[1] else 2
    names = [m for m in re.finditer(_NAME, match[group]) if m.group() not in ("and", "the", "a", "with", "has", "have")]
    roles = [_role(m.group()) for m in names]
    if (
        None in roles
        and len(names) == 2
        and group == 1
        and _classifies(reading)
        and set(roles) <= {None, "text", "label"}
    ):
        roles = ["text", "label"]
    found = [
        (role, m) for role, m in zip(roles, names, strict=True) if role and not reading.has(f"data.columns.{role}")
    ]
    for role, name in found:
        start = match.start(group) + name.start()
        value = _bare(reading.text.cased[start : start + len(name.group())])
        reading.claim(f"data.columns.{role}", value, match.start(), match.end(), consume=False)
    if found:
        reading.text.consume(match.start(), match.end())


def _read_predicted(reading: Reading) -> None:
    """ "predict `category` from `title`": the label, then the text."""
    named = rf"(?:the )?(?:column |field )?(?P<label>{_NAME})(?: column| field)?"
    source = rf"(?:the )?(?:column |field )?(?P<text>{_NAME})(?: column| field)?"
    match = reading.find(
        rf"(?:predict|classify|infer|guess|learn)(?:ing|s)? {named} (?:from|given|based on|using) {source}"
    )
    if match is None or match["text"] in _NOT_NAMES or match["label"] in _NOT_NAMES:
        return
    if _claim(reading, "label", match, "label", consume=False):
        _claim(reading, "text", match, "text")
        reading.claim("task", Task.CLASSIFICATION, match.start(), match.end(), consume=False)


def _read_role_is_name(reading: Reading) -> None:
    """ "the text is in column body", "label column is topic", "text=utterance", "prompt: q"."""
    says_column = re.search(r"(?<!\w)(?:col(?:umn)?s?|fields?)(?!\w)", reading.text.clean) is not None
    in_column = r"(?:\s+(?:col(?:umn)?|field))"
    for role, words in _NARROW.items():
        said = (
            rf"(?:{words})(?:{in_column}?\s*(?:=|:)\s*(?:(?:the )?(?:column|field)\s+)?|{in_column}?\s+(?:is|are|"
            rf"comes?|sits?|lives?|found|"
            r"stored)(?: (?:in|from|under))?"
            rf"(?: the)?(?: (?:first|second|third|fourth|last|final|left|right))?{in_column}?(?: called| named)?\s+|"
            rf"{in_column}?\s+(?:in|en|em|dans|nella|"
            rf"nel)(?: the)?{in_column}?\s+|{in_column}(?: called| named)?\s+|"
            rf"\s+(?:called|named)\s+)"
        )
        named = [
            m
            for m in reading.find_all(rf"{said}(?P<name>{_NAME})(?: column| field)?")
            if says_column or not _is_loose(m)
        ]
        match = (named[0] if named else None) or reading.find(
            rf"(?:{words})(?: (?:in|en))?\s+(?P<name>{_QUOTED_NAME})|(?:column|field) (?:{words})(?: in| en|:|"
            rf"=)?\s+(?P<other>{_NAME})"
        )
        if match:
            _claim(reading, role, match, "other" if match.groupdict().get("other") else "name")


_KINDS: dict[str, str] = {
    "text": r"(?:mail|e-?mail|message(?!s)|review|comment|tweet|post|ticket|body|subject(?: lines?)?|headline|title|"
    "note|letter|utterance|"
    r"description|report|complaint|feedback|article|abstract|content|opinion)s?(?: (?:itself|texts?|bod(?:y|ies)))?",
    "label": r"(?:stars?|ratings?|scores?|team|queue|department|genre|verdict|tag|type|kind|language|section|topic|"
    r"category|categories|intent|emotion|sentiment|priority|urgency|ward|author|class name|outcome|answer class)s?",
    "chosen": r"(?:good|better|best|preferred|winning|favou?red|accepted) (?:answers?|repl(?:y|ies)|responses?|ones?|"
    "texts?)",
    "rejected": r"(?:bad|worse|worst|losing|dispreferred|other) (?:answers?|repl(?:y|ies)|responses?|ones?|texts?)",
}
"""Nouns that tell a column's role only where the words say outright that they are in a column."""


def _read_kind_in_column(reading: Reading) -> None:
    """ "the stars are in `rating`", "subject line in column subject"."""
    joint = r"(?:\s+(?:is|are|sits?|lives?|comes?|found|stored|can be found))?\s+(?:in|under|from)(?: the)?"
    where = (
        rf"(?:\s+(?:col(?:umn)?|field)(?: called| named)?\s+(?P<a>{_NAME})|\s+(?P<b>{_QUOTED_NAME})|"
        r"\s+(?P<c>[^\W\d][\w-]*) (?:column|field))"
    )
    for role, words in _KINDS.items():
        match = reading.find(rf"(?:{words}){joint}{where}")
        if match:
            _claim(reading, role, match, next(g for g in "abc" if match[g]))


def _is_loose(match: re.Match[str]) -> bool:
    """Whether "ROLE is NAME" or "ROLE in NAME" may be prose: no quotes and no sign joins the two."""
    return match["name"][0] not in "\"'`" and re.search(r"[=:]|called|named", match.group()) is None


def _read_name_is_role(reading: Reading) -> None:
    """ "use topic as the label", "column body holds the text", "the `topic` column is the label"."""
    for role, words in _NARROW.items():
        match = reading.find(
            rf"(?:column|field) (?P<a>{_NAME}) (?:is|are|holds?|contains?|has|as)(?: the| our)? (?:{words})|"
            rf"(?P<b>{_NAME})(?: column| field)? (?:as|is|holds?|contains?)(?: the| our)? (?:{words})(?: column)?"
        )
        if match:
            _claim(reading, role, match, "a" if match["a"] else "b")

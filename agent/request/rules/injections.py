"""Orders to the program that hide in a request. They are set aside, shown as ignored, and never read as fields."""

import re

from agent.request.rules.claims import Reading
from agent.request.rules.text import Lazy

_TAKES_OVER = Lazy(
    r"(?:ignore|disregard|forget|override|bypass)\s+(?:(?:all|any|your|the|my|previous|prior|"
    r"above|these|those|of|safety|"
    r"earlier|every|system|budget|default|usual|given|own|path|[\w-]+(?= rules| instructions))\s+)*(?:instructions?|"
    r"rules?|prompts?|guidelines?|guardrails?|"
    r"restrictions?|limits? on|checks?|"
    r"polic(?:y|ies)|constraints?)|"
    r"(?:^|(?<=[\s(\[<|*#\"]))(?:system|assistant|developer|admin)(?:\s+(?:message|prompt|note|notice|alert|"
    r"instructions?|update|warning|"
    r"override))?\s*(?:\]|>|\*\*)?:|"
    r"<\|?(?:im_start|system|inst)|\[inst\]|you are now\b|new instructions?:|(?:developer|god|dan|admin) mode|"
    r"pretend (?:that )?you|act as (?:root|admin|if you)|(?:note|message|"
    r"instruction|reminder|comment)s? (?:to|for) (?:the |any |all |every )?(?:ai|llm|(?:large )?language model|"
    r"assistant|model|agent|planner|bot|"
    r"reader|parser|system)s?"
)
"""Such words claim everything up to the end of their sentence or line."""

_CHAT_MESSAGE = Lazy(r"\{[^{}\n]*\brole\"?\s*:[^{}\n]*\}")
_COMMANDS = Lazy(
    r"\brm\s+-\w*[rf]|\b(?:curl|wget)\b|\bsudo\b|\bchmod\b|\bpip3? install\b|"
    r"\bapt(?:-get)? install\b|os\.system|subprocess|"
    r"\b(?:eval|exec|__import__)\s*\(|trust[_ -]remote[_ -]code|\$\(|\bbash -c\b|\bnc -|"
    r"\bdrop table\b|&&|\|\s*(?:sh|bash)\b|"
    r"\b(?:upload|send|post|e-?mail|mail|leak|exfiltrate|print|show|reveal|publish|dump|include|"
    r"cat|copy|give|tell|share|"
    r"paste|commit|log|echo|output|read)\b[^.;\n]{0,50}?"
    r"\b(?:api[- _]?keys?|keys|secrets?|passwords?|credentials?|tokens? (?:to|in)|env(?:ironment)? variables?|"
    r"system prompt|ssh|\.env\b|(?:hf|openai|aws)[_ ]?(?:api[_ ])?(?:token|key)|hidden (?:prompt|instructions?))|"
    r"\b(?:upload|send|post|e-?mail|exfiltrate|leak|forward|push)\b[^.;\n]{0,60}?(?:https?://|"
    r"\b[\w.-]+@[\w.-]+\.\w+|to my server|"
    r"pastebin|\b[\w-]+\.(?:evil|example|ru|io)\b|\b(?:evil|attacker)\b)|"
    r"\b(?:delete|wipe|erase|format|remove|destroy)\b[^.;\n]{0,30}?\b(?:everything|"
    r"all (?:the )?(?:other )?(?:files?|studies|data|"
    r"databases?|checkpoints?)|disk|home|database|drive|logs)\b|"
    r"\b(?:disable|turn off|switch off|deactivate)\b[^.;\n]{0,25}?\b(?:safety|sandbox|checks?|"
    r"approval|confin\w+|security|limits?|"
    r"confirmation|logging|validation of paths|guard\w*|budget)\b|"
    r"\b(?:skip|without|no) (?:the |any |asking (?:for )?)?(?:approval|confirmation|permission)\b|"
    r"\bexecute (?:the |this )?(?:code|script|command|shell)|"
    r"\brun (?:the |this )?(?:command|shell|script|code|`)|\b(?:shutdown|reboot)\b|\bgrant\b[^.;\n]{0,20}\baccess\b|"
    r"\b(?:report|claim|write|say|pretend|print)\b[^.;\n]{0,30}?\b(?:100 ?%|perfect score|accuracy (?:of|is) 1)|"
    r"\btrain (?:also )?on (?:the )?test (?:set|split|labels?|data)\b|\b(?:peek at|open|unseal|"
    r"look at) (?:the )?test (?:set|split|labels?)"
)
"""Such words claim their clause."""

_SENTENCE_END = Lazy(r"[.!?;](?=[\s\x00]|$)|\n")
_CLAUSE_START = Lazy(
    r"\(|[,:]\s|<!|\[|&&|\||\s-+\s|(?<![\w-])(?:and|then|but|also|plus|oh|after that|afterwards)(?![\w-])"
)
_CLAUSE_END = Lazy(
    r"[,)](?=\s|$)|\s-+\s|(?<![\w-])(?:then|but|and (?:fine|train|use|tune|make|keep|set|with))(?![\w-])"
)


_REPORTED_SPEECH = Lazy(
    r"[^.;\n]{0,80}\b(?:wrote|writes|said|says|reads|commented|claims?|claimed|suggested|suggests|"
    r"told (?:me|us)|quote|states?|stated|contains?|mentions?)"
    r"\b[^.;\n\"]{0,30}\"(?:[^\"\n]*\s){3}[^\"\n]*\"[^.;\n]*"
)
"""Somebody else's sentence, quoted: it orders nothing."""


_COMMENT = Lazy(r"<([a-z]+)\b[^<>]*>.*?</\1>|<!--.*?(?:-->|$)|/\*.*?(?:\*/|$)|\{#.*?#\}", re.DOTALL)
_QUOTATION = Lazy(r"\"[^\"\n]{12,600}\"|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){12,600}'(?!\w)")
_NAMED_BEFORE = Lazy(r"(?:columns?|fields?|called|named|file|folder|directory|dir|data|on|in|to|from|under|into)\W*$")
_SAMPLE = Lazy(
    r"(?:comment|row|entry|line|note|sample|example|review|mail|message|tweet|post|cell|value)s? (?:is |"
    r"are )?(?:from|in|of|inside) "
    r"(?:the |my |this |our |that )*(?:csv|data|data ?set|file|jsonl?|table|corpus|export|sheet)\b"
    r"[^.;\n]{0,30}?(?::|\bsays?\b|\breads?\b|\btells?\b)[^.;\n]*"
)
"""What the data says, without quotation marks."""
_SECRET_READ = Lazy(
    r"\b(?:read|open|cat|copy|include|print|show|look at|load|attach|append)\b (?:the |my |your )?(?:contents? of |"
    r"file )*"
    r"(?:~|/etc/|/root/|/proc/|\.env|\$home)\S*"
)


def _read_quotations(reading: Reading) -> None:
    """Sentences in quotation marks and comments are samples or somebody else's words, unless all is quoted."""
    for match in _COMMENT.finditer(reading.text.left):
        reading.ignored.append(reading.text.quote(*match.span()))
        reading.text.consume(*match.span())
    for match in list(_QUOTATION.finditer(reading.text.left)):
        said = match.group()[1:-1]
        around = reading.text.left[: match.start()] + reading.text.left[match.end() :]
        file_name = re.search(r"\.\w{2,7}$", said.strip()) is not None
        named = _NAMED_BEFORE.search(reading.text.left[: match.start()]) is not None and len(said.split()) < 7
        if len(said.split()) < 4 or file_name or named or len(re.findall(r"\w{3,}", around)) < 3:
            continue
        reading.ignored.append(reading.text.quote(*match.span()))
        reading.text.consume(*match.span())


def _read_secret_orders(reading: Reading) -> None:
    """ "read ~/.ssh/config and ...": where the data was named before, an order about a secret is no wish to train."""
    for match in list(_SECRET_READ.finditer(reading.text.left)):
        if re.search(r"[\w/-]\.(?:csv|tsv|jsonl?|parquet|txt)(?!\w)", reading.text.left[: match.start()]):
            start, end = _extent(reading.text.left, match, whole_sentence=True)
            reading.ignored.append(reading.text.quote(start, end))
            reading.text.consume(start, end)


def read_injections(reading: Reading) -> None:
    """Set aside every clause that orders something a fine-tuning request cannot ask for."""
    _read_secret_orders(reading)
    for match in [m for p in (_REPORTED_SPEECH, _SAMPLE, _CHAT_MESSAGE) for m in p.finditer(reading.text.left)]:
        reading.ignored.append(reading.text.quote(*match.span()))
        reading.text.consume(*match.span())
    _read_quotations(reading)
    for pattern, whole_sentence in ((_TAKES_OVER, True), (_COMMANDS, False)):
        while order := pattern.search(reading.text.left):
            start, end = _extent(reading.text.left, order, whole_sentence)
            reading.ignored.append(reading.text.quote(start, end))
            reading.text.consume(start, end)


def _extent(text: str, match: re.Match[str], whole_sentence: bool) -> tuple[int, int]:
    """The clause around a match: from the last joint before it to the next one after it."""
    sentence_starts = [m.end() for m in _SENTENCE_END.finditer(text, 0, match.start())]
    start = sentence_starts[-1] if sentence_starts else 0
    joints = [m.start() for m in _CLAUSE_START.finditer(text, start, match.start() + 2) if m.start() <= match.start()]
    start = joints[-1] if joints else _without_joint(text, start, match, whole_sentence)
    stop = _SENTENCE_END.search(text, match.end())
    end = stop.start() if stop else len(text)
    if not whole_sentence and (joint := _CLAUSE_END.search(text, match.end(), end)):
        end = joint.start()
    return start, max(end, match.end())


def _without_joint(text: str, start: int, match: re.Match[str], whole_sentence: bool) -> int:
    """Where an order begins that nothing parts from the words before it: those stay if they are a request."""
    honest = re.search(r"\.\w{2,7}(?!\w)|tun|train|classif", text[start : match.start()]) is not None
    return match.start() if whole_sentence or honest else start

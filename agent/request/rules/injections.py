"""Orders to the program that hide in a request. They are set aside, shown as ignored, and never read as fields."""

import re

from agent.request.rules.claims import Reading
from agent.request.rules.text import regex

_TAKES_OVER = (
    r"(?:ignore|disregard|forget|override|bypass)\s+(?:(?:all|any|your|the|my|previous|prior|above|these|those|of|"
    r"safety|earlier|every|system|budget|default|usual|given|own|path|[\w-]+(?= rules| instructions))\s+)*"
    r"(?:instructions?|rules?|prompts?|guidelines?|guardrails?|restrictions?|limits? on|checks?|polic(?:y|ies)|"
    r"constraints?)|"
    r"(?:^|(?<=[\s(\[<|*#\"]))(?:system|assistant|developer|admin)"
    r"(?:\s+(?:message|prompt|note|notice|alert|instructions?|update|warning|override))?\s*(?:\]|>|\*\*)?:|"
    r"<\|?(?:im_start|system|inst)|\[inst\]|you are now\b|new instructions?:|(?:developer|god|dan|admin) mode|"
    r"pretend (?:that )?you|act as (?:root|admin|if you)|"
    r"(?:note|message|instruction|reminder|comment)s? (?:to|for) (?:the |any |all |every )?"
    r"(?:ai|llm|(?:large )?language model|assistant|model|agent|planner|bot|reader|parser|system)s?"
)
"""Such words claim everything up to the end of their sentence or line."""

_COMMANDS = (
    r"\brm\s+-\w*[rf]|\b(?:curl|wget)\b|\bsudo\b|\bchmod\b|\bpip3? install\b|\bapt(?:-get)? install\b|os\.system|"
    r"subprocess|\b(?:eval|exec|__import__)\s*\(|trust[_ -]remote[_ -]code|\$\(|\bbash -c\b|\bnc -|\bdrop table\b|&&|"
    r"\|\s*(?:sh|bash)\b|"
    r"\b(?:upload|send|post|e-?mail|mail|leak|exfiltrate|print|show|reveal|publish|dump|include|cat|copy|give|tell|"
    r"share|paste|commit|log|echo|output|read)\b[^.;\n]{0,50}?"
    r"\b(?:api[- _]?keys?|keys|secrets?|passwords?|credentials?|tokens? (?:to|in)|env(?:ironment)? variables?|"
    r"system prompt|ssh|\.env\b|(?:hf|openai|aws)[_ ]?(?:api[_ ])?(?:token|key)|hidden (?:prompt|instructions?))|"
    r"\b(?:upload|send|post|e-?mail|exfiltrate|leak|forward|push)\b[^.;\n]{0,60}?"
    r"(?:https?://|\b[\w.-]+@[\w.-]+\.\w+|to my server|pastebin|\b[\w-]+\.(?:evil|example|ru|io)\b|"
    r"\b(?:evil|attacker)\b)|"
    r"\b(?:delete|wipe|erase|format|remove|destroy)\b[^.;\n]{0,30}?\b(?:everything|"
    r"all (?:the )?(?:other )?(?:files?|studies|data|databases?|checkpoints?)|disk|home|database|drive|logs)\b|"
    r"\b(?:disable|turn off|switch off|deactivate)\b[^.;\n]{0,25}?\b(?:safety|sandbox|checks?|approval|confin\w+|"
    r"security|limits?|confirmation|logging|validation of paths|guard\w*|budget)\b|"
    r"\b(?:skip|without|no) (?:the |any |asking (?:for )?)?(?:approval|confirmation|permission)\b|"
    r"\bexecute (?:the |this )?(?:code|script|command|shell)|\brun (?:the |this )?(?:command|shell|script|code|`)|"
    r"\b(?:shutdown|reboot)\b|\bgrant\b[^.;\n]{0,20}\baccess\b|"
    r"\b(?:report|claim|write|say|pretend|print)\b[^.;\n]{0,30}?\b(?:100 ?%|perfect score|accuracy (?:of|is) 1)|"
    r"\btrain (?:also )?on (?:the )?test (?:set|split|labels?|data)\b|"
    r"\b(?:peek at|open|unseal|look at) (?:the )?test (?:set|split|labels?)"
)
"""Such words claim their clause."""

_SENTENCE_END = r"[.!?;](?=[\s\x00]|$)|\n"
_CLAUSE_START = r"\(|[,:]\s|<!|\[|&&|\||\s-+\s|(?<![\w-])(?:and|then|but|also|plus|oh|after that|afterwards)(?![\w-])"
_CLAUSE_END = r"[,)](?=\s|$)|\s-+\s|(?<![\w-])(?:then|but|and (?:fine|train|use|tune|make|keep|set|with))(?![\w-])"

_REPORTED_SPEECH = (
    r"[^.;\n]{0,80}\b(?:wrote|writes|said|says|reads|commented|claims?|claimed|suggested|suggests|told (?:me|us)|quote|"
    r"states?|stated|contains?|mentions?)\b[^.;\n\"]{0,30}\"(?:[^\"\n]*\s){3}[^\"\n]*\"[^.;\n]*"
)
"""Somebody else's sentence, quoted: it orders nothing."""
_SAMPLE = (
    r"(?:comment|row|entry|line|note|sample|example|review|mail|message|tweet|post|cell|value)s? (?:is |are )?"
    r"(?:from|in|of|inside) (?:the |my |this |our |that )*"
    r"(?:csv|data|data ?set|file|jsonl?|table|corpus|export|sheet)\b"
    r"[^.;\n]{0,30}?(?::|\bsays?\b|\breads?\b|\btells?\b)[^.;\n]*"
)
"""What the data says, without quotation marks."""
_CHAT_MESSAGE = r"\{[^{}\n]*\brole\"?\s*:[^{}\n]*\}"
_COMMENT = r"(?s:<([a-z]+)\b[^<>]*>.*?</\1>|<!--.*?(?:-->|$)|/\*.*?(?:\*/|$)|\{#.*?#\})"
_QUOTATION = r"\"[^\"\n]{12,600}\"|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){12,600}'(?!\w)"
_NAMED_BEFORE = r"(?:columns?|fields?|called|named|file|folder|directory|dir|data|on|in|to|from|under|into)\W*$"
_READS_PRIVATE_FILE = (
    r"\b(?:read|open|cat|copy|include|print|show|look at|load|attach|append)\b (?:the |my |your )?(?:contents? of |"
    r"file )*(?:~|/etc/|/root/|/proc/|\.env|\$home)\S*"
)


def read_injections(reading: Reading) -> None:
    """Set aside every clause that orders something a fine-tuning request cannot ask for."""
    _read_secret_orders(reading)
    patterns = (_REPORTED_SPEECH, _SAMPLE, _CHAT_MESSAGE)
    for match in [match for pattern in patterns for match in regex(pattern).finditer(reading.text.left)]:
        reading.ignore(match)
    _read_quotations(reading)
    for pattern, whole_sentence in ((_TAKES_OVER, True), (_COMMANDS, False)):
        while order := regex(pattern).search(reading.text.left):
            reading.ignore(_extent(reading.text.left, order, whole_sentence))


def _read_secret_orders(reading: Reading) -> None:
    """ "read ~/.ssh/config and ...": where the data was named before, an order about a secret is no wish to train."""
    for match in regex(_READS_PRIVATE_FILE).finditer(reading.text.left):
        if regex(r"[\w/-]\.(?:csv|tsv|jsonl?|parquet|txt)(?!\w)").search(reading.text.left[: match.start()]):
            reading.ignore(_extent(reading.text.left, match, whole_sentence=True))


def _read_quotations(reading: Reading) -> None:
    """Sentences in quotation marks and comments are samples or somebody else's words, unless all is quoted."""
    for match in regex(_COMMENT).finditer(reading.text.left):
        reading.ignore(match)
    for match in regex(_QUOTATION).finditer(reading.text.left):
        words = match.group()[1:-1].split()
        before, after = reading.text.left[: match.start()], reading.text.left[match.end() :]
        is_file = bool(words) and regex(r"\.\w{2,7}$").search(words[-1]) is not None
        is_name = len(words) < 7 and regex(_NAMED_BEFORE).search(before) is not None
        is_all = len(regex(r"\w{3,}").findall(before + after)) < 3
        if len(words) >= 4 and not (is_file or is_name or is_all):
            reading.ignore(match)


def _extent(text: str, match: re.Match[str], whole_sentence: bool) -> tuple[int, int]:
    """The clause around a match: from the last joint before it to the next one after it."""
    sentences = [m.end() for m in regex(_SENTENCE_END).finditer(text, 0, match.start())]
    start = sentences[-1] if sentences else 0
    joints = [m.start() for m in regex(_CLAUSE_START).finditer(text, start, match.start() + 2)]
    joints = [joint for joint in joints if joint <= match.start()]
    start = joints[-1] if joints else _without_joint(text, start, match, whole_sentence)
    stop = regex(_SENTENCE_END).search(text, match.end())
    end = stop.start() if stop else len(text)
    if not whole_sentence and (joint := regex(_CLAUSE_END).search(text, match.end(), end)):
        end = joint.start()
    return start, max(end, match.end())


def _without_joint(text: str, start: int, match: re.Match[str], whole_sentence: bool) -> int:
    """Where an order begins that nothing parts from the words before it: those stay if they are a request."""
    honest = regex(r"\.\w{2,7}(?!\w)|tun|train|classif").search(text[start : match.start()]) is not None
    return match.start() if whole_sentence or honest else start

"""What this program does not do: other kinds of machine learning, and other work."""

import re

from agent.request.rules.text import regex
from agent.request.rules.vocabulary import WORDS

_DOES = (
    r"(?:classify|categori[sz]e|segment|detect|caption|generate|recogni[sz]e|label|sort|describe|train on|tune on|"
    r"denoise|colori[sz]e|tag|transcribe|edit|create|draw|identify|count|spot|find)\b[^.;\n]{0,50}?(?<![\w-])"
)
_FROM = r"(?:in|of|on|from|with|using|over) (?:my |our |the |these |those |a |this |all |some )+(?:\w+ )?"
_STORE = r"(?: (?:folder|collection|album|archive|library|gallery|files?|data ?set|set))?"
_OTHER = rf"(?:{_DOES}{WORDS.media}(?![\w-])|{_FROM}{WORDS.media}{_STORE}(?![\w-])|{WORDS.other_learning})"
_MAKES = r"(?:generat|creat|draw|paint|transcri|segment|synthes|colori|denois|text[- ]to|speech[- ]to|from scratch)"
_ABOUT = (
    r"(?: [\w'-]+){0,3}? (?:about|regarding|concerning|on the (?:topic|subject) of|mention(?:s|ing)?|"
    r"describ(?:es|ing|e)|discuss(?:es|ing)?|related to|dealing with|asking for|ask for|covering|"
    r"complain(?:s|ing)? about|like|such as|called|named|titled|sell|sells|selling|make|makes|making|wrote|that|which|"
    r"who|whose|of|for|from|customers|users|people|we|they|by)(?!\w)"
)


def out_of_scope(text: str) -> re.Match[str] | None:
    """The first words of other machine learning in lower-case `text` that are not the subject of a text."""
    matches = regex(rf"(?<![\w/-]){_OTHER}(?!\w|\.\w)").finditer(text)
    return next((match for match in matches if not _is_subject(text, match)), None)


def _is_subject(text: str, match: re.Match[str]) -> bool:
    """Whether the words only tell what texts are about: "image captions", "tickets about images"."""
    if regex(_MAKES).match(match.group()):
        return False
    if regex(rf"(?:[ -]\w+)?[ -]{WORDS.texts}(?!\w)").match(text, match.end()):
        return True
    start = max((m.end() for m in regex(r"[.;!?\n](?=\s)").finditer(text[: match.start()])), default=0)
    texts = regex(rf"(?<![\w-]){WORDS.texts}(?![\w-])").search(text[start : match.end()])
    return texts is not None and regex(_ABOUT).match(text[start : match.end()], texts.end()) is not None

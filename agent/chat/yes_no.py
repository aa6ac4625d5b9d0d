"""Utterances that are a yes or a no as a whole; anything more is neither."""

import re

_OPENING = r"\W*(?:(?:ok|okay|yes|well|sure|alright|all right|great|good|fine|perfect|please|and|then|now)[\s,.!]+)*"
_YES = re.compile(
    _OPENING + r"(?:y|yes|yep|yeah|yup|ok|okay|sure|approved?|i approve|confirm(?:ed)?|accept(?:ed)?|agreed|lgtm|go|"
    r"go ahead|go for it|do it|start|run|launch|proceed|carry it out|looks good|sounds good|that is fine|"
    r"that's fine|ship it|fire away|yes please|please do|(?:start|run|launch|approve|carry out|do) "
    r"(?:it|this|that|this one|that one|(?:the|this|that) (?:study|plan|run|job|search)))"
    r"(?:[\s,]+(?:please|now|then|thanks|thank you))*[\s.!]*",
    re.IGNORECASE,
)
_NO = re.compile(
    _OPENING.replace("yes|", "")
    + r"(?:n|no|nope|nah|not now|not yet|later|never ?mind|(?:do not|don't)(?: (?:start|run|do)(?: (?:it|that))?)?|"
    r"declined?|reject(?:ed)?|cancel|stop|abort|discard|wait|no thanks|no thank you|"
    r"(?:cancel|decline|reject|discard|drop|forget|leave|scrap) (?:it|this|that|(?:the|this|that) (?:plan|one)))"
    r"(?:[\s,]+(?:please|thanks|thank you|yet|now))*[\s.!]*",
    re.IGNORECASE,
)


def is_yes(text: str) -> bool:
    """Whether the whole utterance is a yes; "yes, but with rank 32" is none."""
    return _YES.fullmatch(text) is not None


def is_no(text: str) -> bool:
    """Whether the whole utterance is a no."""
    return _NO.fullmatch(text) is not None


def names_the_start(text: str) -> bool:
    """Whether a yes says what it is a yes to: "start it", "approve"."""
    return is_yes(text) and re.search(r"\b(?:start|run|launch|approved?|carry)\b", text, re.IGNORECASE) is not None

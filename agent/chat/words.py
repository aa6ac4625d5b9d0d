"""Short utterances that mean the same wherever they are said: yes, no."""

import re

_YES = re.compile(
    r"\W*(?:(?:ok|okay|yes|well|sure|alright|all right|great|good|fine|perfect|please|and|then|now)[\s,.!]+)*"
    r"(?:y|yes|yep|yeah|yup|ok|okay|sure|approved?|i approve|confirm(?:ed)?|accept(?:ed)?|agreed|lgtm|go|"
    r"go ahead|go for it|"
    r"do it|start|run|launch|start it|run it|launch it|start the study|run the study|start the plan|carry it out|"
    r"proceed|looks good|sounds good|that is fine|that's fine|ship it|fire away|yes please|please do)"
    r"(?:[\s,]+(?:it|please|now|then|thanks|thank you|this plan|the plan))*[\s.!]*",
    re.IGNORECASE,
)
_NO = re.compile(
    r"\W*(?:n|no|nope|nah|not now|not yet|later|never mind|nevermind|do not|don't|do not start(?: it)?|"
    r"don't start(?: it)?|decline|declined|reject|rejected|cancel|cancel (?:it|that|the plan)|discard(?: it)?|"
    r"stop|abort|"
    r"forget it|no thanks|no thank you|wait)(?:[\s,]+(?:please|thanks|thank you|yet|now))*[\s.!]*",
    re.IGNORECASE,
)


def is_yes(text: str) -> bool:
    """Whether the whole utterance is a yes; "yes, but with rank 32" is none."""
    return _YES.fullmatch(text) is not None


def is_no(text: str) -> bool:
    """Whether the whole utterance is a no."""
    return _NO.fullmatch(text) is not None

"""Whether trials that look hopeless may be stopped early, as a request says it."""

from agent.request.rules.claims import Reading
from agent.request.rules.vocabulary import PHRASES

_PHRASES = PHRASES["stopping"]


def read_early_stopping(reading: Reading) -> None:
    """Claim budget.early_stopping: words against it first, as they hold the words for it."""
    for match in reading.find_all(
        _PHRASES["every_trial"]
    ):  # not consumed: "run all 12 trials to the end" also says how many
        reading.claim("budget.early_stopping", False, match, consume=False)
    for match in reading.find_all(_PHRASES["never"]):
        reading.claim("budget.early_stopping", False, match)
    for match in reading.find_all(_PHRASES["allowed"]):
        if not reading.precedes(_PHRASES["when"], match):
            reading.claim("budget.early_stopping", True, match)

"""Between trials and prompts: the rows a planner LLM reads, and its own words made safe to show and to reckon with."""

import math

from agent.study.nouns import Trial, TrialState
from prompts.history import Row
from trainers.spec import Scalar

MAX_WHY_CHARACTERS = 240
_MARKUP = str.maketrans("<>[]&`", "()()+'")


def safe_line(text: str) -> str:
    """A model's prose, safe for a terminal, for Markdown and for HTML: one line of printable characters without
    brackets, at most `MAX_WHY_CHARACTERS`."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * MAX_WHY_CHARACTERS])
    return " ".join(printable.translate(_MARKUP).split())[:MAX_WHY_CHARACTERS]


def trial_row(trial: Trial) -> Row:
    """A trial as a row of the table; the score only of complete trials, the others belong to another fidelity."""
    if trial.state is TrialState.FAILED:
        status = str(trial.reason) if trial.reason else "FAILED"
    else:
        status = {TrialState.COMPLETE: "OK", TrialState.PRUNED: "PRUNED"}.get(trial.state, "RUN")
    score = trial.score if trial.state is TrialState.COMPLETE else None
    return Row(trial.number, trial.config, score, status, trial.proposal.source)


def number_in(value: Scalar | None) -> float:
    """The number that a reply gives, as such or as a word; NaN for anything else, infinities included."""
    try:
        number = math.nan if value is None or isinstance(value, bool) else float(value)
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan

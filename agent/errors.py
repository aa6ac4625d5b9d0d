"""The error tree, with the exit code each leads to.

TunewrightError                 (trainers.errors)
├── InputError                  the user's input breaks a rule                      2
├── AttemptFailed               one execution of a trial failed (recorded, not raised to the user)
├── NeedsAnswer                 a blocking question or an approval is open          3
├── BudgetSpent                 the budget ended before anything useful             4
├── PlannerFailed               the planner LLM gave nothing usable or is out of reach   1
├── StudyFailed                 every trial failed, or the circuit breaker opened   1
├── StoreConflict               the database refused a write (stale attempt, another owner)  1
└── ObserverGone                nobody reads what a study prints; it stopped and can be resumed  130
"""

from trainers.errors import AttemptFailed, InputError, TunewrightError

__all__ = [
    "AttemptFailed",
    "BudgetSpent",
    "InputError",
    "NeedsAnswer",
    "ObserverGone",
    "PlannerFailed",
    "StoreConflict",
    "StudyFailed",
    "TunewrightError",
]


class NeedsAnswer(TunewrightError):
    """The plan has open questions, or nobody approved it."""

    code = "needs_answer"
    exit_code = 3


class BudgetSpent(TunewrightError):
    """Time, trials or money ran out before there was anything to report."""

    code = "budget_spent"
    exit_code = 4


class PlannerFailed(TunewrightError):
    """The planner LLM could not be reached, or its replies stayed unusable after the repair turns."""

    code = "planner_failed"
    retryable = True


class StudyFailed(TunewrightError):
    """The study cannot go on; the message holds the first trial's error."""

    code = "study_failed"


class Busy(TunewrightError):
    """More of a kind was asked for at once than is done at once."""

    code = "busy"
    retryable = True


class StoreConflict(TunewrightError):
    """A write was refused because the row has moved on (another owner, a later attempt)."""

    code = "store_conflict"
    retryable = True


class ObserverGone(TunewrightError):
    """The display or stream of a running study cannot be written any more, such as a pipe that was closed."""

    code = "observer_gone"
    exit_code = 130


def readable(text: str) -> bool:
    """False for what no text holds: NUL, and halves of characters, which cannot be written as UTF-8."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def require_readable(param: str, text: str) -> None:
    """Raises InputError, as what `param` must be, for a string that is no text."""
    if not readable(text):
        raise InputError(param, "must be text: no NUL, no broken characters.", "Send it as UTF-8.")

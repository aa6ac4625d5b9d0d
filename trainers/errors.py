"""Errors that every folder may raise. The rest of the tree is drawn in `agent/errors.py`.

TunewrightError
├── InputError          what the user gave cannot be used        exit code 2
└── AttemptFailed       one execution of a trial failed (data, not a crash of the study)
"""

from trainers.spec import FailureReason


class TunewrightError(Exception):
    """Base of every error this project raises on purpose. `str(error)` is fit for a user's eyes."""

    code: str = "error"
    exit_code: int = 1
    retryable: bool = False
    """Whether the very same call may succeed later, nothing about it changed."""


LATER = frozenset({"hub_offline", "hub_unavailable", "not_done"})
"""Codes of input that is sound, only not usable yet."""


class InputError(TunewrightError):
    """Something the user gave breaks a rule.

    `param` is the dotted field of the spec ("data.train") or the option's name, `rule` says what must hold
    and what was found instead, `hint` is the next step.
    """

    exit_code = 2

    def __init__(self, param: str, rule: str, hint: str, code: str = "bad_input") -> None:
        self.param, self.rule, self.hint, self.code = param, rule, hint, code
        self.retryable = code in LATER
        super().__init__(f"{param}: {rule} {hint}".strip())


class AttemptFailed(TunewrightError):
    """One attempt cannot be completed; `reason` is recorded with the trial and shown to the proposers."""

    code = "attempt_failed"

    def __init__(self, reason: FailureReason, message: str) -> None:
        self.reason = reason
        super().__init__(message)

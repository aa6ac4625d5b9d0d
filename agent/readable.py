"""Whether a string is text at all."""

from trainers.errors import InputError


def readable(text: str) -> bool:
    """False for what no text holds: NUL, and halves of characters, which cannot be written as UTF-8."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def require_readable(param: str, text: str) -> None:
    """Raises InputError, as what `param` must be, for a string that is no text."""
    if not readable(text):
        raise InputError(param, "must be text: no NUL, no broken characters.", "Send it as UTF-8.")

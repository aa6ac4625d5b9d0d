"""Whether a string is text at all."""


def readable(text: str) -> bool:
    """False for what no text holds: NUL, and halves of characters, which cannot be written as UTF-8."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)

"""How numbers and names read on the page: the filters of its templates."""

from datetime import datetime

from agent.report.wording import number, signed
from agent.request.markup import duration

DASH = "–"
MINUTE, HOUR, DAY = 60, 3600, 86_400


def words(name: str) -> str:
    """learning_rate as words."""
    return name.replace("_", " ")


def sentence(text: str) -> str:
    """Words as a sentence: a capital first, a full stop last."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?', ')')) else '.'}"


def megabytes(value: float) -> str:
    """Megabytes with the unit that reads well."""
    return f"{value / 1000:.1f} GB" if value >= 1000 else f"{value:.1f} MB" if value < 10 else f"{value:.0f} MB"


def usd(value: float | None) -> str:
    """Dollars; small amounts with four decimals."""
    return "$0" if not value else f"${value:.4f}" if value < 0.1 else f"${value:.2f}"


def count(n: int, one: str) -> str:
    """ "1 trial", "12 trials"."""
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def value(v: object) -> str:
    """A hyperparameter's value, never rounded to something else."""
    return "not set" if v is None else str(v)


def clock(at: str) -> str:
    """The server's local time of day."""
    return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S")


def ago(at: str) -> str:
    """How long ago, or the day."""
    then = datetime.fromisoformat(at).astimezone()
    past = datetime.now(then.tzinfo).timestamp() - then.timestamp()
    if past < MINUTE:
        return "just now"
    if past < HOUR:
        return f"{past // MINUTE:.0f} min ago"
    return f"{past // HOUR:.0f} h ago" if past < DAY else f"{then:%d %b %Y}"


def difference(value: float | None) -> str:
    """A signed number, with a minus and no hyphen."""
    return DASH if value is None else signed(value).replace("-", "−")


def stretch(seconds: float | None) -> str:
    """A time span; a dash for none."""
    return DASH if seconds is None else duration(seconds)


FILTERS = {
    **{function.__name__: function for function in (ago, megabytes, sentence, stretch, usd, value, words)},
    "score": number,
    "signed": difference,
}

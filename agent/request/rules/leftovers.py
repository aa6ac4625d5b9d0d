"""What a request names and this program does not have, and what looks like a wish and was read by nobody.

Nothing of the kind may vanish: a technique that stands where a field's value belongs is asked about, any other, and
every name or number that no reader consumed, is listed as not understood.
"""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from pydantic import Field, TypeAdapter

from agent.request.draft import RefusalClass
from agent.request.rules.claims import Reading, Span
from agent.request.rules.text import USED, regex
from agent.request.rules.vocabulary import PHRASES
from trainers.spec import Closed

_PHRASES = PHRASES["leftovers"]


class Technique(Closed):
    """One kind of technique that is not here."""

    field: str | None = Field(None, description="dotted field of the spec that the words give a value to")
    refuses: bool = Field(False, description="the request asks for something else than fine-tuning")
    suggestion: str | None = Field(None, description="the value to take instead")
    context: str | None = Field(None, description="pattern that must come right before the words, for ordinary words")
    instead: str = Field(description="what there is, as a clause")
    nearer: dict[str, str] = Field({}, description="pattern of some names to what is nearest to those")
    names: tuple[str, ...] = Field(description="patterns; a space matches a hyphen too")

    @property
    def pattern(self) -> re.Pattern[str]:
        """All names on word boundaries."""
        return regex(
            rf"{self.context or ''}(?<![\w/.-])(?P<name>{_spaced('|'.join(self.names))})(?![\w/])(?!-\w)(?!\.\w)"
        )

    def answer(self, name: str) -> str:
        """What is here instead of `name`."""
        nearer = (words for names, words in self.nearer.items() if regex(_spaced(names)).fullmatch(name))
        return next(nearer, self.instead)


def read_techniques(reading: Reading) -> None:
    """Take the techniques that are not here out of the text: ask where a field is meant, list the others.

    What the request says it does not want ("no packing") is only consumed: nothing is lost by its absence.
    """
    for technique in techniques():
        for match in list(technique.pattern.finditer(reading.text.left)):
            span = match.span("name")
            if USED in reading.text.left[span[0] : span[1]]:
                continue
            if reading.follows(_PHRASES["unwanted"], span):
                reading.text.consume(*span)
            elif not (reading.follows(_PHRASES["topic_before"], span) or reading.precedes(_PHRASES["topic"], span)):
                _answer(reading, technique, match["name"], span)


def _answer(reading: Reading, technique: Technique, name: str, span: Span) -> None:
    answer = technique.answer(name)
    quote = reading.text.quote(*span)
    if technique.refuses:
        reading.refuse(RefusalClass.UNSUPPORTED_TASK, f'"{quote}" is not something tunewright does: {answer}.')
    elif technique.field and not any(question.field == technique.field for question in reading.questions):
        reading.ask(technique.field, f'"{quote}" is not here: {answer}. What shall it be?', technique.suggestion)
        reading.text.consume(*span)
    else:
        reading.ignore(span, f"not here; {answer}")


def read_leftovers(reading: Reading) -> None:
    """List what looks like a wish and was read by nobody: names behind "with" and the like, acronyms, numbers."""
    left, spans = reading.text.left, []
    for pattern in (_PHRASES["named"], _PHRASES["kind"], _PHRASES["number"]):
        spans += [m.span("words") for m in regex(pattern).finditer(left) if USED not in m["words"]]
    visible = "".join(USED if low == USED else c for c, low in zip(reading.text.cased, left, strict=True))
    if not regex(_PHRASES["shouted"]).search(reading.text.cased):
        spans += [m.span() for m in regex(_PHRASES["acronym"]).finditer(visible)]
    spans += _clauses(left)
    for start, end in _joined(spans):
        reading.ignore((start, end))


def _clauses(left: str) -> Iterator[Span]:
    """Clauses that nobody read a word of, beside some that somebody did: two words or more that tell something new."""
    for sentence in regex(r".+?(?:[.;!?](?=\s)|\n|$)").finditer(left):
        if USED not in sentence.group():
            continue
        for match in regex(_PHRASES["clause"]).finditer(left, *sentence.span()):
            words = regex(rf"(?<!\w){_PHRASES['said']}(?!\w)").sub(" ", match["words"])
            if len(regex(r"[a-z][\w'-]{2,}").findall(words)) > 1 and not regex(_PHRASES["prose"]).match(match["words"]):
                start = match.start("words") + len(match["words"]) - len(match["words"].lstrip())
                yield start, match.end("words")


def _joined(spans: list[Span]) -> list[Span]:
    """Overlapping spans as one."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _spaced(names: str) -> str:
    """A space in a name may be a hyphen; those of character classes stay."""
    return regex(r"\[[^\]]*\]| ").sub(lambda part: "[ -]" if part[0] == " " else part[0], names)


@cache
def techniques() -> tuple[Technique, ...]:
    """The rows of `techniques.toml`, in order."""
    text = files("agent.request.rules").joinpath("techniques.toml").read_text(encoding="utf-8")
    return TypeAdapter(tuple[Technique, ...]).validate_python(tuple(tomllib.loads(text).values()))

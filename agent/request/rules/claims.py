"""What a pass over one request has found so far: claims to fields, and what was refused, ignored or left open."""

import re
from dataclasses import dataclass, field
from enum import Enum

from agent.request.draft import Question, Refusal, RefusalClass, Rejected
from agent.request.rules.text import Text, regex
from agent.request.rules.vocabulary import PHRASES, WORDS

_PHRASES = PHRASES["claims"]
NOT_WANTED = _PHRASES["not_wanted"]


Span = tuple[int, int]


@dataclass(frozen=True)
class Claim:
    """Words that state one field's value; later readers cannot use them again."""

    field: str
    value: object
    start: int
    end: int

    @property
    def span(self) -> Span:
        """Where the words begin and end."""
        return self.start, self.end


@dataclass
class Reading:
    """The state that the field readers share. Positions are those of `text.clean`; words are a match or its span."""

    text: Text
    claims: list[Claim] = field(default_factory=list)
    inferred: dict[str, tuple[object, str]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    refusal: Refusal | None = None
    study: str | None = None
    trial: int | None = None

    def find(self, pattern: str) -> re.Match[str] | None:
        """The first match of `pattern` in what is left to read, on word boundaries."""
        return regex(rf"(?<![\w])(?:{pattern})(?!\w)").search(self.text.left)

    def find_all(self, pattern: str) -> list[re.Match[str]]:
        """Every match of `pattern` in what is left to read, on word boundaries."""
        return list(regex(rf"(?<![\w])(?:{pattern})(?!\w)").finditer(self.text.left))

    def before(self, start: int, length: int = 60) -> str:
        """The words of the same sentence before a position, consumed ones included."""
        return regex(r"[.;!?\n](?=\s)").split(self.text.clean[max(0, start - length) : start])[-1]

    def follows(self, pattern: str, words: re.Match[str] | Span) -> bool:
        """Whether `words` come right after `pattern` (which ends in $) in their sentence."""
        return regex(pattern).search(self.before(_span(words)[0])) is not None

    def precedes(self, pattern: str, words: re.Match[str] | Span) -> bool:
        """Whether what is left to read goes on with `pattern` after `words`."""
        return regex(pattern).match(self.text.left[_span(words)[1] :]) is not None

    def claim(self, name: str, value: object, words: re.Match[str] | Span, *, consume: bool = True) -> None:
        """Record that `words` state that field `name` is `value`."""
        start, end = _span(words)
        self.claims.append(Claim(name, value, start, end))
        if consume:
            self.text.consume(start, end)

    def infer(self, name: str, value: object, reason: str) -> None:
        """Record a value that follows from other words; a claim to the same field wins."""
        self.inferred.setdefault(name, (value, reason))

    def skip(self, pattern: str) -> None:
        """Keep every match of `pattern` from being read, on word boundaries."""
        for match in self.find_all(pattern):
            self.text.consume(*match.span())

    def ignore(self, words: re.Match[str] | Span, reason: str = "") -> None:
        """Keep words from being read, and show them as not obeyed, with the reason where there is one to tell."""
        quote = self.text.quote(*_span(words))
        self.ignored.append(f"{quote}: {reason}" if reason else quote)
        self.text.consume(*_span(words))

    def reject(self, name: str, words: re.Match[str] | Span, rule: str) -> None:
        """Record a value that cannot be used as given; the field stays open."""
        self.rejected.append(Rejected(field=name, quote=self.text.quote(*_span(words)), reason=rule))
        self.text.consume(*_span(words))

    def refuse(self, kind: RefusalClass, message: str) -> None:
        """Turn the request down; the first reason stays."""
        self.refusal = self.refusal or Refusal(kind=kind, message=message)

    def ask(self, name: str, question: str, suggestion: str | None) -> None:
        """Leave a field open for the user to settle."""
        self.questions.append(Question(field=name, question=question, suggestion=suggestion))

    def has(self, *names: str) -> bool:
        """Whether some words claim one of the fields."""
        return any(claim.field in names for claim in self.claims)

    def of(self, name: str) -> list[Claim]:
        """The claims to one field."""
        return [claim for claim in self.claims if claim.field == name]

    def correction(self, end: int) -> re.Match[str] | None:
        """The number "n" in whose favour one that ends there is taken back on the spot: "10 trials, no wait, 20"."""
        return regex(_PHRASES["corrected"]).match(self.text.left, end)

    def settled(self) -> dict[str, Claim]:
        """One claim per field. Where several differ and none takes the others back, the user is asked."""
        claims: dict[str, Claim] = {}
        for name in dict.fromkeys(claim.field for claim in self.claims):
            rivals: list[Claim] = []
            for claim in sorted(self.of(name), key=lambda c: c.start):
                if rivals and claim.value == rivals[-1].value:
                    continue
                rivals = [claim] if rivals and self._takes_back(rivals[-1], claim) else [*rivals, claim]
            if len(rivals) == 1:
                claims[name] = rivals[0]
                continue
            quotes = " and ".join(f'"{self.text.quote(*c.span)}"' for c in rivals[:3])
            last = rivals[-1].value
            question = f"The request says {quotes}: which value of {name} is meant?"
            self.ask(name, question, str(last.value if isinstance(last, Enum) else last))
        return claims

    def _takes_back(self, earlier: Claim, later: Claim) -> bool:
        clean = self.text.clean
        return bool(
            regex(rf"(?<!\w){WORDS.corrections}").search(clean[earlier.end : later.start])
            or regex(WORDS.corrections).match(clean[later.start : later.end])
            or regex(r"\W*instead\b").match(clean[later.end : later.end + 12])
        )


def _span(words: re.Match[str] | Span) -> Span:
    return words if isinstance(words, tuple) else words.span()

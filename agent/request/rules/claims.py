"""What a pass over one request has found so far: claims to fields, and what was refused, ignored or left open."""

import re
from dataclasses import dataclass, field
from enum import Enum

from agent.request.draft import Question, Refusal, RefusalClass, Rejected
from agent.request.rules.text import Text

CORRECTION = (
    r"(?:no,? wait|wait,? no|wait|sorry|i mean|i meant|make (?:that|it)|or rather|rather|scratch that|correction|"
    r"actually|oops|er+m?|better|no,|hmm|edit:|update:|on second thought|change (?:that|it) to|let's say|instead)"
)
"""Words by which a user takes back what comes before them."""

NOT_WANTED = (
    r"(?:instead of|rather than|in place of|not|don't use|do not use|no longer|never|except)"
    r"(?: (?:on|the|file|with|use|using|train|training|tune|fine-tune|touch|read|classify|data|model|anything|in|"
    r"from))*"
    r"\s+[\"'`]?$"
)
"""Such words before a name say that it is not wanted."""


@dataclass(frozen=True)
class Claim:
    """Words that state one field's value; later readers cannot use them again."""

    field: str
    value: object
    start: int
    end: int


@dataclass
class Reading:
    """The state that the field readers share. Positions are those of `text.clean`."""

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
        return _compiled(pattern).search(self.text.left)

    def find_all(self, pattern: str) -> list[re.Match[str]]:
        """Every match of `pattern` in what is left to read, on word boundaries."""
        return list(_compiled(pattern).finditer(self.text.left))

    def claim(self, name: str, value: object, start: int, end: int, *, consume: bool = True) -> None:
        """Record that `clean[start:end]` states that field `name` is `value`."""
        self.claims.append(Claim(name, value, start, end))
        if consume:
            self.text.consume(start, end)

    def infer(self, name: str, value: object, reason: str) -> None:
        """Record a value that follows from other words; a claim to the same field wins."""
        self.inferred.setdefault(name, (value, reason))

    def refuse_value(self, name: str, start: int, end: int, rule: str) -> None:
        """Record a value that cannot be used as given; the field stays open."""
        self.rejected.append(Rejected(field=name, quote=self.text.quote(start, end), reason=rule))
        self.text.consume(start, end)

    def refuse(self, kind: RefusalClass, message: str) -> None:
        """Turn the request down; the first reason stays."""
        self.refusal = self.refusal or Refusal(kind=kind, message=message)

    def has(self, name: str) -> bool:
        """Whether some words claim the field."""
        return any(claim.field == name for claim in self.claims)

    def before(self, start: int, length: int = 60) -> str:
        """The words of the same sentence before a position, consumed ones included."""
        return re.split(r"[.;!?\n](?=\s)", self.text.clean[max(0, start - length) : start])[-1]

    def settled(self) -> dict[str, Claim]:
        """One claim per field. Where several differ and none takes the others back, the user is asked."""
        chosen: dict[str, Claim] = {}
        for name in dict.fromkeys(claim.field for claim in self.claims):
            rivals = sorted((c for c in self.claims if c.field == name), key=lambda c: c.start)
            kept = rivals[:1]
            for claim in rivals[1:]:
                if claim.value == kept[-1].value:
                    continue
                kept = [claim] if self._takes_back(kept[-1], claim) else [*kept, claim]
            if len(kept) == 1:
                chosen[name] = kept[0]
            else:
                self._ask(name, kept)
        return chosen

    def _takes_back(self, earlier: Claim, later: Claim) -> bool:
        between = self.text.clean[earlier.end : later.start]
        after = self.text.clean[later.end : later.end + 12]
        return bool(
            re.search(rf"(?<!\w){CORRECTION}", between)
            or re.match(rf"{CORRECTION}", self.text.clean[later.start : later.end])
            or re.match(r"\W*instead\b", after)
        )

    def _ask(self, name: str, rivals: list[Claim]) -> None:
        said = " and ".join(f'"{self.text.quote(c.start, c.end)}"' for c in rivals[:3])
        shown = rivals[-1].value
        suggestion = str(shown.value if isinstance(shown, Enum) else shown)
        self.questions.append(
            Question(
                field=name, question=f"The request says {said}: which value of {name} is meant?", suggestion=suggestion
            )
        )


_patterns: dict[str, re.Pattern[str]] = {}


def _compiled(pattern: str) -> re.Pattern[str]:
    if pattern not in _patterns:
        _patterns[pattern] = re.compile(rf"(?<![\w])(?:{pattern})(?!\w)")
    return _patterns[pattern]

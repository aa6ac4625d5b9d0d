"""The one ledger of LLM calls, the planner's and a conversation's: records, costs, and the caps on them."""

import hashlib
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from agent.errors import PlannerFailed
from agent.llm.reply_json import MAX_REPLY_CHARACTERS
from prompts import Rendered
from trainers.errors import InputError
from trainers.spec import Closed

CHARACTERS_PER_TOKEN = 3.0
"""Low for English prose (about 4), near the truth for JSON and numbers: estimates err towards too many tokens."""

MIN_LEARNT_CHARACTERS = 1000
"""In shorter prompts the tokens of the chat template blur what the text needs."""

MIN_REPLY_TOKENS = 256
"""A call is not worth making when the caps leave less than this for its reply."""

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SECRET_SHAPE = re.compile(r"\b(?:sk|hf|gsk|xai)[-_][\w*-]{8,}")


class LlmCall(Closed):
    """One request to an LLM and its reply, failed ones included. Secrets are blotted out before it is made."""

    prompt_name: str
    prompt_sha256: str = Field(description="of the templates, not of the rendered text")
    text: str = Field(description="everything that was sent, rendered")
    reply: str = ""
    model: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = Field(None, description="None: the model's price is not known")
    seconds: float = 0.0
    error: str | None = None


class LlmEvent(Closed):
    """Something about the planner LLM that the log of a study shows."""

    kind: Literal[
        "retry", "breaker_opened", "decoding_unconstrained", "cap_reached", "batch_failed", "votes", "rejected"
    ]
    message: str
    count: int = 1


class Price(Closed):
    """US dollars per million tokens."""

    prompt: float = Field(ge=0)
    completion: float = Field(ge=0)

    def usd(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Cost of one call."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


class LlmCaps(Closed):
    """Limits on what one planner may use; None means no limit. What was used before a restart is counted in."""

    tokens: int | None = Field(None, ge=0)
    usd: float | None = Field(None, ge=0)
    tokens_used: int = 0
    usd_used: float = 0.0


class LlmCapReached(PlannerFailed):
    """The cap on tokens or dollars leaves no room for another call."""

    code = "llm_cap_reached"
    retryable = False


@dataclass(frozen=True)
class Ticket:
    """A call about to be made, or under way."""

    call: LlmCall
    """What is known of it: its prompt is counted by an estimate, a reply has not come."""
    characters: int
    """Of everything that the server reads."""
    room: int
    """Tokens that the reply may have."""
    began: float


class Ledger:
    """Counts tokens and dollars against the caps, and keeps the record of each call: `begin` before it, then `settle`
    or `fail`, whatever came of it. One ledger serves one model; one call at a time.

    Tokens are those that the backend reports. Where it reports none (and before a call) they are estimated from the
    characters: one per `CHARACTERS_PER_TOKEN`, more where reported prompts have shown that they need more.
    """

    def __init__(self, model: str, caps: LlmCaps, price: Price | None, secrets: Sequence[str] = ()) -> None:
        """`secrets` stand in no record."""
        if caps.usd is not None and price is None:
            hint = "Set TUNEWRIGHT_LLM_PRICE=PROMPT/COMPLETION in dollars per million tokens, such as 2.5/10."
            raise InputError("budget.llm_usd", "a cap in dollars needs the model's price, which is not known.", hint)
        self._model, self._caps, self._price, self._secrets = model, caps, price, tuple(secrets)
        self._tokens_per_character = 1.0 / CHARACTERS_PER_TOKEN
        self.tokens_used, self.usd_used = caps.tokens_used, caps.usd_used

    @property
    def tokens_left(self) -> int | None:
        """Tokens until the cap, 0 when it has passed; None without one."""
        return None if self._caps.tokens is None else max(0, self._caps.tokens - self.tokens_used)

    def limit_tokens(self, tokens: int) -> None:
        """Cap what may still be used, unless there is a cap."""
        if self._caps.tokens is None:
            self._caps = self._caps.model_copy(update={"tokens": self.tokens_used + tokens})

    def begin(self, prompts: Sequence[Rendered], text: str, wanted: int, more_characters: int = 0) -> Ticket:
        """A call is about to be made with `text`, made from `prompts`, for a reply of at most `wanted` tokens.
        `more_characters` are read by the server as well. Raises LlmCapReached where the caps leave no room."""
        text = self.clean(text)
        characters = len(text) + more_characters
        prompt_tokens = self._estimate(characters)
        together = "".join(prompt.sha256 for prompt in prompts)
        call = LlmCall(
            prompt_name="+".join(prompt.name for prompt in prompts),
            prompt_sha256=together if len(prompts) == 1 else hashlib.sha256(together.encode()).hexdigest(),
            text=text,
            model=self._model,
            prompt_tokens=prompt_tokens,
        )
        return Ticket(call, characters, self._room(prompt_tokens, wanted), time.monotonic())

    def most(self, ticket: Ticket) -> tuple[int, float]:
        """Tokens and dollars that a call can cost."""
        prompt = ticket.call.prompt_tokens
        return prompt + ticket.room, self._usd(prompt, ticket.room) or 0.0

    def settle(self, ticket: Ticket, reply: str, prompt_tokens: int | None, completion_tokens: int | None) -> LlmCall:
        """The reply came, with the counts of the backend; where it gives none (or nonsense) they are estimated."""
        if prompt_tokens is None or prompt_tokens < 0:
            prompt_tokens = self._estimate(ticket.characters)
        elif ticket.characters >= MIN_LEARNT_CHARACTERS:  # tables of numbers can need a token every second character
            needed = prompt_tokens / ticket.characters
            self._tokens_per_character = min(max(self._tokens_per_character, needed), 1.0)
        if completion_tokens is None or completion_tokens < 0:
            completion_tokens = self._estimate(len(reply))
        return self._booked(ticket, prompt_tokens, completion_tokens, reply)

    def fail(self, ticket: Ticket, error: str, read: bool, partial: str = "") -> LlmCall:
        """No whole reply came. What the server has `read` is paid for, and so is the part of the reply that came."""
        if not read:
            return self._booked(ticket, 0, 0, error=error)
        prompt_tokens = ticket.call.prompt_tokens
        error = f"{error} Its prompt is counted as about {prompt_tokens} tokens."
        return self._booked(ticket, prompt_tokens, self._estimate(len(partial)), partial, error)

    def clean(self, text: str) -> str:
        """`text` without secrets."""
        return redacted(text, self._secrets)

    def _booked(
        self, ticket: Ticket, prompt_tokens: int, completion_tokens: int, reply: str = "", error: str | None = None
    ) -> LlmCall:
        self.tokens_used += prompt_tokens + completion_tokens
        cost = self._usd(prompt_tokens, completion_tokens)
        self.usd_used += cost or 0.0
        return ticket.call.model_copy(
            update={
                "reply": self.clean(reply[:MAX_REPLY_CHARACTERS]),
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "cost_usd": cost,
                "seconds": time.monotonic() - ticket.began,
                "error": None if error is None else self.clean(error),
            }
        )

    def _estimate(self, characters: int) -> int:
        """Tokens in a text of this many characters, rather too many than too few."""
        return math.ceil(characters * self._tokens_per_character)

    def _usd(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """What so many tokens cost; None where the price is unknown."""
        return None if self._price is None else self._price.usd(prompt_tokens, completion_tokens)

    def _room(self, prompt_tokens: int, wanted: int) -> int:
        """Reply tokens that a call may use, at most `wanted`. Raises LlmCapReached where too few are left."""
        room = wanted
        if self._caps.tokens is not None:
            room = min(room, self._caps.tokens - self.tokens_used - prompt_tokens)
        if self._caps.usd is not None and self._price is not None:
            left = self._caps.usd - self.usd_used - self._price.usd(prompt_tokens, 0)
            if left < 0:
                room = -1
            elif self._price.completion > 0:
                room = min(room, int(1e6 * left / self._price.completion))
        if room < min(MIN_REPLY_TOKENS, wanted):
            raise LlmCapReached(
                f"The planner LLM's cap is reached: {self.tokens_used} of {_limit_text(self._caps.tokens)} tokens and "
                f"${self.usd_used:.4f} of ${_limit_text(self._caps.usd)} are used, and the next call needs about "
                f"{prompt_tokens + MIN_REPLY_TOKENS} tokens. Raise budget.llm_usd or the token cap to go on with it."
            )
        return room


def price_of(local: bool, environ: Mapping[str, str]) -> Price | None:
    """The price in $TUNEWRIGHT_LLM_PRICE ("PROMPT/COMPLETION"), else zero for a local model, else None (unknown).

    No price list is built in: list prices change, and a wrong one would make the cap a false promise.
    """
    text = environ.get("TUNEWRIGHT_LLM_PRICE")
    if not text:
        return Price(prompt=0, completion=0) if local else None
    try:
        prompt, completion = (float(part) for part in text.split("/"))
        return Price(prompt=prompt, completion=completion)
    except ValueError as error:
        rule = f"must be PROMPT/COMPLETION in dollars per million tokens, got {text!r}."
        raise InputError("TUNEWRIGHT_LLM_PRICE", rule, "Write for example 2.5/10.") from error


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Values of the environment that must never be written anywhere, longest first."""
    secrets = {value for name, value in environ.items() if _SECRET_NAME.search(name) and len(value) >= 8}
    return tuple(sorted(secrets, key=len, reverse=True))


def redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` with secrets, and what looks like an API key, blotted out."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return _SECRET_SHAPE.sub("[redacted]", text)


def _limit_text(limit: float | None) -> str:
    return "unlimited" if limit is None else f"{limit:g}"

"""What is recorded of every call of the planner LLM, what it costs, and the caps on both."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field

from agent.errors import PlannerFailed
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
    """One request to the planner LLM and its reply, failed ones included. Secrets are blotted out before it is made."""

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


class Ledger:
    """Counts tokens and dollars against the caps: asked before each call, charged after it whatever came of it.

    Tokens are those that the backend reports. Where it reports none (and before a call) they are estimated from the
    characters: one per `CHARACTERS_PER_TOKEN`, more where reported prompts have shown that they need more.
    """

    def __init__(self, caps: LlmCaps, price: Price | None) -> None:
        if caps.usd is not None and price is None:
            raise InputError(
                "budget.llm_usd",
                "a cap in dollars needs the model's price, which is not known.",
                "Set TUNEWRIGHT_LLM_PRICE=PROMPT/COMPLETION in dollars per million tokens, such as 2.5/10.",
            )
        self._caps, self._price = caps, price
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

    def estimate(self, characters: int) -> int:
        """Tokens in a text of this many characters, rather too many than too few."""
        return math.ceil(characters * self._tokens_per_character)

    def learn(self, characters: int, tokens: int) -> None:
        """Take note of what a prompt really had: tables of numbers can need a token every second character."""
        if characters >= MIN_LEARNT_CHARACTERS:
            self._tokens_per_character = min(max(self._tokens_per_character, tokens / characters), 1.0)

    def usd(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """What so many tokens cost; None where the price is unknown."""
        return None if self._price is None else self._price.usd(prompt_tokens, completion_tokens)

    def room(self, prompt_characters: int, wanted: int) -> int:
        """Reply tokens that the next call may use, at most `wanted`. Raises LlmCapReached where too few are left."""
        prompt_tokens = self.estimate(prompt_characters)
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
                f"The planner LLM's cap is reached: {self.tokens_used} of {_shown(self._caps.tokens)} tokens and "
                f"${self.usd_used:.4f} of ${_shown(self._caps.usd)} are used, and the next call needs about "
                f"{prompt_tokens + MIN_REPLY_TOKENS} tokens. Raise budget.llm_usd or the token cap to go on with it."
            )
        return room

    def charge(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Book one call; its cost in dollars, None where the price is unknown."""
        self.tokens_used += prompt_tokens + completion_tokens
        cost = self.usd(prompt_tokens, completion_tokens)
        self.usd_used += cost or 0.0
        return cost


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
        raise InputError(
            "TUNEWRIGHT_LLM_PRICE",
            f"must be PROMPT/COMPLETION in dollars per million tokens, got {text!r}.",
            "Write for example 2.5/10.",
        ) from error


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Values of the environment that must never be written anywhere, longest first."""
    found = {value for name, value in environ.items() if _SECRET_NAME.search(name) and len(value) >= 8}
    return tuple(sorted(found, key=len, reverse=True))


def redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` with secrets, and what looks like an API key, blotted out."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return _SECRET_SHAPE.sub("[redacted]", text)


def _shown(limit: float | None) -> str:
    return "unlimited" if limit is None else f"{limit:g}"

"""What the LLM calls of a conversation cost, and their records: asked before each call, settled after it."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.desk.chat.exchange import Exchange
from agent.llm.calls import Ledger, redacted
from agent.llm.open import LlmCall, LlmCaps, ToolModel
from agent.llm.reply_json import MAX_REPLY_CHARACTERS
from prompts import Rendered


@dataclass
class Ticket:
    """A call under way: what was sent, its characters with the tools' descriptions, the tokens its reply may have."""

    text: str
    characters: int
    room: int
    began: float
    settled: bool = False


class Account:
    """The ledger of one conversation, kept in its memory. One call at a time."""

    def __init__(self, exchange: Exchange, opened: ToolModel, prompt: Rendered, max_tokens: int) -> None:
        self._exchange, self._opened, self._prompt = exchange, opened, prompt
        memory = exchange.memory
        caps = LlmCaps(tokens=max_tokens, tokens_used=memory.tokens_used, usd_used=memory.usd_used)
        self._ledger = Ledger(caps, opened.price)

    def begin(self, sent: Sequence[Any], tools_characters: int) -> Ticket:
        """A call with these messages is about to be made. Raises LlmCapReached."""
        text = self._clean("\n\n".join(_shown(message) for message in sent))
        size = len(text) + tools_characters
        return Ticket(text, size, self._ledger.room(size, self._opened.max_reply_tokens), time.monotonic())

    def end(self, ticket: Ticket, reply: Any) -> None:
        """The reply came."""
        usage = reply.usage_metadata or {}
        self._settle(ticket, _shown(reply), usage.get("input_tokens"), usage.get("output_tokens"))

    def fail(self, ticket: Ticket, error: str, partial: str, sent: bool = True) -> None:
        """No whole reply came. What was `sent` has been read by the server, and paid for."""
        prompt, completion = (None, None) if sent else (0, 0)
        self._settle(ticket, partial, prompt, completion, self._clean(error))

    def _settle(
        self, ticket: Ticket, said: str, prompt: int | None, completion: int | None, error: str | None = None
    ) -> None:
        if ticket.settled:
            return
        ticket.settled = True
        if prompt is None:
            prompt = self._ledger.estimate(ticket.characters)
        elif prompt:
            self._ledger.learn(ticket.characters, prompt)
        completion = self._ledger.estimate(len(said)) if completion is None else completion
        call = LlmCall(
            prompt_name=self._prompt.name,
            prompt_sha256=self._prompt.sha256,
            text=ticket.text,
            reply=self._clean(said[:MAX_REPLY_CHARACTERS]),
            model=self._opened.name.spelling,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cost_usd=self._ledger.charge(prompt, completion),
            seconds=time.monotonic() - ticket.began,
            error=error,
        )
        self._exchange.desk.store.log_llm_call(call)
        self._exchange.remember(tokens_used=self._ledger.tokens_used, usd_used=self._ledger.usd_used)

    def _clean(self, text: str) -> str:
        return redacted(text, self._opened.secrets)


def _shown(message: Any) -> str:
    """A message as it is kept: its role, its text, its tool calls."""
    calls = getattr(message, "tool_calls", None)
    return f"[{message.type}]\n{message.text}" + (f"\n{json.dumps(calls, default=str)}" if calls else "")

"""A model and its tools in one turn: what it says streams out, what it calls is carried out in order.

With `agent/llm/open.py` the only module that imports LangChain, and only when an agent is made.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agent.desk.chat.exchange import Exchange
from agent.desk.chat.happenings import ToolDone, ToolStarted
from agent.desk.chat.toolbox import carry_out, tools_of
from agent.llm import traces
from agent.llm.background import Stopped
from agent.llm.calls import Ledger, LlmCall, Ticket
from agent.llm.chats import LangChainModel
from agent.llm.messages import TransportError
from prompts import Rendered

MAX_ROUNDS = 8
"""Calls of the model in one turn: each but the last one asks for tools."""

MAX_TOOL_CALLS = 24
"""Tool calls in one turn."""


class TooManyRounds(Exception):
    """The model goes on and on calling tools."""


@dataclass(frozen=True)
class Token:
    """A piece of the reply."""

    text: str


@dataclass(frozen=True)
class ModelDone:
    """One call of the model is over."""

    text: str
    called_tools: bool
    cut_off: bool = False


Raw = Token | ToolStarted | ToolDone | ModelDone


class ChatAgent:
    """One run of the agent. `run` is called in a thread of its own, with the function that takes what happens.

    What `ledger` says was used is kept in the conversation's memory.
    """

    def __init__(
        self, model: LangChainModel, exchange: Exchange, ledger: Ledger, prompt: Rendered, messages: Sequence[Any]
    ) -> None:
        """`prompt`: the system message; `messages`: what follows it, as LangChain takes it, the person's last."""
        from langchain_core.messages import convert_to_messages

        self._opened, self._exchange, self._ledger, self._prompt = model, exchange, ledger, prompt
        self._messages = convert_to_messages([("system", prompt.text), *messages])
        self._calls = 0
        self._put: Callable[[Raw], None] = lambda raw: None
        self._tools = [
            {"name": tool.name, "description": tool.description, "parameters": tool.takes.model_json_schema()}
            for tool in tools_of(exchange.verbs)
        ]

    def run(self, put: Callable[[Raw], None]) -> None:
        """Answer. Raises an LlmError, LlmCapReached, TooManyRounds and Stopped."""
        self._put = put
        for _ in range(MAX_ROUNDS):
            reply = self._reply()
            put(ModelDone(str(reply.text), bool(reply.tool_calls), self._cut_off(reply)))
            if not reply.tool_calls:
                return
            self._messages = [*self._messages, reply, *[self._tool_message(call) for call in reply.tool_calls]]
            if self._exchange.asked is not None:
                return  # the person's turn
        raise TooManyRounds

    def again(self, text: str, feedback: str) -> "ChatAgent":
        """An agent that answers again, after the tool calls so far: `text` was withdrawn, `feedback` says why."""
        messages = [*self._messages[1:], ("ai", text or "…"), ("human", feedback)]
        return ChatAgent(self._opened, self._exchange, self._ledger, self._prompt, messages)

    def _reply(self) -> Any:
        """One reply of the model, streamed and paid for."""
        text = "\n\n".join(f"[{message.type}]\n{_reply_text(message)}" for message in self._messages)
        more = sum(len(json.dumps(tool)) for tool in self._tools)
        ticket = self._ledger.begin([self._prompt], text, self._opened.max_reply_tokens, more)
        self._put(Token(""))  # raises where nobody listens any more
        pieces: list[str] = []
        try:
            with traces.llm_span(self._opened.name.spelling, self._prompt.name, ticket.room, "text") as span:
                reply = self._streamed(ticket, pieces)
                usage = reply.usage_metadata or {}
                traces.replied(span, usage.get("input_tokens"), usage.get("output_tokens"))
        except Stopped:
            self._record(self._ledger.fail(ticket, "withdrawn or stopped before its end.", True, "".join(pieces)))
            raise
        except Exception as error:
            reason = self._opened.mapped(error)
            read = bool("".join(pieces)) or (isinstance(reason, TransportError) and reason.timed_out)
            self._record(self._ledger.fail(ticket, str(reason), read, "".join(pieces)))
            raise reason from error
        call = self._ledger.settle(ticket, _reply_text(reply), usage.get("input_tokens"), usage.get("output_tokens"))
        self._record(call)
        return _repaired(reply)

    def _streamed(self, ticket: Ticket, pieces: list[str]) -> Any:
        """The whole reply; what has come of it is in `pieces`. Where nobody listens any more the connection closes."""
        from langchain_core.messages import message_chunk_to_message

        whole = None
        for chunk in self._opened.limited(ticket.room).bind_tools(self._tools).stream(self._messages):
            whole = chunk if whole is None else whole + chunk
            pieces.append(str(chunk.text))
            self._put(Token(pieces[-1]))
        return message_chunk_to_message(whole)

    def _record(self, call: LlmCall) -> None:
        self._exchange.desk.store.log_llm_call(call)
        self._exchange.remember(tokens_used=self._ledger.tokens_used, usd_used=self._ledger.usd_used)

    def _cut_off(self, reply: Any) -> bool:
        """Whether a reply has no end of its own: at the limit of its length, or with the connection."""
        why = reply.response_metadata.get("finish_reason") or reply.response_metadata.get("stop_reason")
        speaks_openai = self._opened.name.kind in ("openai", "http", "vllm")
        return why in ("length", "max_tokens") or (why is None and speaks_openai)

    def _tool_message(self, call: dict[str, Any]) -> Any:
        from langchain_core.messages import ToolMessage

        self._calls += 1
        done = self._carried_out(str(call["name"]), dict(call["args"]))
        content, status = json.dumps(done.result, ensure_ascii=False), "success" if done.ok else "error"
        return ToolMessage(content=content, tool_call_id=call["id"], name=done.name, status=status)

    def _carried_out(self, name: str, arguments: dict[str, Any]) -> ToolDone:
        call_id = self._exchange.new_call_id()
        if self._calls > MAX_TOOL_CALLS:
            result = {"code": "too_many_calls", "message": "no more tool calls in this turn.", "hint": "Answer now."}
            return ToolDone(call_id=call_id, name=name, ok=False, summary=result["message"], result=result, seconds=0.0)
        self._put(ToolStarted(call_id=call_id, name=name, arguments=arguments))
        done = carry_out(self._exchange, call_id, name, arguments)
        self._put(done)
        return done


def _repaired(reply: Any) -> Any:
    """Tool calls whose arguments are no JSON become calls that fail with a message, instead of vanishing."""
    for call in reply.invalid_tool_calls:
        broken = {"arguments_were_no_json": str(call.get("args"))[:200]}
        reply.tool_calls.append(
            {"name": call.get("name") or "unknown", "args": broken, "id": call.get("id"), "type": "tool_call"}
        )
    reply.invalid_tool_calls.clear()
    return reply


def _reply_text(message: Any) -> str:
    """What a message says, and the tool calls it makes."""
    calls = getattr(message, "tool_calls", None)
    return str(message.text) + (f"\n{json.dumps(calls, default=str)}" if calls else "")

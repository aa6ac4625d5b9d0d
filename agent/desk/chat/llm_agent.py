"""The LangChain agent of a conversation: its model, our tools, and a watch on every call of either.

With `agent/llm/open.py` the only module that imports LangChain, and only when an agent is made.
"""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agent.desk.chat.background import Stopped
from agent.desk.chat.exchange import Exchange
from agent.desk.chat.happenings import ToolDone, ToolStarted
from agent.desk.chat.llm_account import Account
from agent.desk.chat.toolbox import TOOLS
from agent.llm import traces
from agent.llm.messages import TransportError
from agent.llm.open import ToolModel

MAX_ROUNDS = 8
"""Calls of the model in one turn: each but the last one asks for tools."""

MAX_TOOL_CALLS = 24
"""Tool calls in one turn, those made side by side included."""


class TooManyRounds(Exception):
    """The model goes on and on calling tools."""


class LlmFailed(Exception):
    """A call of the model gave no reply; `reason` is one of the errors of `agent.llm.messages`."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason
        super().__init__(str(reason))


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
    """One run of the agent. `run` is called in a thread of its own, with the function that takes what happens."""

    def __init__(self, opened: ToolModel, exchange: Exchange, account: Account, messages: Sequence[Any]) -> None:
        """`messages`: the system message first, the person's last."""
        self._opened, self._exchange, self._account = opened, exchange, account
        self._sent = list(messages)
        self._rounds = self._calls = 0
        self._partial = ""
        self._put: Callable[[Raw], None] = lambda raw: None
        self._tools = [_as_langchain(tool.name, tool.description, tool.takes) for tool in TOOLS]
        schemas = [json.dumps(tool.takes.model_json_schema()) + tool.description for tool in TOOLS]
        self._tools_characters = sum(map(len, schemas))
        self._in_turn, self._order = threading.Condition(), list[str]()

    def run(self, put: Callable[[Raw], None]) -> None:
        """Answer. Raises LlmFailed, LlmCapReached, TooManyRounds and Stopped."""
        from langchain.agents import create_agent

        self._put = put
        agent = create_agent(
            self._opened.model,
            self._tools,
            system_prompt=self._sent[0],
            middleware=[_watch(self._model_call, self._tool_call)],
        )
        config = {"callbacks": [_listener(self._listen)], "recursion_limit": 4 * MAX_ROUNDS}
        stream = agent.stream({"messages": self._sent[1:]}, config, stream_mode="messages")
        for message, about in stream:
            if about.get("langgraph_node") == "model" and message.type in ("ai", "AIMessageChunk") and message.text:
                put(Token(str(message.text)))

    def again(self, text: str, feedback: str) -> "ChatAgent":
        """An agent that answers again, after the tool calls so far: `text` was withdrawn, `feedback` says why."""
        from langchain_core.messages import AIMessage, HumanMessage

        messages = [*self._sent, AIMessage(content=text or "…"), HumanMessage(content=feedback)]
        return ChatAgent(self._opened, self._exchange, self._account, messages)

    def _listen(self, piece: str) -> None:
        self._partial += piece
        self._put(Token(""))  # raises where nobody listens any more, which closes the connection

    def _model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        if self._exchange.asked is not None:
            raise Stopped  # the person's turn
        self._put(Token(""))
        self._rounds += 1
        if self._rounds > MAX_ROUNDS:
            raise TooManyRounds
        self._sent = [request.system_message, *request.messages]
        ticket = self._account.begin(self._sent, self._tools_characters)
        if "max_tokens" in type(request.model).model_fields:
            request = request.override(model=request.model.model_copy(update={"max_tokens": ticket.room}))
        self._partial = ""
        try:
            with traces.llm_span(self._opened.name.spelling, "chat_system", ticket.room, "text") as span:
                response = handler(request)
                reply = response.result[0]
                usage = reply.usage_metadata or {}
                traces.replied(span, usage.get("input_tokens"), usage.get("output_tokens"))
        except Stopped:
            self._account.fail(ticket, "withdrawn or stopped before its end.", self._partial)
            raise
        except Exception as error:
            reason = self._opened.mapped(error)
            reached = bool(self._partial) or (isinstance(reason, TransportError) and reason.timed_out)
            self._account.fail(ticket, str(reason), self._partial, sent=reached)
            raise LlmFailed(reason) from error
        self._account.end(ticket, reply)
        _repair(reply)
        self._order = [call["id"] for call in reply.tool_calls]
        self._put(ModelDone(str(reply.text), bool(reply.tool_calls), self._cut_off(reply)))
        return response

    def _cut_off(self, reply: Any) -> bool:
        """Whether a reply has no end of its own: at the limit of its length, or with the connection."""
        why = reply.response_metadata.get("finish_reason") or reply.response_metadata.get("stop_reason")
        speaks_openai = self._opened.name.kind in ("openai", "http", "vllm")
        return why in ("length", "max_tokens") or (why is None and speaks_openai)

    def _tool_call(self, call: dict[str, Any]) -> Any:
        from langchain_core.messages import ToolMessage

        with self._in_turn:  # LangGraph calls them side by side, in any order
            while not self._in_turn.wait_for(lambda: self._is_next(call["id"]), timeout=1.0):
                self._put(Token(""))  # raises where the reply was stopped: one that waits must not outlive it
            try:
                self._calls += 1
                done = self._carried_out(str(call["name"]), dict(call["args"]))
            finally:
                if call["id"] in self._order:
                    self._order.remove(call["id"])
                self._in_turn.notify_all()
        content = json.dumps(done.result, ensure_ascii=False)
        status = "success" if done.ok else "error"
        return ToolMessage(content=content, tool_call_id=call["id"], name=done.name, status=status)

    def _is_next(self, call_id: str) -> bool:
        return call_id not in self._order or self._order[0] == call_id

    def _carried_out(self, name: str, arguments: dict[str, Any]) -> ToolDone:
        call_id = self._exchange.new_call_id()
        if self._calls > MAX_TOOL_CALLS:
            result = {"code": "too_many_calls", "message": "no more tool calls in this turn.", "hint": "Answer now."}
            return ToolDone(call_id=call_id, name=name, ok=False, summary=result["message"], result=result, seconds=0.0)
        self._put(ToolStarted(call_id=call_id, name=name, arguments=arguments))
        done = self._exchange.carry_out(call_id, name, arguments)
        self._put(done)
        return done


def _repair(reply: Any) -> None:
    """Tool calls whose arguments are no JSON become calls that fail with a message, instead of vanishing."""
    for call in reply.invalid_tool_calls:
        broken = {"arguments_were_no_json": str(call.get("args"))[:200]}
        reply.tool_calls.append(
            {"name": call.get("name") or "unknown", "args": broken, "id": call.get("id"), "type": "tool_call"}
        )
    reply.invalid_tool_calls.clear()


def _as_langchain(name: str, description: str, takes: type[Any]) -> Any:
    from langchain_core.tools import StructuredTool

    def elsewhere(**arguments: Any) -> str:
        raise RuntimeError("tools are carried out by the watch")

    return StructuredTool.from_function(elsewhere, name=name, description=description, args_schema=takes)


def _watch(model_call: Callable[[Any, Callable[[Any], Any]], Any], tool_call: Callable[[dict[str, Any]], Any]) -> Any:
    from langchain.agents.middleware import AgentMiddleware

    class Watch(AgentMiddleware):  # type: ignore[misc]
        """Hands every call over."""

        def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            return model_call(request, handler)

        def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            return tool_call(request.tool_call)

    return Watch()


def _listener(listen: Callable[[str], None]) -> Any:
    from langchain_core.callbacks import BaseCallbackHandler

    class Listener(BaseCallbackHandler):  # type: ignore[misc]
        """Hears every token; what it raises ends the stream."""

        raise_error = True

        def on_llm_new_token(self, token: Any, **about: Any) -> None:
            listen(token if isinstance(token, str) else "")

    return Listener()


def chat_messages(system: str, history: Sequence[tuple[str, str]]) -> list[Any]:
    """Messages for an agent: `history` is (user or assistant, text) in order."""
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    turns = [HumanMessage(content=t) if role == "user" else AIMessage(content=t) for role, t in history]
    return [SystemMessage(content=system), *turns]

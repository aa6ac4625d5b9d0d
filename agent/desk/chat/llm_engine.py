"""The engine with an LLM: a LangChain agent over our tools, whose reply is shown sentence by sentence once checked.

A figure that is in no tool result of the turn withdraws the reply; it is made once again, and then what the tools said
is shown instead. Starting a study is not the LLM's: its turn ends where a plan goes up for approval.
"""

import re
from collections.abc import Callable, Generator, Iterator
from typing import Any

from agent.desk.cards import PlanCard, Problem
from agent.desk.chat.exchange import Exchange
from agent.desk.chat.figures import Known
from agent.desk.chat.happenings import Happening, Retracted, Said, ToolDone, ToolStarted
from agent.desk.chat.llm_agent import ChatAgent, ModelDone, Raw, Token, TooManyRounds
from agent.desk.chat.results import reply_to
from agent.desk.chat.rules import standing_of
from agent.desk.chat.toolbox import MAX_CHAT_TOKENS, use
from agent.desk.chat.wishes import Kind, study_in, wish_of
from agent.errors import TunewrightError
from agent.llm.background import Background
from agent.llm.calls import Ledger, LlmCapReached, LlmCaps, redacted
from agent.llm.chats import LangChainModel
from agent.llm.messages import AccessError, LlmError, TransportError
from agent.llm.open import open_langchain
from agent.request.markup import quoted, short
from prompts import render

_END = re.compile(r"[.!?…][\"”’)*_]*\s|\n")
_MARKER = re.compile(r"(?:^|\n)[ \t]*(?:[-*+>][ \t]+)*(?:#{1,6}[ \t]*)?\d{1,3}\.\s$")
_ABBREVIATED = re.compile(r"(?:\b(?:e\.g|i\.e|vs|approx|resp|etc|cf|No|no|Nr|fig)|\b[A-Z])\.\s$")

MAX_CHARACTERS = 2000
"""A sentence that does not end is cut at a space here."""


class Sentences:
    """Collects pieces of text; gives out what has ended. Nothing is lost: joined, the sentences are the text."""

    def __init__(self) -> None:
        self._open = ""

    def feed(self, piece: str) -> list[str]:
        """The sentences that `piece` completes."""
        self._open += piece
        done: list[str] = []
        at = 0
        while (end := _END.search(self._open, at)) is not None:
            at = end.end()
            head = self._open[:at]
            if head.count("`") % 2 or _MARKER.search(head) or _ABBREVIATED.search(head):
                continue
            done.append(head)
            self._open, at = self._open[at:], 0
        if len(self._open) > MAX_CHARACTERS and (cut := self._open.rfind(" ") + 1):
            done.append(self._open[:cut])
            self._open = self._open[cut:]
        return done

    def rest(self) -> str:
        """What has not ended; nothing is left after it."""
        left, self._open = self._open, ""
        return left


ATTEMPTS = 2
STALL_SECONDS = 120.0
HISTORY_TURNS = 12
HISTORY_CHARACTERS = 1200
BY_RULES = "To go on without it: /model embedded, or --llm embedded, has the rules answer."
_AGAIN = f"Nothing is lost; say it again to try once more. {BY_RULES}"


class LlmEngine:
    """Answers with the LLM that the conversation has, of at most `max_tokens` in all. Keeps the opened model."""

    def __init__(self, stall_seconds: float = STALL_SECONDS, max_tokens: int = MAX_CHAT_TOKENS) -> None:
        """A model that gives nothing for `stall_seconds` is given up for this turn."""
        self._opened: LangChainModel | None = None
        self._stall_seconds, self._max_tokens = stall_seconds, max_tokens

    def __call__(self, exchange: Exchange) -> Iterator[Happening]:
        """See `Engine`. Whatever goes wrong with the LLM is said, and the conversation goes on."""
        exchange.permits, exchange.follows = asked_for(exchange), False
        try:
            if self._opened is None:
                self._opened = open_langchain(exchange.memory.llm)
        except TunewrightError as error:
            exchange.problem = Problem.of(error)
            yield Said(text=f"{exchange.memory.llm} cannot be used: {error} {BY_RULES}")
            return
        try:
            yield from self._answered(exchange, self._opened)
        except TooManyRounds:
            yield from _instead(exchange, "I was going round in circles. This is what the tools told:")
        except (LlmError, TimeoutError, TunewrightError) as error:
            capped = isinstance(error, LlmCapReached)
            problem = self._cap_problem(exchange) if capped else _trouble(error, self._opened)
            exchange.problem = problem
            yield Said(text=f"{problem.message} {problem.hint}")

    def _cap_problem(self, exchange: Exchange) -> Problem:
        spending = f"{exchange.memory.tokens_used:,} of {self._max_tokens:,} LLM tokens"
        message = f"This conversation has used {spending}, which leaves no room for another reply."
        return Problem(code=LlmCapReached.code, message=message, hint=f"A new one starts from nothing. {BY_RULES}")

    def _answered(self, exchange: Exchange, model: LangChainModel) -> Iterator[Happening]:
        state, memory = _state(exchange), exchange.memory
        caps = LlmCaps(tokens=self._max_tokens, tokens_used=memory.tokens_used, usd_used=memory.usd_used)
        ledger = Ledger(model.name.spelling, caps, model.price, model.secrets)
        agent = ChatAgent(model, exchange, ledger, render("chat_system", **state), _history(exchange))
        for _ in range(ATTEMPTS):
            reply = Reply(exchange, state, ledger, self._stall_seconds)
            unknown = yield from reply.relay(agent)
            if not unknown:
                yield from _closing(exchange, reply)
                return
            yield Retracted(why=f"no tool told {', '.join(unknown)}")
            agent = agent.again(reply.text, render("chat_figures", figures=unknown).text)
        yield from _instead(exchange)


class Reply:
    """One attempt at a reply: what the agent does, passed on once its sentences hold."""

    def __init__(self, exchange: Exchange, facts: dict[str, Any], ledger: Ledger, stall_seconds: float) -> None:
        """`facts`: what the prompt says of the conversation; their figures are known as well."""
        self._exchange, self._facts, self._clean, self._stall_seconds = exchange, facts, ledger.clean, stall_seconds
        self._sentences, self._tool_runs = Sentences(), False
        self.text = self.shown_text = ""
        self.cut_off = False

    def relay(self, agent: ChatAgent) -> Generator[Happening, None, list[str]]:
        """Pass on what happens; the figures that end this attempt, none where it went well."""
        run: Background[Raw] = Background(lambda thread: agent.run(thread.put))
        try:
            for raw in run.products(lambda: None if self._tool_runs else self._stall_seconds):
                unknown = yield from self._take(raw)
                if unknown:
                    return unknown
                if isinstance(raw, ToolDone) and self._exchange.asked is not None:
                    return []  # the person's turn
            return (yield from self._rest())
        finally:
            run.stop()

    def _take(self, raw: Raw) -> Generator[Happening, None, list[str]]:
        if isinstance(raw, Token):
            self.text += raw.text
            return (yield from self._checked(self._sentences.feed(raw.text)))
        if isinstance(raw, ModelDone):
            self.text, self.cut_off = raw.text or self.text, raw.cut_off
            unknown = yield from self._rest()
            if not unknown and raw.called_tools and self.shown_text.strip():
                self.shown_text += "\n\n"
                yield Said(text="\n\n")
            return unknown
        yield raw
        self._tool_runs = isinstance(raw, ToolStarted)
        if isinstance(raw, ToolDone) and raw.ok and raw.name == "start_study" and self._exchange.asked is not None:
            yield self._exchange.asked
        return []

    def _rest(self) -> Generator[Happening, None, list[str]]:
        left = self._sentences.rest()
        return (yield from self._checked([left] if left else []))

    def _checked(self, sentences: list[str]) -> Generator[Happening, None, list[str]]:
        for sentence in sentences:
            facts = Known.of([*(result.result for result in self._exchange.results), self._facts])
            if unknown := facts.unknown(sentence):
                return unknown
            clean = self._clean(sentence)
            self.shown_text += clean
            yield Said(text=clean)
        return []


def asked_for(exchange: Exchange) -> Callable[[str, str | None], bool]:
    """What the person's own words, read by rules, allow in this turn: an action on the study that they mean."""
    wish = wish_of(exchange.text, standing_of(exchange))
    studies = exchange.desk.store.studies()
    subject = wish.study or exchange.memory.study or (studies[-1].study_id if studies else None)
    spoken = study_in(exchange.text.lower()) if wish.kind is not Kind.GENERATE else None
    if any(study.study_id == spoken for study in studies):  # a model that looks elsewhere does not change it
        exchange.remember(study=spoken)
    return lambda action, study: action == wish.kind and study == subject


def _state(exchange: Exchange) -> dict[str, Any]:
    memory = exchange.memory
    plan = memory.plan
    gap = ""
    if plan is not None and plan.plan_hash is None:
        gap = f"open question {quoted(plan.questions[0].question, 200)}" if plan.questions else "it cannot be done"
    return {
        "plan_hash": plan.plan_hash[:12] if plan is not None and plan.plan_hash else None,
        "plan_open": gap,
        "waiting": memory.waiting is not None,
        "started": memory.started,
        "study": memory.study,
    }


def _history(exchange: Exchange) -> list[tuple[str, str]]:
    """The latest utterances of both, cut short. Results of earlier turns are left out: they may be out of date."""
    turns = [turn for turn in exchange.earlier if turn.role != "tool" and turn.text.strip()]
    earlier = [(str(turn.role), short(turn.text, HISTORY_CHARACTERS)) for turn in turns]
    return [*earlier[-HISTORY_TURNS:], ("user", exchange.text)]


def _closing(exchange: Exchange, reply: Reply) -> Iterator[Happening]:
    """What this program says at the end of a turn: about the plan that waits, or that a reply was lost."""
    text = reply.shown_text
    if exchange.asked is not None:
        before = "" if not text.strip() or text.endswith("\n\n") else "\n\n"
        plans = [result.card for result in exchange.results if isinstance(result.card, PlanCard)]
        plan_text = reply_to(plans[-1]) if plans else f"Plan `{(exchange.asked.plan.plan_hash or '')[:12]}`."
        yield Said(text=f"{before}{plan_text}\n\nShall I start it? Say **yes**, **no**, or what to change.")
    elif not text.strip():
        yield from _instead(exchange, "The model gave no reply.")
    elif reply.cut_off:
        yield Said(text="\n\n(The reply broke off here.)")


def _instead(exchange: Exchange, opening: str = "") -> Iterator[Happening]:
    """What the tools told, in place of the LLM's words; the status where no tool was called."""
    if not exchange.results:
        yield from use(exchange, "study_status")
    latest = {result.name: result.card for result in exchange.results}.values()
    cards = [card for card in latest if not isinstance(card, Problem)] or list(latest)
    yield Said(text="\n\n".join([*([opening] if opening else []), *(reply_to(card) for card in cards)]))


def _trouble(error: LlmError | TimeoutError | TunewrightError, model: LangChainModel) -> Problem:
    """What went wrong with the LLM, and what to do."""
    who, reason = model.name.spelling, redacted(short(str(error), 400), model.secrets)
    if isinstance(error, TunewrightError):
        return Problem(code=error.code, message=str(error), hint=BY_RULES)
    if isinstance(error, (TimeoutError, TransportError)):
        message = f"{who} did not answer ({reason})." if reason else f"{who} has not answered for too long."
        return Problem(code="llm_unreachable", message=message, hint=_AGAIN, retryable=True)
    if "tool" in reason.lower() and not isinstance(error, AccessError):
        message = f"{who} does not call tools, which this conversation needs ({reason})."
        return Problem(code="llm_without_tools", message=message, hint=BY_RULES)
    return Problem(code="llm_refuses", message=f"{who} refuses: {reason}", hint=BY_RULES)

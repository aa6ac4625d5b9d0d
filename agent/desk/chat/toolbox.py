"""The verbs as a conversation's tools: they mean its study, and change only what the person asked to have changed."""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from agent.desk.cards import BudgetStanding, Problem
from agent.desk.chat.exchange import Exchange
from agent.desk.chat.happenings import Happening, ToolDone, ToolStarted
from agent.desk.chat.planning import PLANNING
from agent.desk.chat.results import ToolResult, result_of
from agent.desk.tools import Effect, Study, Verb, arguments_of, verb
from agent.desk.tools import study_budget as budget_of_study
from agent.desk.words import words_of
from agent.errors import InputError, TunewrightError
from agent.llm import traces
from agent.request.markup import short
from trainers.spec import Closed

MAX_CHAT_TOKENS = 400_000
"""Prompt and reply tokens of one conversation's own LLM calls, all turns together."""
LOOKS = (Effect.LOOKS, Effect.LOOKS_OUTSIDE)


class Spending(Closed):
    """What a study has cost and may cost, and the conversation's own calls."""

    study: BudgetStanding | None
    llm_tokens_used: int
    llm_tokens_limit: int | None
    llm_usd_used: float


@words_of.register
def _(card: Spending) -> str:
    study = words_of(card.study) if card.study else "There is no study yet, so nothing has been spent on one."
    dollars = f", ${card.llm_usd_used:.4g}" if card.llm_usd_used else ""
    chat = f"\n\nThis conversation: {card.llm_tokens_used:,} LLM tokens{dollars}." if card.llm_tokens_used else ""
    return study + chat


def study_budget(exchange: Exchange, study: Study = None) -> Spending:
    """What a study has spent and may spend: trials, time, LLM tokens and dollars; and this conversation's tokens."""
    memory, budget = exchange.memory, None
    if study is not None or exchange.desk.store.studies():
        budget = budget_of_study(exchange.desk, exchange.study(study))
    return Spending(
        study=budget,
        llm_tokens_used=memory.tokens_used,
        llm_tokens_limit=None if memory.llm == "embedded" else MAX_CHAT_TOKENS,
        llm_usd_used=memory.usd_used,
    )


OVERRIDES = {function.__name__: function for function in (*PLANNING, study_budget)}
"""What a verb is in a conversation, by its name; the docstring is what the LLM reads."""


@dataclass(frozen=True)
class Tool:
    """One tool as an LLM sees it."""

    name: str
    description: str
    takes: type[Closed]


def tools_of(verbs: Sequence[Verb]) -> tuple[Tool, ...]:
    """Each verb as a tool: what it is for and what it takes."""
    return tuple(map(_tool, verbs))


def _tool(called: Verb) -> Tool:
    override = OVERRIDES.get(called.name)
    if override is not None:
        return Tool(called.name, " ".join((override.__doc__ or "").split()), arguments_of(override))
    condition = "" if called.effect in LOOKS else " Works only if the person asked for it."
    return Tool(called.name, called.doc + condition, called.arguments)


def use(exchange: Exchange, name: str, /, **arguments: Any) -> Generator[Happening, None, ToolResult]:
    """Call a tool, with what happens; its result is this generator's value."""
    call_id = exchange.new_call_id()
    arguments = {key: value for key, value in arguments.items() if value is not None}
    yield ToolStarted(call_id=call_id, name=name, arguments=arguments)
    yield carry_out(exchange, call_id, name, arguments)
    if exchange.asked is not None and name == "start_study":
        yield exchange.asked
    return exchange.results[-1]


def carry_out(exchange: Exchange, call_id: str, name: str, arguments: dict[str, Any]) -> ToolDone:
    """Call a tool, one at a time. A failure is a result as well: {code, message, hint}."""
    with exchange.one_at_a_time, traces.tool_span(name, call_id, arguments) as span:
        began = time.monotonic()
        result = replace(call_tool(exchange, name, arguments), name=name)
        exchange.results.append(result)
        if not result.ok:
            traces.failed(span, str(result.result.get("code", "failed")))
    seconds = round(time.monotonic() - began, 3)
    return ToolDone(
        call_id=call_id, name=name, ok=result.ok, summary=result.summary, result=result.result, seconds=seconds
    )


def call_tool(exchange: Exchange, name: str, arguments: dict[str, Any]) -> ToolResult:
    """The result of a tool. Whatever goes wrong is one as well, {code, message, hint}; nothing is raised."""
    try:
        return result_of(_card(exchange, name, arguments))
    except TunewrightError as error:
        return result_of(Problem.of(error))
    except OSError as error:  # a file that went away meanwhile, a full disk
        problem = InputError("file", f"{short(str(error))}.", "Look at the file.", code="os_error")
        return result_of(Problem.of(problem))


def _card(exchange: Exchange, name: str, arguments: dict[str, Any]) -> BaseModel:
    called, override = verb(name, exchange.verbs), OVERRIDES.get(name)
    if override is not None:
        return override(exchange, **dict(called.validated(arguments, arguments_of(override))))
    form = called.validated(arguments)
    if called.about_a_study:
        form = form.model_copy(update={"study": exchange.study(form.study)})
    if called.effect not in LOOKS:
        _require_the_person(exchange, called, form)
    return called.run(exchange.desk, form)


def _require_the_person(exchange: Exchange, called: Verb, form: Any) -> None:
    """Raises InputError where the person has not asked for this: a model's wish is not enough."""
    out, study, word = getattr(form, "out", None), getattr(form, "study", None), called.name.partition("_")[0]
    if out is not None and not any(out in words for words in exchange.said):
        raise InputError("out", "the person has not named this directory.", "Leave it out, or ask.", code="not_said")
    if not exchange.permits(called.name, study):
        raise InputError(
            "study",
            f"only the person can have study {study} be changed, and they have not asked to {word} it.",
            f'Tell them: if they want it, they say "{word} study {study}".',
            code="ask_the_person",
        )

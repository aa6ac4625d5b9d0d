"""The verbs as a conversation's tools: they mean its study, and change only what the person asked to have changed."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from agent.desk.cards import BudgetStanding, Problem
from agent.desk.chat.exchange import Exchange, Tool
from agent.desk.chat.planning import PLANNING, Override
from agent.desk.chat.results import ToolResult, result_of
from agent.desk.tools import VERBS, Effect, OfStudy, Verb, verb
from agent.desk.words import words_of
from agent.errors import InputError, TunewrightError
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


def study_budget(exchange: Exchange, given: OfStudy) -> Spending:
    """What a study has spent and may spend: trials, time, LLM tokens and dollars; and this conversation's tokens."""
    memory = exchange.memory
    study = None
    if given.study is not None or exchange.desk.store.studies():
        study = verb("study_budget").run(exchange.desk, OfStudy(study=exchange.study(given.study)))
    return Spending.model_validate(
        {
            "study": study,
            "llm_tokens_used": memory.tokens_used,
            "llm_tokens_limit": None if memory.llm == "embedded" else MAX_CHAT_TOKENS,
            "llm_usd_used": memory.usd_used,
        }
    )


OVERRIDES = PLANNING | {"study_budget": Override(OfStudy, study_budget)}


class Toolbox:
    """The tools of a conversation: each verb by its name."""

    def __init__(self, verbs: Sequence[Verb] = VERBS) -> None:
        self._verbs = tuple(verbs)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """All of them, with what they are for and what they take."""
        return tuple(map(_tool, self._verbs))

    def call(self, exchange: Exchange, name: str, arguments: dict[str, Any]) -> ToolResult:
        """Call a tool. Whatever goes wrong with it is a result as well, {code, message, hint}; nothing is raised."""
        try:
            return result_of(self._card(exchange, name, arguments))
        except TunewrightError as error:
            return result_of(Problem.of(error))
        except OSError as error:  # a file that went away meanwhile, a full disk
            problem = InputError("file", f"{short(str(error))}.", "Look at the file.", code="os_error")
            return result_of(Problem.of(problem))

    def _card(self, exchange: Exchange, name: str, arguments: dict[str, Any]) -> BaseModel:
        chosen = verb(name, self._verbs)
        override = OVERRIDES.get(name)
        if override is not None:
            return override.run(exchange, chosen.validated(arguments, override.arguments))
        given = chosen.validated(arguments)
        if chosen.about_a_study:
            given = given.model_copy(update={"study": exchange.study(given.study)})
        if chosen.effect not in LOOKS:
            _require_the_person(exchange, chosen, given)
        return chosen.run(exchange.desk, given)


def _tool(called: Verb) -> Tool:
    override = OVERRIDES.get(called.name)
    if override is not None:
        return Tool(called.name, " ".join((override.run.__doc__ or "").split()), override.arguments)
    asked = "" if called.effect in LOOKS else " Works only if the person asked for it."
    return Tool(called.name, called.doc + asked, called.arguments)


def _require_the_person(exchange: Exchange, wanted: Verb, given: Any) -> None:
    """Raises InputError where the person has not asked for this: a model's wish is not enough."""
    out, study, word = getattr(given, "out", None), getattr(given, "study", None), wanted.name.partition("_")[0]
    if out is not None and not any(out in words for words in exchange.said):
        raise InputError("out", "the person has not named this directory.", "Leave it out, or ask.", code="not_said")
    if not exchange.permits(wanted.name, study):
        raise InputError(
            "study",
            f"only the person can have study {study} be changed, and they have not asked to {word} it.",
            f'Tell them: if they want it, they say "{word} study {study}".',
            code="ask_the_person",
        )

"""Plans in a conversation: made, changed and shown as its draft, and put up for the person's approval.

They take the place of the verbs of the same names: a draft that is not ready can be changed and answered here, what the
LLM put in is marked as the LLM's, and `start_study` starts nothing.
"""

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel

from agent.desk.cards import PlanCard
from agent.desk.chat.exchange import Exchange
from agent.desk.chat.happenings import ApprovalAsked
from agent.desk.chat.wishes import names_a_job
from agent.desk.planning import is_hash_of
from agent.desk.tools import Answers, PlanHash, Request, Words, says
from agent.desk.words import words_of
from agent.errors import InputError
from agent.request.draft import Draft, answered
from agent.request.markup import short
from agent.request.plan import Plan, copied
from agent.request.plan_rows import HASH_SHOWN
from agent.request.read import read_request
from trainers.spec import Closed, Intent

ChangeInWords = Annotated[Words, says('the change in the person\'s own words, such as "use rank 32 instead"')]
JOBS = (Intent.TRAIN, Intent.PLAN, Intent.UNSUPPORTED, None)


class Asked(Closed):
    """A plan was put up for approval. Nothing has started."""

    plan_hash: str
    waits_for: str = "the person's yes, no or change; nothing has started"


@words_of.register
def _(card: Asked) -> str:
    return f"Plan `{card.plan_hash}` waits for your yes, no or change."


def plan_study(exchange: Exchange, request: Request, answers: Answers = None) -> PlanCard:
    """Plan a fine-tuning study from the person's own words, letter by letter. Spends nothing and starts nothing.

    To answer an open question of the current plan, give the answer in `answers` by the question's field, and the
    person's words as `request`.
    """
    before = exchange.memory.draft
    if answers and before is not None:
        draft = before
        for field, reply in answers.items():
            draft = answered(draft, field, reply.strip())
        return _planned(exchange, "; ".join(answers.values()), draft, (), before)
    if _stands(exchange)[0] is not None and not names_a_job(read_request(request)):
        return edit_plan(exchange, request)
    return _planned(exchange, request, *exchange.desk.read(request, None, exchange.memory.llm), None)


def edit_plan(exchange: Exchange, text: ChangeInWords) -> PlanCard:
    """Change the current plan, or the one of the study that the conversation is about, in the person's own words.

    Spends nothing and starts nothing.
    """
    previous = _stands(exchange)[0]
    draft, calls = exchange.desk.read(text, previous, exchange.memory.llm)
    return _planned(exchange, text, draft, calls, previous)


def _planned(exchange: Exchange, words: str, draft: Draft, calls: tuple[int, ...], previous: Draft | None) -> PlanCard:
    memory = exchange.memory
    if draft.spec.intent not in JOBS:
        rule = f"this asks for {draft.spec.intent}, not for a new job."
        raise InputError("request", rule, "Use the tool of that name.", code="not_a_job")
    request = f"{_stands(exchange)[1].rstrip()}; {words.strip()}" if previous is not None else words
    honest = attributed(draft, previous, exchange.said)
    planned = exchange.desk.plan_draft(
        request,
        honest,
        before=_before(exchange) if previous is not None else None,
        llm=memory.llm,
        calls=calls,
        edited=previous is not None or honest != draft,
    )
    if planned.card.problem is not None and memory.plan is not None and memory.plan.ready and previous is not None:
        stands = "The plan before it still stands: change that one, or start it."  # a slip must not cost the plan
        return planned.card.model_copy(update={"notes": (stands, *planned.card.notes)})
    exchange.remember(request=request, draft=planned.draft, plan=planned.card, waiting=None)
    return planned.card


def show_plan(exchange: Exchange) -> PlanCard:
    """The current plan of this conversation, ready or not."""
    if exchange.memory.plan is None:
        raise InputError("plan", "there is no plan yet.", 'Say what to do, such as "classify tickets.csv".')
    return exchange.memory.plan


def start_study(exchange: Exchange, plan_hash: PlanHash) -> Asked:
    """Put the current plan up for the person's approval. It only asks: nothing starts before the person has said yes,
    and your turn ends with the call. Takes the hash that plan_study told.
    """
    plan = exchange.memory.plan
    if plan is None or plan.plan_hash is None:
        raise InputError(
            "plan_hash", "there is no plan that is ready to start.", "Plan it first, and settle what is open."
        )
    if not is_hash_of(plan.plan_hash, plan_hash):
        rule = f"{short(plan_hash, 80)!r} is not the hash of the current plan, {plan.plan_hash[:HASH_SHOWN]}."
        raise InputError("plan_hash", rule, "Show the current plan to the person first.", code="unknown_plan")
    exchange.remember(waiting=plan.plan_hash, asks=exchange.memory.asks + 1)
    exchange.asked = ApprovalAsked(plan_hash=plan.plan_hash, plan=plan)
    return Asked(plan_hash=plan.plan_hash[:HASH_SHOWN])


PLANNING: tuple[Callable[..., BaseModel], ...] = (plan_study, edit_plan, show_plan, start_study)


def _stands(exchange: Exchange) -> tuple[Draft | None, str]:
    """The draft that an edit would change, and the words behind it: this conversation's, else its study's."""
    memory = exchange.memory
    if memory.draft is not None:
        return memory.draft, memory.request
    if memory.study is None:
        return None, ""
    study = exchange.desk.study(memory.study)
    return copied(study.plan, study.study_id, study.cwd), study.plan.request


def _before(exchange: Exchange) -> Plan | None:
    """The plan that an edit is compared with; None where the one before was never ready."""
    memory = exchange.memory
    if memory.plan is not None:
        plan_hash = memory.plan.plan_hash
        return exchange.desk.store.kept_plan(plan_hash).plan if plan_hash else None
    return exchange.desk.study(memory.study).plan if memory.study else None


def attributed(draft: Draft, previous: Draft | None, utterances: tuple[str, ...]) -> Draft:
    """`draft` with only the person's own words as quotes.

    An LLM words the request it passes on. What it put in by itself is not the person's: such a value becomes an
    inferred one, which the plan shows as the LLM's.
    """
    earlier = {(q.field, q.quote) for q in previous.quotes} if previous is not None else set()
    speech = _plain(" ".join(utterances))
    foreign = [q for q in draft.quotes if (q.field, q.quote) not in earlier and _plain(q.quote) not in speech]
    if not foreign:
        return draft
    reasons = {q.field: f"put forward in the chat by the LLM: {short(q.quote, 80)!r}" for q in foreign}
    quotes = tuple(q for q in draft.quotes if q not in foreign)
    return draft.model_copy(update={"quotes": quotes, "inferred": {**draft.inferred, **reasons}})


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()

"""The tools `plan_study` and `start_study`: a plan from the person's words, and its way up for approval."""

import re
from typing import Any

from agent.desk.cards import PlanCard
from agent.desk.chat.arguments import PlanStudy, StartStudy
from agent.desk.chat.compact import compact, quoted, short
from agent.desk.chat.exchange import Exchange, Told
from agent.desk.chat.happenings import ApprovalAsked
from agent.desk.chat.results import DATA_NOTE, Asked
from agent.desk.chat.wishes import names_a_job
from agent.errors import InputError
from agent.request.answer import answered
from agent.request.copied import copied
from agent.request.draft import Draft
from agent.request.plan import Plan
from agent.request.read import read_request
from trainers.spec import Intent

JOBS = (Intent.TRAIN, Intent.PLAN, Intent.UNSUPPORTED, None)
HASH_SHOWN = 12


def plan_study(exchange: Exchange, given: PlanStudy) -> Told:
    """Plan a new job, change the current plan, answer its open question, or only show it."""
    memory = exchange.memory
    if not given.request.strip():
        if memory.plan is None:
            raise InputError("request", "there is no plan yet.", 'Say what to do, such as "classify tickets.csv".')
        return _told(memory.plan)
    new = given.new or (given.answers is None and names_a_job(read_request(given.request)))
    previous, said_before = (None, "") if new else _stands(exchange)
    draft, calls = _drafted(exchange, given, previous)
    if draft.spec.intent not in JOBS:
        rule = f"this asks for {draft.spec.intent}, not for a new job."
        raise InputError("request", rule, "Use the tool of that name.", code="not_a_job")
    joined = f"{said_before.rstrip()}; {given.request.strip()}" if said_before else given.request
    honest = attributed(draft, previous, exchange.said)
    planned = exchange.desk.plan_draft(
        joined,
        honest,
        before=_before(exchange) if previous else None,
        llm=memory.llm,
        calls=calls,
        edited=previous is not None or honest != draft,
    )
    if planned.card.problem is not None and memory.plan is not None and memory.plan.ready and previous is not None:
        stands = "The plan before it still stands: change that one, or start it."  # a slip must not cost the plan
        return _told(planned.card.model_copy(update={"notes": (stands, *planned.card.notes)}))
    exchange.remember(request=joined, draft=planned.draft, plan=planned.card, waiting=None)
    return _told(planned.card)


def start_study(exchange: Exchange, given: StartStudy) -> Told:
    """Put the current plan up for the person's approval. Starts nothing."""
    plan = exchange.memory.plan
    if plan is None or plan.plan_hash is None:
        raise InputError(
            "plan_hash", "there is no plan that is ready to start.", "Plan it first, and settle what is open."
        )
    hash_given = given.plan_hash.removeprefix("sha256:").lower()
    if len(hash_given) < 8 or not plan.plan_hash.startswith(hash_given):
        rule = f"{short(given.plan_hash, 80)!r} is not the hash of the current plan, {plan.plan_hash[:HASH_SHOWN]}."
        raise InputError("plan_hash", rule, "Show the current plan to the person first.", code="unknown_plan")
    exchange.remember(waiting=plan.plan_hash, asks=exchange.memory.asks + 1)
    exchange.asked = ApprovalAsked(plan_hash=plan.plan_hash, plan=plan)
    asked = Asked(plan_hash=plan.plan_hash[:HASH_SHOWN])
    return Told(asked, f"plan {asked.plan_hash} waits for approval", asked.model_dump())


def _stands(exchange: Exchange) -> tuple[Draft | None, str]:
    """The draft that an edit would change, and the words behind it: this conversation's, else its study's."""
    memory = exchange.memory
    if memory.draft is not None:
        return memory.draft, memory.request
    if memory.study is None:
        return None, ""
    study = exchange.desk.study(memory.study)
    return copied(study.plan, study.study_id, study.cwd), study.plan.request


def _drafted(exchange: Exchange, given: PlanStudy, previous: Draft | None) -> tuple[Draft, tuple[int, ...]]:
    if given.answers is not None and previous is not None:
        return answered(previous, given.answers, given.request.strip()), ()
    return exchange.desk.read(given.request, previous, exchange.memory.llm)


def _before(exchange: Exchange) -> Plan | None:
    """The plan that an edit is compared with; None where the one before was never ready."""
    memory = exchange.memory
    if memory.plan is not None:
        known = memory.plan.plan_hash
        return exchange.desk.store.kept_plan(known).plan if known else None
    return exchange.desk.study(memory.study).plan if memory.study else None


def attributed(draft: Draft, previous: Draft | None, said: tuple[str, ...]) -> Draft:
    """`draft` with only the person's own words as quotes.

    An LLM words the request it passes on. What it put in by itself is not the person's: such a value becomes an
    inferred one, which the plan shows as the LLM's.
    """
    known = {(q.field, q.quote) for q in previous.quotes} if previous is not None else set()
    spoken = _plain(" ".join(said))
    foreign = [q for q in draft.quotes if (q.field, q.quote) not in known and _plain(q.quote) not in spoken]
    if not foreign:
        return draft
    reasons = {q.field: f"put forward in the chat by the LLM: {short(q.quote, 80)!r}" for q in foreign}
    kept = tuple(q for q in draft.quotes if q not in foreign)
    return draft.model_copy(update={"quotes": kept, "inferred": {**draft.inferred, **reasons}})


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()


def _told(card: PlanCard) -> Told:
    state = card.plan_hash[:HASH_SHOWN] if card.plan_hash else "not ready"
    if card.problem is not None:
        state = short(card.problem.message, 120)
    elif card.questions:
        state = f"open: {', '.join(q.field for q in card.questions)}"
    return Told(card, f"plan {state}", plan_result(card))


def plan_result(card: PlanCard) -> dict[str, Any]:
    """A plan as a tool result. Column names and labels in it are somebody's data."""
    shown = card.model_dump(mode="json", exclude={"request", "understood", "data", "searched", "questions", "changed"})
    if card.plan_hash:
        shown["plan_hash"] = card.plan_hash[:HASH_SHOWN]
    shown["understood"] = {
        line.name: {"value": _value(line.name, line.value), "origin": short(line.origin, 80)}
        for line in card.understood
    }
    shown["data"] = {line.name: quoted(line.value, 160) for line in card.data}
    shown["searched"] = {line.name: f"{line.value}; {line.origin}" for line in card.searched}
    shown["changed"] = {line.name: f"{quoted(line.value)}, was {quoted(line.origin)}" for line in card.changed}
    shown["questions"] = [
        {"field": q.field, "question": short(q.question), "suggestion": quoted(q.suggestion) if q.suggestion else None}
        for q in card.questions
    ]
    shown["notes"] = [short(note, 200) for note in card.notes[:6]]
    return compact(shown | {"about_quotes": DATA_NOTE})


def _value(name: str, value: str) -> str:
    return quoted(value) if name == "columns" else short(value, 120)

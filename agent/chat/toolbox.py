"""The tools of a conversation: small typed arguments, small results. Grows from here."""

from typing import Any

from agent.chat.exchange import Exchange
from agent.chat.happenings import ApprovalAsked
from agent.desk.cards import Problem
from agent.errors import InputError, TunewrightError

Outcome = tuple[bool, str, dict[str, Any]]


def call_tool(exchange: Exchange, name: str, arguments: dict[str, Any]) -> Outcome:
    """Call the tool `name`: (whether it worked, the result in a line, the result as JSON)."""
    try:
        if name == "plan_study":
            return True, *_plan(exchange, **arguments)
        if name == "start_study":
            return True, *_ask(exchange)
        if name == "status":
            card = exchange.desk.status(exchange.memory.study)
            return True, f"study {card.study}: {card.state_words}", card.model_dump(mode="json")
    except TunewrightError as error:
        problem = Problem(code=error.code, message=str(error), hint=getattr(error, "hint", None))
        return False, problem.message, problem.model_dump(mode="json", exclude_none=True)
    return False, f"no tool {name}", {"code": "no_tool", "message": f"there is no tool {name}."}


def _plan(exchange: Exchange, request: str) -> tuple[str, dict[str, Any]]:
    memory, desk = exchange.memory, exchange.desk
    if memory.draft is None:
        planned = desk.plan(request, llm=memory.llm)
    else:
        planned = desk.edit(memory.request, memory.draft, request, llm=memory.llm)
    card = planned.card
    exchange.remember(request=card.request, draft=planned.draft, plan=card, waiting=None, started=None)
    shown = card.plan_hash[:12] if card.plan_hash else "not ready"
    return f"plan {shown}", card.model_dump(mode="json", exclude_none=True)


def _ask(exchange: Exchange) -> tuple[str, dict[str, Any]]:
    plan = exchange.memory.plan
    if plan is None or plan.plan_hash is None:
        raise InputError("plan_hash", "there is no plan that is ready.", "Plan first.")
    exchange.remember(waiting=plan.plan_hash, asks=exchange.memory.asks + 1)
    exchange.asked = ApprovalAsked(plan_hash=plan.plan_hash, plan=plan)
    return f"plan {plan.plan_hash[:12]} waits for approval", {"plan_hash": plan.plan_hash, "waits_for": "the person"}

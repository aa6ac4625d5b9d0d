"""Each verb as a tool: its card for programs with what the study has spent, the same in words for a model to read."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from inspect import Parameter, Signature
from typing import Annotated, Any

import anyio.to_thread
from mcp_types import CallToolResult, ContentBlock, ResourceLink, TextContent, ToolAnnotations
from pydantic import BaseModel, Field, create_model

from agent.desk.cards import BudgetCard, PlanCard, ReportCard, StartedStudy, StudyCard, WaitedStudy
from agent.desk.tools import Effect, StudyId, Verb
from agent.desk.words import budget_text, words_of
from agent.faces.mcp.approval import Approval, require_yes
from agent.faces.mcp.resources import report_uris
from agent.faces.mcp.served import Ctx, desk_of, teller

TEXT_CHARACTERS = 3500
"""Under a thousand tokens."""
LOOK_SECONDS = 2.0


def _hints(looks: bool, outside: bool, destructive: bool = False) -> ToolAnnotations:
    return ToolAnnotations(
        read_only_hint=looks, destructive_hint=destructive, idempotent_hint=True, open_world_hint=outside
    )


HINTS = {
    Effect.LOOKS: _hints(looks=True, outside=False),
    Effect.LOOKS_OUTSIDE: _hints(looks=True, outside=True),
    Effect.WRITES: _hints(looks=False, outside=False),
    Effect.SPENDS: _hints(looks=False, outside=True),
    Effect.HALTS: _hints(looks=False, outside=False),
    Effect.STOPS: _hints(looks=False, outside=False, destructive=True),
}


def as_function(verb: Verb) -> Callable[..., Any]:
    """The verb as a function that the SDK reads: an argument for each field, its result by name."""
    reply = reply_of(verb)

    async def call(ctx: Ctx, **arguments: Any) -> CallToolResult:
        if "approval" in arguments:
            require_yes(arguments.pop("approval"))
        return await _called(ctx, verb, reply, arguments)

    parameters = [_parameter("ctx", Ctx), *_parameters(verb)]
    if verb.name == "start_study":
        parameters.append(_parameter("approval", Approval))
    returns = Annotated[CallToolResult, reply]
    call.__name__ = verb.name
    call.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": returns}
    call.__signature__ = Signature(parameters, return_annotation=returns)  # type: ignore[attr-defined]
    return call


def _parameter(name: str, annotation: Any, default: Any = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def _parameters(verb: Verb) -> Iterator[Parameter]:
    """One an argument. Who changes a study must name it: the latest may be somebody else's."""
    for name, field in verb.arguments.model_fields.items():
        if name == "study" and verb.effect not in (Effect.LOOKS, Effect.LOOKS_OUTSIDE):
            yield _parameter(name, Annotated[StudyId, Field(description="its id, such as 3")])
        else:
            default = Parameter.empty if field.is_required() else field.default
            yield _parameter(name, Annotated[field.annotation, field], default)


def reply_of(verb: Verb) -> type[BaseModel]:
    """The card of the verb; where it is about a study, with its budget."""
    more: dict[str, Any] = {"resources": (tuple[str, ...], ...)} if issubclass(verb.card, ReportCard) else {}
    if (verb.about_a_study or "study" in verb.card.model_fields) and not issubclass(verb.card, BudgetCard):
        more["budget"] = (BudgetCard, ...)
    return create_model(f"{verb.card.__name__}Reply", __base__=verb.card, __doc__=verb.card.__doc__, **more)


async def _called(ctx: Ctx, verb: Verb, reply: type[BaseModel], arguments: dict[str, Any]) -> CallToolResult:
    desk, form = desk_of(ctx), verb.arguments(**arguments)
    if verb.about_a_study:
        study = await anyio.to_thread.run_sync(desk.study, arguments["study"])
        form = form.model_copy(update={"study": study.study_id})
    card = await _carried_out(ctx, verb, form)
    more: dict[str, Any] = {"resources": tuple(report_uris(card.study))} if isinstance(card, ReportCard) else {}
    if "budget" in reply.model_fields:
        study_id = getattr(card, "study", None) or getattr(form, "study", None)
        more["budget"] = await anyio.to_thread.run_sync(desk.budget, study_id)
    return tool_result(card, reply(**dict(card), **more), more.get("budget"))


async def _carried_out(ctx: Ctx, verb: Verb, form: Any) -> BaseModel:
    """The verb's card; a long call is joined by asking again. Raises StillWorking and what the verb raises."""
    if verb.name == "wait_study":
        return await _waited(ctx, form.study, form.timeout_seconds)
    run = partial(verb.run, desk_of(ctx), form)
    if not verb.doing:
        return await anyio.to_thread.run_sync(run)
    key = (verb.name, form.model_dump_json())
    return await ctx.request_context.lifespan_context.work.done(key, run, verb.doing, teller(ctx))


async def _waited(ctx: Ctx, study: str, timeout_seconds: float) -> WaitedStudy:
    """Waits in short looks, so that a client that gave up is not waited for and one that listens is told."""
    desk, tell, began = desk_of(ctx), teller(ctx), time.monotonic()
    while True:
        look = min(LOOK_SECONDS, max(0.0, timeout_seconds - (time.monotonic() - began)))
        card = await anyio.to_thread.run_sync(partial(desk.wait, study, look), abandon_on_cancel=True)
        seconds = time.monotonic() - began
        if card.over or seconds >= timeout_seconds:
            return WaitedStudy(**dict(card), still_running=not card.over)
        await tell(seconds, f"study {card.study} {card.state_words}, {card.trials_over} of {card.trials_limit} trials")


def tool_result(card: BaseModel, reply: BaseModel, budget: BudgetCard | None) -> CallToolResult:
    """A result: words for a model to read, `reply` for a program."""
    before, after = _around(card)
    tail = "\n\n".join(part for part in (budget_text(budget) if budget else "", after) if part)
    room = TEXT_CHARACTERS - len(before) - len(tail) - 4
    words = words_of(card)
    body = words if len(words) <= room else f"{words[: room - 1]}…"
    content: list[ContentBlock] = [TextContent(text="\n\n".join(part for part in (before, body, tail) if part))]
    if isinstance(card, ReportCard):
        content += [
            ResourceLink(name=f"study-{card.study}-{uri.rsplit('/', 1)[-1]}", uri=uri, mime_type=kind)
            for uri, kind in report_uris(card.study).items()
        ]
    return CallToolResult(content=content, structured_content=reply.model_dump(mode="json", by_alias=True))


def _around(card: BaseModel) -> tuple[str, str]:
    """What an agent is told before and after the card: how it stands, and which tool comes next."""
    match card:
        case PlanCard(plan_hash=str() as plan_hash):
            start = f'If they approve it: start_study(plan_hash="{plan_hash}"). To change it: edit_plan.'
            return "Ready; nothing is spent yet.", f"Show this to the person. {start}"
        case PlanCard(questions=(_, *_)):
            return "Not ready.", "Ask the person, then call plan_study again with answers {field: answer}."
        case PlanCard():
            return "Not ready.", ""
        case StartedStudy():
            before = "This plan had been started before; nothing was started now." if card.already else "Queued."
            return before, _follow(card)
        case WaitedStudy(still_running=True):
            return "Still running; call wait_study again.", ""
    return "", ""


def _follow(card: StudyCard) -> str:
    if card.over:
        return "It is over: study_report, or resume_study where it was stopped."
    return f'Follow it with wait_study(study="{card.study}") or study_events(study="{card.study}", after=...).'

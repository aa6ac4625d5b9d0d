"""The tools that lead to a study: look at data, plan, change the plan, start it."""

from functools import partial
from typing import Annotated

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Elicit, Resolve
from mcp_types import CallToolResult
from pydantic import BaseModel, Field

from agent.desk.cards import PlanCard
from agent.desk.desk import Desk, Planned
from agent.desk.plans import plan_card
from agent.errors import NeedsAnswer
from agent.faces.mcp.replies import DataReply, StartReply, data_reply, more_than, told
from agent.faces.mcp.served import Ctx, PlanHash, desk_of, teller, work_of
from agent.faces.mcp.words import budget_words, data_words, lines, plan_words, study_words
from agent.request.draft import Overrides
from agent.request.plan_rows import duration
from agent.request.spec_file import is_spec_file
from tools.paths import confined
from trainers.spec import Task

Words = Annotated[str, Field(min_length=1, max_length=20_000)]
Source = Annotated[str, Field(min_length=1, max_length=4096)]


async def profile_data(
    data: Annotated[Source, Field(description="path of a file, or id of a data set of the hub")],
    ctx: Ctx,
    task: Annotated[
        Task | None, Field(description="what it is for, where that cannot be told from its columns")
    ] = None,
) -> Annotated[CallToolResult, DataReply]:
    """What a data set holds, by counts: rows, columns, classes, splits, token lengths. No rows are shown.

    Use it before planning, to name the right columns.
    """
    desk = desk_of(ctx)
    call = partial(desk.profile_data, data, task)
    card = data_reply(await work_of(ctx).done(("profile", data, task), call, "reading the data", teller(ctx)))
    return told(card, data_words(card))


async def plan_study(
    request: Annotated[Words, Field(description="the job in the person's own words, or the path of a spec file")],
    ctx: Ctx,
    data: Annotated[
        Source | None, Field(description="training data: a file or a hub id, if the request names none")
    ] = None,
    trials: Annotated[int | None, Field(description="how many configurations to try")] = None,
    seconds: Annotated[float | None, Field(description="wall time of the whole study")] = None,
    answers: Annotated[
        dict[str, str] | None,
        Field(max_length=20, description="answers to the questions of an earlier reply, by their field"),
    ] = None,
) -> Annotated[CallToolResult, PlanCard]:
    """Plan a fine-tuning study from a request in plain language. Spends nothing and starts nothing.

    Give the person's own words; what they did not say is a default, marked as one. The reply tells what was understood,
    what will be searched, and time and memory it will take. If it asks questions, ask the person and call again with
    `answers`. Show the plan to the person: its plan_hash is what start_study takes.
    """
    desk, flags = desk_of(ctx), Overrides(data=data, trials=trials, seconds=seconds)
    key = ("plan", request, flags, tuple(sorted((answers or {}).items())))
    call = partial(_planned, desk, request, answers or {}, flags)
    return _plan_told((await work_of(ctx).done(key, call, "planning", teller(ctx))).card)


async def edit_plan(
    plan_hash: PlanHash, text: Annotated[Words, Field(description='such as "use rank 32 instead"')], ctx: Ctx
) -> Annotated[CallToolResult, PlanCard]:
    """Plan again with a change in words, such as "20 trials" or "use rank 32 instead". Starts nothing.

    The result is another plan with another hash; `changed` tells what differs. The first one can still be started.
    """
    desk = desk_of(ctx)
    call = partial(desk.edit_plan, plan_hash, text)
    return _plan_told((await work_of(ctx).done(("edit", plan_hash, text), call, "planning", teller(ctx))).card)


def _planned(desk: Desk, request: str, answers: dict[str, str], flags: Overrides) -> Planned:
    if is_spec_file(request):
        confined("request", request.strip(), desk.settings.roots)
    return desk.answer(request, answers, flags) if answers else desk.plan(request, flags)


def _plan_told(card: PlanCard) -> CallToolResult:
    next_step = (
        f'Show this to the person. If they approve it: start_study(plan_hash="{card.plan_hash}"). '
        "To change it: edit_plan."
    )
    return told(card, lines([plan_words(card), next_step if card.plan_hash else None]))


class Confirmation(BaseModel):
    """What the form asks the person."""

    start: bool = Field(True, title="Start this study", description="It uses this machine until it is done or stopped.")


def confirmed(plan_hash: str, idempotency_key: str | None, ctx: Ctx) -> Confirmation | Elicit[Confirmation]:
    """Asks the person, where their client can show a form and nothing has been started yet.

    Otherwise the plan hash is the approval. Raises InputError for an unknown hash.
    """
    desk = desk_of(ctx)
    kept = desk.store.kept_plan(plan_hash)
    already = desk.store.submission(key=_key(idempotency_key, kept.plan_hash)) is not None
    if already or not _shows_forms(ctx):
        return Confirmation(start=True)
    card = plan_card(kept.plan)
    takes = f" It takes about {duration(card.seconds_p50)}." if card.seconds_p50 is not None else ""
    return Elicit(f"Start this study?{takes}\n\n{plan_words(card)}", Confirmation)


def _shows_forms(ctx: Ctx) -> bool:
    declared = ctx.client_capabilities.elicitation if ctx.client_capabilities is not None else None
    if declared is None or (declared.form is None and declared.url is not None):
        return False
    return ctx.session.can_send_request or (ctx.protocol_version or "") >= "2026"  # asked for in the reply since then


async def start_study(
    plan_hash: PlanHash,
    ctx: Ctx,
    approval: Annotated[ElicitationResult[Confirmation], Resolve(confirmed)],
    idempotency_key: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="the same key always stands for the same study; give a new one to run the same plan once more",
        ),
    ] = None,
) -> Annotated[CallToolResult, StartReply]:
    """Start an approved plan. SPENDS GPU OR CPU HOURS of this machine, and LLM tokens where a planner LLM is used.

    Only call it after the person has seen the plan and agreed: giving its hash is the approval. Returns at once; the
    study is queued and runs on by itself, also when this client or server ends. Follow it with wait_study or
    study_events. Calling again with the same hash gives the same study and starts nothing (another idempotency_key
    would run the plan once more).
    """
    if not isinstance(approval, AcceptedElicitation) or not approval.data.start:
        raise NeedsAnswer("the person did not agree to start it; nothing was started. Ask what should be different.")
    desk = desk_of(ctx)
    kept = desk.store.kept_plan(plan_hash)
    key = _key(idempotency_key, kept.plan_hash)
    already = desk.store.submission(key=key) is not None
    call = partial(desk.start, kept.plan_hash, face="mcp", key=key)
    study = await work_of(ctx).done(("start", key), call, "preparing the data", teller(ctx))
    card = more_than(StartReply, study, already=already, budget=desk.budget(study.study))
    head = "This plan had been started before; nothing was started now." if already else "Queued."
    return told(card, lines([head, study_words(card), budget_words(card.budget), _follow(card)]))


def _key(given: str | None, plan_hash: str) -> str:
    return given if given is not None else f"mcp:{plan_hash}"


def _follow(card: StartReply) -> str:
    if card.over:
        return "It is over: study_report, or resume_study where it was stopped."
    return f'Follow it with wait_study(study="{card.study}") or study_events(study="{card.study}", after=...).'

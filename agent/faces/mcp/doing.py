"""The tools that wait for a study, stop it, go on with it, and ask its model."""

import time
from functools import partial
from typing import Annotated

import anyio.to_thread
from mcp_types import CallToolResult
from pydantic import Field

from agent.desk.cards import StudyCard
from agent.desk.chat.compact import quoted, short
from agent.faces.mcp.replies import AnswerReply, StudyReply, WaitReply, more_than, told
from agent.faces.mcp.served import Ctx, Study, StudyId, desk_of, teller, work_of
from agent.faces.mcp.words import budget_words, lines, study_words

LONGEST_WAIT = 50.0
LOOK_SECONDS = 2.0
ANSWER_CHARACTERS = 3000


async def wait_study(
    ctx: Ctx,
    study: Study = None,
    timeout_seconds: Annotated[float, Field(gt=0, le=LONGEST_WAIT)] = 30.0,
) -> Annotated[CallToolResult, WaitReply]:
    """Wait until a study is over, 50 seconds at most. "Still running" is a normal answer: call again.

    Waiting costs nothing and stopping to wait stops nothing.
    """
    desk = desk_of(ctx)
    study_id = (await anyio.to_thread.run_sync(desk.study, study)).study_id
    tell, began = teller(ctx), time.monotonic()
    while True:
        seconds = time.monotonic() - began
        look = min(LOOK_SECONDS, max(0.0, timeout_seconds - seconds))
        card = await anyio.to_thread.run_sync(partial(desk.wait, study_id, look), abandon_on_cancel=True)
        if card.over or time.monotonic() - began >= timeout_seconds:
            break
        words = f"study {study_id} {card.state_words}, {card.trials_over} of {card.trials_limit} trials"
        await tell(time.monotonic() - began, words)
    budget = await anyio.to_thread.run_sync(desk.budget, study_id)
    reply = more_than(WaitReply, card, still_running=not card.over, budget=budget)
    head = "" if card.over else "Still running; call wait_study again."
    return told(reply, lines([head, study_words(reply), budget_words(budget)]))


def cancel_study(study: StudyId, ctx: Ctx) -> Annotated[CallToolResult, StudyReply]:
    """Stop a study and take it off the queue. What is finished is kept, and resume_study goes on from there."""
    return _after(ctx, desk_of(ctx).cancel(study))


def pause_study(study: StudyId, ctx: Ctx) -> Annotated[CallToolResult, StudyReply]:
    """Stop a study but keep its place in the queue until resume_study. Finished trials are kept."""
    return _after(ctx, desk_of(ctx).pause(study))


def resume_study(study: StudyId, ctx: Ctx) -> Annotated[CallToolResult, StudyReply]:
    """Go on with a paused, cancelled or failed study. SPENDS GPU OR CPU HOURS, up to the budget of its approved plan.

    Finished trials are not run again. Returns at once.
    """
    return _after(ctx, desk_of(ctx).resume(study))


def _after(ctx: Ctx, card: StudyCard) -> CallToolResult:
    reply = more_than(StudyReply, card, budget=desk_of(ctx).budget(card.study))
    return told(reply, lines([study_words(reply), budget_words(reply.budget)]))


async def ask_model(
    study: StudyId,
    prompt: Annotated[str, Field(min_length=1, max_length=20_000)],
    ctx: Ctx,
    max_new_tokens: Annotated[int, Field(ge=1, le=512)] = 128,
) -> Annotated[CallToolResult, AnswerReply]:
    """Ask the model that a finished study tuned: its text, or class probabilities. Takes about ten seconds.

    The model is loaded for each question; if that takes too long, call again with the same arguments.
    """
    desk = desk_of(ctx)
    found = await anyio.to_thread.run_sync(desk.study, study)
    call = partial(desk.generate, found.study_id, prompt, max_new_tokens)
    key = ("ask", found.study_id, prompt, max_new_tokens)
    answer = await work_of(ctx).done(key, call, "loading the model", teller(ctx))
    text, shares = answer.text[:ANSWER_CHARACTERS], {short(k, 60): p for k, p in answer.probabilities.items()}
    top = sorted(shares.items(), key=lambda item: -item[1])[:10]
    reply = AnswerReply(study=found.study_id, text=text, probabilities=dict(top), budget=desk.budget(found.study_id))
    said = "; ".join(f"{quoted(name)} {share:.1%}" for name, share in top) or f"The model says: {text}"
    return told(reply, lines([said, budget_words(reply.budget)]))

"""`/v1/studies`: start by plan hash, look, stop, go on, ask the model."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field
from starlette.responses import JSONResponse

from agent.desk.cards import (
    BudgetCard,
    Comparison,
    EventPage,
    Explanation,
    LlmCallCard,
    PlanCard,
    StudyCard,
    TrialCard,
)
from agent.errors import InputError
from agent.report.model import Report
from agent.server.fields import Answers, Name, PathName, Words
from agent.server.plans import PlanRequest, planned
from agent.server.problems import Told
from agent.server.service import Service
from agent.server.sse import MEDIA_TYPE, event, model_event, stream
from agent.server.status import FRESH_SECONDS
from agent.store import Store
from agent.study import StudyEvent
from tools.evaluate import Evaluation
from tools.generate import Answer
from trainers.spec import Closed, CurvePoint

StudyId = Annotated[str, Path(max_length=20, description="the study's number")]
TrialNumber = Annotated[int, Path(ge=0, le=10**9)]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="the same key starts the same study"),
]
PAGE = 500


class StartRequest(Closed):
    """A plan that is approved by its hash; or a request that is planned first."""

    plan_hash: Name | None = None
    request: Words | None = None
    data: PathName | None = None
    trials: int | None = None
    seconds: float | None = None
    llm: Name | None = None
    answers: Answers = {}
    yes: bool = Field(False, description="with `request`: approve whatever plan it gives")


class ToApprove(Closed):
    """How to approve: POST /v1/studies with this."""

    plan_hash: str


class Waiting(Closed):
    """A plan that waits for approval."""

    plan: PlanCard
    approve: ToApprove


class NotReady(Closed):
    """What keeps a plan from being carried out, and the plan."""

    error: Told
    plan: PlanCard


class StudyList(Closed):
    """Studies, newest first."""

    data: tuple[StudyCard, ...]


class TrialList(Closed):
    """Trials by number."""

    data: tuple[TrialCard, ...]


class Prompt(Closed):
    """What a finished study's model is asked."""

    prompt: Words
    max_new_tokens: int = Field(128, ge=1, le=32_768)


class Scoring(Closed):
    """What a finished study's model is scored on."""

    data: PathName
    metric: Name | None = None
    max_rows: int | None = Field(None, ge=1)


def open_points(card: PlanCard) -> Told:
    """Why a plan is not ready, as an error."""
    if card.problem is not None:
        found = card.problem
        return Told(code=found.code, message=found.message, param=found.param, hint=found.hint)
    first = next(iter(card.questions), None)
    if first is None:
        return Told(code="nothing_to_start", message="the request asks for no training.", param="request")
    hint = f'Answer in "answers": {{"{first.field}": ...}}, or say it in the request.'
    if first.suggestion:
        hint = f"Suggestion: {first.suggestion}. {hint}"
    return Told(code="needs_answer", message=first.question, param=first.field, hint=hint)


def study_routes(service: Service) -> APIRouter:
    """The routes over one desk."""
    routes = APIRouter(prefix="/v1/studies", tags=["studies"])
    _starting(routes, service)
    _looking(routes, service)
    _control(routes, service)
    return routes


def _starting(routes: APIRouter, service: Service) -> None:
    desk = service.desk

    @routes.post("", status_code=201, summary="Start a study", response_model=StudyCard, responses=STARTED)
    def start_study(asked: StartRequest, response: Response, key: Key = None) -> Any:
        """With `plan_hash`: queue that plan and no other. With `request`: make the plan and wait for its approval.

        The same `Idempotency-Key` gives the same study, with 200 instead of 201.
        """
        if (asked.plan_hash is None) == (asked.request is None):
            raise InputError("plan_hash", "give a plan's hash or a request, one of them.", "POST /v1/plans first.")
        plan_hash = asked.plan_hash
        if plan_hash is None:
            fields = asked.model_dump(exclude={"plan_hash", "yes"})
            card = planned(service, PlanRequest.model_validate(fields)).card
            if card.plan_hash is None:
                body = NotReady(error=open_points(card), plan=card)
                return JSONResponse(body.model_dump(mode="json"), 400)
            if not asked.yes:
                waiting = Waiting(plan=card, approve=ToApprove(plan_hash=card.plan_hash))
                return JSONResponse(waiting.model_dump(mode="json"), 202)
            plan_hash = card.plan_hash
        replayed = key is not None and desk.store.submission(key=key) is not None
        with service.planning.one():
            study = desk.start(plan_hash, face="http", key=key)
        service.statuses.written()
        response.status_code = 200 if replayed else 201
        response.headers["location"] = f"/v1/studies/{study.study}"
        return study

    @routes.get("", summary="Studies, newest first")
    def list_studies(limit: Annotated[int, Query(ge=1, le=500)] = 50) -> StudyList:
        """Where each stands."""
        return StudyList(data=tuple(desk.status(study) for study in desk.store.study_ids()[::-1][:limit]))


STARTED: dict[int | str, dict[str, Any]] = {
    200: {"model": StudyCard, "description": "The study that this idempotency key has started before"},
    202: {"model": Waiting, "description": "The plan of the request, which waits for approval"},
}


def _looking(routes: APIRouter, service: Service) -> None:
    desk = service.desk

    @routes.get("/{study}", summary="Where a study stands")
    def look_at_study(study: StudyId) -> StudyCard:
        """Made to be polled: has an ETag, and answers If-None-Match with 304."""
        return desk.status(study)

    @routes.get("/{study}/trials", summary="Its trials")
    def trials(study: StudyId) -> TrialList:
        """By number, confirmation runs last."""
        return TrialList(data=tuple(desk.trials(study)))

    @routes.get("/{study}/trials/{trial}", summary="Why a trial has its configuration, and how it turned out")
    def trial(study: StudyId, trial: TrialNumber) -> Explanation:
        """With its learning curve."""
        return desk.explain(study, trial)

    @routes.get("/{study}/trials/{trial}/llm_call", summary="The planner LLM's call behind a trial")
    def llm_call(study: StudyId, trial: TrialNumber) -> LlmCallCard:
        """Prompt and reply in full; 404 where another proposer made the trial."""
        call = desk.llm_call(study, trial)
        if call is None:
            raise InputError("trial", f"no LLM proposed trial {trial}.", "See who did: GET the trial.", "not_found")
        return call

    @routes.get("/{study}/curves", summary="All learning curves")
    def curves(study: StudyId) -> dict[int, tuple[CurvePoint, ...]]:
        """Trial number to learning curve."""
        return desk.curves(study)

    @routes.get("/{study}/budget", summary="What it may spend and has spent")
    def budget(study: StudyId) -> BudgetCard:
        """Trials, time, LLM tokens and dollars."""
        return desk.budget(study)

    @routes.get("/{study}/compare", summary="Two configurations beside each other")
    def compare(
        study: StudyId,
        left: Annotated[int | None, Query(ge=0, description="trial; default: the best")] = None,
        right: Annotated[int | None, Query(ge=0, description="trial; default: the default configuration")] = None,
    ) -> Comparison:
        """On test rows where the study is done, else on validation."""
        return desk.compare(study, left, right)

    @routes.get("/{study}/events", summary="What happened", response_model=EventPage)
    async def events(
        request: Request,
        study: StudyId,
        after: Annotated[int, Query(ge=0, le=2**62, description="only events with a higher number")] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
        as_stream: Annotated[bool, Query(alias="stream")] = False,
        last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=20)] = None,
    ) -> Any:
        """A page as JSON; with `Accept: text/event-stream` or `stream=1` a stream that ends when the study is over."""
        if as_stream or MEDIA_TYPE in request.headers.get("accept", ""):
            return await event_stream(service, study, after, last_event_id)
        return await run_in_threadpool(desk.events, study, after, limit)

    @routes.get("/{study}/report", summary="The report of a finished study")
    def report(study: StudyId) -> Report:
        """409 while it is not done."""
        return desk.report(study)


async def event_stream(service: Service, study: str, after: int, last_event_id: str | None) -> Response:
    """The events after `after` as they come; 204, which tells a browser that reconnects to stop, where none will."""
    entry = await service.statuses.entry(study)
    if last_event_id is not None and last_event_id.isdigit():
        after = int(last_event_id)
        if entry.card.over and entry.card.last_event <= after:
            return Response(status_code=204)
    return stream(service, _events(service, study, after))


async def _events(service: Service, study: str, after: int) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"
    async for found in followed(service, study, after):
        yield model_event(found, found.seq)
    yield event('{"over": true}', name="end")


async def followed(service: Service, study: str, after: int) -> AsyncIterator[StudyEvent]:
    """Events as they come, until the study is over. Costs a look at the database only when that has changed."""
    seen: int | None = None
    while True:
        version = await service.statuses.version()
        over = (await service.statuses.entry(study)).card.over
        found: list[StudyEvent] = []
        if version != seen or over:
            found = await service.statuses.read(partial(Store.events, study_id=study, after=after, limit=PAGE))
            seen = version
        for one in found:
            after = one.seq
            yield one
        if over and not found:
            return
        if len(found) < PAGE and not over:
            await asyncio.sleep(FRESH_SECONDS)
        else:
            seen = None


def _control(routes: APIRouter, service: Service) -> None:
    desk = service.desk

    @routes.post("/{study}/cancel", summary="Stop a study")
    def cancel(study: StudyId) -> StudyCard:
        """What is finished stays, and `resume` goes on."""
        return _changed(service, desk.cancel(study))

    @routes.post("/{study}/pause", summary="Stop a study, keeping its place in the queue")
    def pause(study: StudyId) -> StudyCard:
        """Until `resume`."""
        return _changed(service, desk.pause(study))

    @routes.post("/{study}/resume", summary="Go on with a stopped study")
    def resume(study: StudyId) -> StudyCard:
        """Queues it; finished trials are not run again."""
        return _changed(service, desk.resume(study))

    @routes.post("/{study}/generate", summary="Ask the model of a finished study")
    def generate(study: StudyId, asked: Prompt) -> Answer:
        """Text, or class probabilities. Some seconds: the model is loaded."""
        with service.loading.one():
            return desk.generate(study, asked.prompt, asked.max_new_tokens)

    @routes.post("/{study}/evaluate", summary="Score the model of a finished study on labelled data")
    def evaluate(study: StudyId, asked: Scoring) -> Evaluation:
        """`data` is a path in the server's roots, a hub id, or a built-in set."""
        with service.loading.one():
            return desk.evaluate(study, asked.data, asked.metric, asked.max_rows)


def _changed(service: Service, card: StudyCard) -> StudyCard:
    service.statuses.written()
    return card

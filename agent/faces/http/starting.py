"""`POST /v1/studies`: a plan approved by its hash becomes a study; a request becomes a plan first."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import Field
from starlette.responses import JSONResponse

from agent.desk.cards import PlanCard, StudyCard
from agent.errors import InputError
from agent.faces.http.fields import Name, Words
from agent.faces.http.plans import PlanOptions, plan_of
from agent.faces.http.problems import ErrorDetail
from agent.faces.http.service import Service
from trainers.spec import Closed

Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="the same key starts the same study"),
]


class StartRequest(PlanOptions):
    """A plan that is approved by its hash; or a request that is planned first."""

    plan_hash: Name | None = None
    request: Words | None = None
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

    error: ErrorDetail
    plan: PlanCard


def open_points(card: PlanCard) -> ErrorDetail:
    """Why a plan is not ready, as an error."""
    if card.problem is not None:
        return ErrorDetail(**card.problem.model_dump())
    first = next(iter(card.questions), None)
    if first is None:
        return ErrorDetail(code="nothing_to_start", message="the request asks for no training.", param="request")
    hint = f'Answer in "answers": {{"{first.field}": ...}}, or say it in the request.'
    if first.suggestion:
        hint = f"Suggestion: {first.suggestion}. {hint}"
    return ErrorDetail(code="needs_answer", message=first.question, param=first.field, hint=hint)


def start_routes(service: Service) -> APIRouter:
    """The route over one desk."""
    routes, desk = APIRouter(prefix="/v1/studies", tags=["studies"]), service.desk

    @routes.post("", status_code=201, summary="Start a study", response_model=StudyCard, responses=STARTED)
    def start_study(form: StartRequest, response: Response, key: Key = None) -> Any:
        """With `plan_hash`: queue that plan and no other. With `request`: make the plan and wait for its approval.

        The same `Idempotency-Key` gives the same study, with 200 instead of 201.
        """
        if (form.plan_hash is None) == (form.request is None):
            raise InputError("plan_hash", "give a plan's hash or a request, one of them.", "POST /v1/plans first.")
        plan_hash = form.plan_hash or ""
        if form.request is not None:
            card = plan_of(service, form.request, form)
            if card.plan_hash is None:
                body = NotReady(error=open_points(card), plan=card)
                return JSONResponse(body.model_dump(mode="json"), 400)
            if not form.yes:
                waiting = Waiting(plan=card, approve=ToApprove(plan_hash=card.plan_hash))
                return JSONResponse(waiting.model_dump(mode="json"), 202)
            plan_hash = card.plan_hash
        replayed = key is not None and desk.store.submission(key=key) is not None
        with service.planning.one():
            study = desk.start(plan_hash, key=key)
        service.statuses.written()
        response.status_code = 200 if replayed else 201
        response.headers["location"] = f"/v1/studies/{study.study}"
        return study

    return routes


STARTED: dict[int | str, dict[str, Any]] = {
    200: {"model": StudyCard, "description": "The study that this idempotency key has started before"},
    202: {"model": Waiting, "description": "The plan of the request, which waits for approval"},
}

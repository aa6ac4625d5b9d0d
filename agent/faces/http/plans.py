"""`/v1/plans`: a request becomes a plan; nothing is spent. `POST /v1/studies`: an approved plan becomes a study."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from pydantic import Field
from starlette.responses import JSONResponse

from agent.desk.cards import PlanCard, StudyCard
from agent.desk.planning import plan_card
from agent.errors import InputError
from agent.faces.http.fields import Answers, Name, PathName, Words
from agent.faces.http.problems import ErrorDetail
from agent.faces.http.service import Service
from agent.request.draft import Overrides
from agent.request.spec_file import is_spec_file
from agent.settings import Settings
from tools.paths import confined
from trainers.spec import Closed

PlanHash = Annotated[str, Path(max_length=80, description="the plan's hash, or its first 8 characters or more")]

Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="the same key starts the same study"),
]


class PlanOptions(Closed):
    """What may stand beside a request."""

    data: PathName | None = Field(None, description="training data, where the request names none")
    trials: int | None = Field(None, description="how many configurations to try")
    seconds: float | None = Field(None, description="wall time of the whole study")
    llm: Name | None = Field(None, description="planner; default: the server's")
    answers: Answers = Field({}, description="answers to open questions, by their field")


class PlanRequest(PlanOptions):
    """What is to be planned."""

    request: Words = Field(description="in plain language, or the path of a spec file in the server's roots")


class Edit(Closed):
    """A change in words."""

    text: Words = Field(description='such as "use rank 32 instead"')


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


def plan_of(service: Service, request: str, options: PlanOptions) -> PlanCard:
    """The plan of a request. Raises InputError and PlannerFailed; Busy where too many plans are being made."""
    flags = Overrides(data=options.data, trials=options.trials, seconds=options.seconds)
    llm = service.planner(options.llm)
    check_spec_file(request, service.settings)
    with service.planning:
        return service.desk.plan(request, flags, llm, options.answers).card


def check_spec_file(request: str, settings: Settings) -> None:
    """Raises InputError where a request names a spec file that is not inside the roots."""
    if is_spec_file(request):
        confined("request", request.strip(), settings.roots)


def plan_routes(service: Service) -> APIRouter:
    """The routes over one desk."""
    routes = APIRouter(prefix="/v1/plans", tags=["plans"])

    @routes.post("", summary="Plan a request")
    def make_plan(form: PlanRequest) -> PlanCard:
        """What the request would do, from real data, model and machine. `plan_hash` is there once it is ready."""
        return plan_of(service, form.request, form)

    @routes.get("/{plan_hash}", summary="A plan made before")
    def look_at_plan(plan_hash: PlanHash) -> PlanCard:
        """A plan that waits for approval, or was approved."""
        return plan_card(service.desk.store.kept_plan(plan_hash).plan)

    @routes.post("/{plan_hash}/edits", summary="Plan again with a change")
    def edit_plan(plan_hash: PlanHash, edit: Edit) -> PlanCard:
        """Another plan, with another hash; `changed` says what differs. The first one can still be approved."""
        with service.planning:
            return service.desk.edit_plan(plan_hash, edit.text).card

    return routes


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
        with service.planning:
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

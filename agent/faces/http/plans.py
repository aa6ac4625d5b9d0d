"""`/v1/plans`: a request becomes a plan, a plan is edited in words. Nothing is spent."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from agent.desk.cards import PlanCard
from agent.desk.plans import plan_card
from agent.faces.http.fields import Answers, Name, PathName, Words
from agent.faces.http.service import Service
from agent.request.draft import Overrides
from agent.request.spec_file import is_spec_file
from agent.settings import Settings
from tools.paths import confined
from trainers.spec import Closed

PlanHash = Annotated[str, Path(max_length=80, description="the plan's hash, or its first 8 characters or more")]


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


def plan_of(service: Service, request: str, options: PlanOptions) -> PlanCard:
    """The plan of a request. Raises InputError and PlannerFailed; Busy where too many plans are being made."""
    flags = Overrides(data=options.data, trials=options.trials, seconds=options.seconds)
    llm = service.planner(options.llm)
    check_spec_file(request, service.settings)
    with service.planning.one():
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
        with service.planning.one():
            return service.desk.edit_plan(plan_hash, edit.text).card

    return routes

"""`/v1/verbs`: every verb of the desk under its own name, and a list of them for programs that choose by it."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from agent.desk.tools import VERBS, Effect, Verb
from agent.faces.http.fields import Listing, check_texts
from agent.faces.http.service import Service
from trainers.spec import Closed

LOAD_A_MODEL = frozenset({"ask_model", "evaluate_model", "export_study"})


class VerbCard(Closed):
    """A verb: what it is for, what it takes and gives."""

    name: str
    title: str
    description: str
    effect: Effect
    arguments: dict[str, Any] = Field(description="JSON schema of the body of POST /v1/verbs/NAME")
    result: dict[str, Any] = Field(description="JSON schema of its answer")


def verb_routes(service: Service, verbs: Sequence[Verb] = VERBS) -> APIRouter:
    """The list, and one route a verb."""
    routes = APIRouter(prefix="/v1/verbs", tags=["verbs"])
    cards = tuple(
        VerbCard(
            name=verb.name,
            title=verb.title,
            description=verb.doc,
            effect=verb.effect,
            arguments=verb.arguments.model_json_schema(),
            result=verb.card.model_json_schema(mode="serialization"),
        )
        for verb in verbs
    )

    @routes.get("", summary="All verbs, with what they take and give")
    def list_verbs() -> Listing[VerbCard]:
        """The same that chat, MCP and the command line have."""
        return Listing[VerbCard](data=cards)

    for verb in verbs:
        routes.add_api_route(
            f"/{verb.name}",
            _endpoint(service, verb),
            methods=["POST"],
            summary=verb.title,
            description=verb.doc,
            operation_id=verb.name,
            response_model=verb.card,
        )
    return routes


def _endpoint(service: Service, verb: Verb) -> Callable[..., BaseModel]:
    slots = service.loading if verb.name in LOAD_A_MODEL else service.verbs if verb.doing else None

    def carry_out(arguments: Any) -> BaseModel:
        check_texts(arguments.model_dump())
        with slots or nullcontext():
            card = verb.run(service.desk, arguments)
        if verb.effect not in (Effect.LOOKS, Effect.LOOKS_OUTSIDE):
            service.statuses.written()
        return card

    carry_out.__annotations__["arguments"] = verb.arguments  # what FastAPI reads and checks the body by
    return carry_out

"""`/v1/models`: base models that are known to work here, and what finished studies have made."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path

from agent.errors import InputError
from agent.faces.http.fields import Listing
from agent.faces.http.openai.shapes import epoch
from agent.faces.http.openai.view import form_of, model_name
from agent.faces.http.service import Service
from agent.study.nouns import StudyState
from trainers.embedded import MINILM, TINY_CAUSAL
from trainers.spec import Closed

AGENT_MODEL = "tunewright"
"""The name under which the agent itself answers."""
SINCE = 1_764_000_000


class Model(Closed):
    """A model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(Listing[Model]):
    """Models."""

    object: Literal["list"] = "list"


def model_routes(service: Service) -> APIRouter:
    """The routes over one desk."""
    routes = APIRouter(prefix="/v1/models", tags=["OpenAI: models and chat"])

    @routes.get("", summary="Models")
    def list_models() -> ModelList:
        """The agent, base models, and the models of finished studies. Any hub id can be named as a base."""
        return ModelList(data=tuple(models(service)))

    @routes.get("/{model:path}", summary="About a model")
    def retrieve(model: Annotated[str, Path(max_length=600)]) -> Model:
        """One of the list."""
        card = next((m for m in models(service) if m.id == model), None)
        if card is None:
            raise InputError("model", f"no model {model[:100]!r} is listed here.", "See GET /v1/models.", "not_found")
        return card

    return routes


def models(service: Service) -> list[Model]:
    """All that can be listed, newest tuned models last."""
    studies = service.desk.store.studies()
    bases = dict.fromkeys([MINILM, TINY_CAUSAL, *(study.spec.base_model for study in studies)])
    cards = [Model(id=AGENT_MODEL, created=SINCE, owned_by="tunewright")]
    cards += [Model(id=name, created=SINCE, owned_by="base") for name in bases]
    for study in studies:
        if study.state is StudyState.DONE:
            name = model_name(study, form_of(study, service.desk.store).suffix)
            cards.append(Model(id=name, created=epoch(study.finished_at or study.created_at), owned_by="tunewright"))
    return cards

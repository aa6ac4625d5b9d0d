"""The application: the guard, and behind it all routes."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from agent.desk.dispatch import dispatcher_pid, ensure_dispatcher
from agent.desk.tools import VERBS, Verb
from agent.errors import InputError, TunewrightError
from agent.faces.http.conversations import conversation_routes
from agent.faces.http.guard import Guard, Hosts
from agent.faces.http.health import health_routes
from agent.faces.http.openai.chat import chat_routes
from agent.faces.http.openai.files import file_routes
from agent.faces.http.openai.jobs import job_routes
from agent.faces.http.openai.models import model_routes
from agent.faces.http.pages import page_routes
from agent.faces.http.plans import plan_routes, start_routes
from agent.faces.http.problems import INTERNAL, ErrorBody, problem, refusal, response_of
from agent.faces.http.service import Service
from agent.faces.http.studies import study_routes
from agent.faces.http.turns import Turns
from agent.faces.http.verbs import verb_routes

log = logging.getLogger("uvicorn.error")
KEEP_SECONDS = 2.0
"""How often the queue is looked at: a study whose dispatcher died is taken up again within that time."""
DESCRIPTION = """Describe a fine-tuning job in plain language; get a plan, an honest search and the best adapter.

Every route takes `Authorization: Bearer TOKEN`. Errors are `{"error": {code, message, param, hint, retryable, type}}`.
`/v1/files`, `/v1/fine_tuning/jobs`, `/v1/models` and `/v1/chat/completions` have OpenAI's shape."""


def build_app(service: Service, hosts: Hosts, verbs: Sequence[Verb] = VERBS) -> ASGIApp:
    """The whole server as one ASGI application."""
    api = build_api(service, verbs)
    return Guard(api, service.access, hosts, service.cookie_name, service.max_upload, service.measures)


def build_api(service: Service, verbs: Sequence[Verb] = VERBS) -> FastAPI:
    """All routes, with nothing in front of them."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        keeper = asyncio.create_task(keep_dispatcher(service))
        try:
            yield
        finally:
            keeper.cancel()

    api = FastAPI(
        title="tunewright",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        responses={"default": {"model": ErrorBody, "description": "What went wrong"}},
        exception_handlers={
            TunewrightError: _ours,
            RequestValidationError: _invalid,
            HTTPException: _http,
            Exception: _unexpected,
        },
    )
    for routes in routers(service, api, verbs):
        api.include_router(routes)
    return api


def routers(service: Service, api: FastAPI, verbs: Sequence[Verb] = VERBS) -> tuple[APIRouter, ...]:
    """All routes there are, by what they are about."""
    turns = Turns(service)
    return (
        plan_routes(service),
        start_routes(service),
        study_routes(service),
        conversation_routes(service, turns),
        verb_routes(service, verbs),
        file_routes(service),
        job_routes(service),
        model_routes(service),
        chat_routes(service, turns),
        health_routes(service),
        page_routes(service, turns, api),
    )


async def keep_dispatcher(service: Service) -> None:
    """See to it that somebody works on the queue, for as long as the server runs."""
    home = service.settings.home
    while True:
        try:
            queue = await run_in_threadpool(service.statuses.store.queue)
            if any(not entry.paused for entry in queue) and dispatcher_pid(home) is None:
                log.info("studies are queued: starting the process that works them off")
                await asyncio.to_thread(ensure_dispatcher, home)
        except Exception:
            log.exception("the queue could not be looked at; trying again")
        await asyncio.sleep(KEEP_SECONDS)


async def _ours(request: Request, error: TunewrightError) -> Response:
    return refusal(error, request.scope)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    """The first field of a request's form that is wrong, with all that is wrong with it; what was sent is not told."""
    wrong = [(_field(one), one) for one in error.errors()]
    (where, name), first = wrong[0]
    if first["type"] == "json_invalid":
        return problem(InputError("body", "must be valid JSON.", "Check brackets and quotes."))
    rules = dict.fromkeys(_rule_of(one) for field, one in wrong if field == (where, name))
    rule = f"{', or '.join(rules)}."
    if where == "path":
        return problem(InputError(name, f"there is nothing here: {rule}", "See /docs.", "not_found"))
    return problem(InputError(name or where, rule, "See /docs for what is expected."))


def _field(one: Any) -> tuple[str, str]:
    """(path, query, header or body; the dotted field), without the branches of a choice of types."""
    where, *parts = map(str, one["loc"])
    return where, ".".join(part for part in parts if re.fullmatch(r"[A-Za-z0-9_-]+", part) and part not in BRANCHES)


def _rule_of(one: Any) -> str:
    if one["type"] == "extra_forbidden":
        return "is not known here"
    words = str(one["msg"]).removeprefix("Value error, ")
    return words[:1].lower() + words[1:]


BRANCHES = frozenset({"int", "float", "str", "bool", "constrained-int", "constrained-float", "constrained-str"})


async def _unexpected(request: Request, error: Exception) -> Response:
    """A bug: told without its insides; the server logs it."""
    return response_of(INTERNAL, 500)


async def _http(request: Request, error: HTTPException) -> Response:
    if error.status_code == 404:
        path = request.url.path[:200]
        return problem(InputError("path", f"there is no route {path!r}.", "See /docs.", "not_found"))
    if error.status_code == 405:
        rule = f"{request.method} is not for this route."
        answer = problem(InputError("method", rule, "See /docs.", "no_such_method"))
        answer.headers.update(error.headers or {})
        return answer
    if error.status_code >= 500:
        return response_of(INTERNAL, error.status_code)
    return problem(InputError("request", str(error.detail), "See /docs."))

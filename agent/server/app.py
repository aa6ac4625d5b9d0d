"""The application: guard, then the polled route, then the others."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from agent.desk.dispatch import dispatcher_pid, ensure_dispatcher
from agent.errors import InputError, TunewrightError
from agent.server.guard import App, Guard, Hosts
from agent.server.problems import INTERNAL, ErrorBody, problem, response_of
from agent.server.service import Service
from agent.server.status import StatusRoute

log = logging.getLogger("uvicorn.error")
KEEP_SECONDS = 2.0
"""How often the queue is looked at: a study whose dispatcher died is taken up again within that time."""
DESCRIPTION = """Describe a fine-tuning job in plain language; get a plan, an honest search and the best adapter.

Every route takes `Authorization: Bearer TOKEN`. Errors are `{"error": {code, message, param, hint, retryable, type}}`.
`/v1/files`, `/v1/fine_tuning/jobs`, `/v1/models` and `/v1/chat/completions` have OpenAI's shape."""


def build_app(service: Service, hosts: Hosts) -> App:
    """The whole server as one ASGI application."""
    api = build_api(service)
    inner = StatusRoute(api, service.statuses)
    return Guard(inner, service.access, hosts, service.cookie_name, service.max_upload, service.measures)


def build_api(service: Service) -> FastAPI:
    """All routes, with nothing in front of them."""
    from agent.server.conversations import conversation_routes
    from agent.server.downloads import download_routes
    from agent.server.health import health_routes
    from agent.server.pages import login_routes, page_routes
    from agent.server.plans import plan_routes
    from agent.server.studies import study_routes
    from agent.server.turns import Turns

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        keeper = asyncio.create_task(keep_dispatcher(service))
        try:
            yield
        finally:
            service.closing.set()
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
    )
    api.add_exception_handler(TunewrightError, _ours)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http)
    turns = Turns(service)
    for routes in (
        plan_routes(service),
        study_routes(service),
        download_routes(service),
        conversation_routes(service, turns),
        login_routes(service),
        health_routes(service),
        page_routes(service, api),
    ):
        api.include_router(routes)
    return api


async def keep_dispatcher(service: Service) -> None:
    """See to it that somebody works on the queue, for as long as the server runs."""
    home = service.settings.home
    while True:
        try:
            queue = await service.statuses.read(lambda store: store.queue())
            if any(not entry.paused for entry in queue) and dispatcher_pid(home) is None:
                log.info("studies are queued: starting the process that works them off")
                await asyncio.to_thread(ensure_dispatcher, home)
        except Exception:
            log.exception("the queue could not be looked at; trying again")
        await asyncio.sleep(KEEP_SECONDS)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, TunewrightError)
    return problem(error)


async def _invalid(request: Request, error: Exception) -> Response:
    """The first thing that is wrong with a request's form; what was sent is not told back."""
    assert isinstance(error, RequestValidationError)
    first: Any = next(iter(error.errors()), {})
    place = [str(part) for part in first.get("loc", ())]
    where, name = (place[0], ".".join(place[1:])) if place else ("body", "")
    said = str(first.get("msg", "is not valid"))
    if first.get("type") == "json_invalid":
        return problem(InputError("body", "must be valid JSON.", "Check brackets and quotes."))
    if first.get("type") == "extra_forbidden":
        said = "is not known here"
    if where == "path":
        return problem(InputError(name, f"there is nothing here: {said[:1].lower()}{said[1:]}.", "", "not_found"))
    param = name or where
    return problem(InputError(param, f"{said[:1].lower()}{said[1:]}.", "See /docs for what is expected."))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        path = request.url.path[:200]
        return problem(InputError("path", f"there is no route {path!r}.", "See /docs.", "not_found"))
    if error.status_code == 405:
        answer = problem(
            InputError("method", f"{request.method} is not for this route.", "See /docs.", "no_such_method")
        )
        answer.headers.update(error.headers or {})
        return answer
    if error.status_code >= 500:
        return response_of(INTERNAL, error.status_code)
    return problem(InputError("request", str(error.detail), "See /docs."))

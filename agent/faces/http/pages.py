"""The web page, the page that shows the API, and the login of a browser."""

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi import Path as InPath
from starlette.responses import JSONResponse, RedirectResponse, Response

from agent.errors import InputError
from agent.faces.http.guard import LOGIN
from agent.faces.http.problems import refusal
from agent.faces.http.service import Service
from trainers.spec import Closed

TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "json": "application/json",
    "woff2": "font/woff2",
}
"""Kinds of files that may be served; others of the folder are not."""


class LoginLink(Closed):
    """Where a browser logs in, once."""

    url: str


def page_routes(service: Service, api: FastAPI) -> APIRouter:
    """The routes that people open."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def index() -> Response:
        return _file("page", "index.html")

    @routes.get("/assets/{name}")
    def asset(name: Annotated[str, InPath(max_length=100)]) -> Response:
        return _file("page", name)

    @routes.get("/docs")
    def docs() -> Response:
        return _file("docs_page", "page.html")

    @routes.get("/docs/{name}")
    def docs_asset(name: Annotated[str, InPath(max_length=100)]) -> Response:
        return _file("docs_page", name)

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return JSONResponse(api.openapi())

    @routes.get(LOGIN)
    def login(request: Request, code: Annotated[str, Query(max_length=200)] = "") -> Response:
        """The one route without a token: a code that `tunewright serve` printed becomes a cookie."""
        if not service.access.take_code(code):
            if service.access.cookie_fits(request.cookies.get(service.cookie_name, "").encode()):
                return RedirectResponse("/", status_code=303)  # the link that signed this browser in, opened again
            rule = "this login link was used already, or is not of this server."
            error = InputError("code", rule, "Get another one: tunewright serve --link", "bad_token")
            return refusal(error, request.scope)
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            service.cookie_name, service.access.cookie, httponly=True, samesite="strict", path="/", max_age=90 * 86400
        )
        return answer

    return routes


def login_routes(service: Service) -> APIRouter:
    """The route that makes login links."""
    routes = APIRouter(tags=["server"])

    @routes.post("/v1/login_links", status_code=201, summary="A link that logs a browser in, once")
    def login_link() -> LoginLink:
        """For the page at /; good for a day."""
        return LoginLink(url=f"{service.url}{LOGIN}?code={service.access.new_code()}")

    return routes


def _file(folder: str, name: str) -> Response:
    """A file of the package, by its plain name. Raises InputError for anything else."""
    stem, _, suffix = name.rpartition(".")
    kind = TYPES.get(suffix)
    found = files("agent.faces.http").joinpath(folder, name)
    if kind is None or not stem or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in stem):
        raise InputError("path", f"there is no {name!r} here.", "Open /.", "not_found")
    if stem.startswith(".") or not found.is_file():
        raise InputError("path", f"there is no {name!r} here.", "Open /.", "not_found")
    return Response(found.read_bytes(), media_type=kind)

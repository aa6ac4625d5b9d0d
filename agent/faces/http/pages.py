"""What people open: the web page with its files, the page that shows the API, and the login of a browser."""

from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi import Path as InPath
from starlette.responses import JSONResponse, RedirectResponse, Response

from agent.errors import InputError
from agent.faces.http.guard import LOGIN
from agent.faces.http.page.render import Pages
from agent.faces.http.page.routes import html_routes
from agent.faces.http.problems import refusal
from agent.faces.http.service import Service
from agent.faces.http.turns import Turns

TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
"""Kinds of files that may be served; others of the folders are not."""


def page_routes(service: Service, turns: Turns, api: FastAPI) -> APIRouter:
    """The routes that people open."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(service.desk)
    html_routes(routes, service, turns, pages)

    @routes.get("/assets/{folder}/{name}")
    def asset(folder: Annotated[str, InPath(pattern="^(static|vendor)$")], name: str) -> Response:
        return _file(folder, name)

    @routes.get("/docs")
    def docs(request: Request) -> Response:
        return pages.show(request, "docs.html", lambda: {"api": api.openapi()})

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


def _file(folder: str, name: str) -> Response:
    """A file of the page, by its plain name. Raises InputError for anything else."""
    folder_files = files("agent.faces.http.page").joinpath(folder).iterdir()
    file, kind = next((one for one in folder_files if one.name == name), None), TYPES.get(name.rpartition(".")[2])
    if file is None or kind is None:
        raise InputError("path", f"there is no {name[:100]!r} here.", "Open /.", "not_found")
    return Response(file.read_bytes(), media_type=kind)

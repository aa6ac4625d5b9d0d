"""Templates and Markdown: how cards and replies become HTML. Everything is escaped; no HTML of a reply's own passes."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from agent.desk.desk import Desk
from agent.errors import TunewrightError
from agent.faces.http.page import look, reading
from agent.faces.http.problems import error_detail, status_of

CHUNK = "hx-request"
"""htmx sends this header: it asks for the changing part of a page alone."""
LATEST_STUDIES, LATEST_CHATS = 5, 8
THEMES = ("light", "dark")
"""Those that the page remembers; else it has the system's."""


class Pages:
    """Pages over one desk, each with the side bar."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def show(self, request: Request, template: str, context: Callable[[], Mapping[str, Any]]) -> Response:
        """A page, or its changing part where htmx asks. What `context` raises becomes a page that says so."""
        part = CHUNK in request.headers
        frame = {"layout": "chunk.html", "focus": ""} if part else self.frame(request)
        try:
            return _html(render(template, **frame, **context()), 200)
        except TunewrightError as error:
            return _html(render("error.html", **frame, problem=error_detail(error)), status_of(error))

    def frame(self, request: Request) -> dict[str, Any]:
        """What a whole page has around its changing part. The focus moves to where the page begins, once."""
        theme = request.cookies.get("tunewright_theme")
        frame = {"layout": "base.html", "focus": Markup(" autofocus"), "theme": theme if theme in THEMES else "auto"}
        return frame | self.nav(request.url.path)

    def nav(self, here: str) -> dict[str, Any]:
        """What the side bar needs; `here` is the path of the page it stands on."""
        chats = [row for row in self.desk.store.conversations() if row.turns][:LATEST_CHATS]
        return {"here": here, "latest": self.desk.studies(LATEST_STUDIES), "chats": chats}


def _html(text: str, status: int) -> Response:
    """Not to be stored: page and changing part have one address, and going back must show the page."""
    return HTMLResponse(text, status, headers={"cache-control": "no-store"})


def render(template: str, **context: Any) -> str:
    """A template of this package as HTML."""
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("agent.faces.http.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= reading.FILTERS | {"markdown": markdown}
    environment.globals |= {"look": look, "reading": reading}
    return environment


def markdown(text: str) -> Markup:
    """Markdown as HTML. HTML in it stays text, images become their descriptions, headings begin at the third level."""
    return Markup(_markdown().render(text))  # noqa: S704 - markdown-it escapes all text, and html is off


class _Renderer(RendererHTML):
    """What Markdown of others becomes within a page. Style attributes would break the page's policy."""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """The page has its own first and second level."""
        tokens[idx].tag = f"h{min(6, int(tokens[idx].tag[1]) + 2)}"
        return self.renderToken(tokens, idx, options, env)

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Nothing is loaded because a reply names it."""
        described = self.renderInlineAsText(tokens[idx].children, options, env)
        return f"<em>{Markup.escape(described)}</em>"

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Wide tables scroll by themselves, with the keyboard too."""
        return '<div class="table-scroll" tabindex="0" role="group" aria-label="Table">\n<table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """The end of both."""
        return "</table>\n</div>\n"

    def td_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A cell of a column to the right is a number's."""
        if tokens[idx].attrs.pop("style", None) == "text-align:right":
            tokens[idx].attrSet("class", "number")
        return self.renderToken(tokens, idx, options, env)

    heading_close, th_open = heading_open, td_open


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable(["table", "strikethrough"])

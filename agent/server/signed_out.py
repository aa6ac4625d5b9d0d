"""What a browser gets that must log in first: a page with the next step, where a program gets JSON."""

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from starlette.responses import Response

from agent.errors import TunewrightError
from agent.server.problems import problem, status_of

NOT_LOGGED_IN = 401


def refusal(error: TunewrightError, scope: Mapping[str, Any]) -> Response:
    """The response that tells `error`: the page for a browser without a login, else that of `problem`."""
    asks_for_page = any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])
    if status_of(error) == NOT_LOGGED_IN and scope["method"] == "GET" and asks_for_page:
        return _page()
    return problem(error)


def _page() -> Response:
    """Whole in itself, for without a login nothing else is served; its one style is named by its hash."""
    page = files("agent.server").joinpath("web", "signed_out.html").read_text(encoding="utf-8")
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = hashlib.sha256((style.group(1) if style else "").encode()).digest()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{base64.b64encode(digest).decode()}'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    headers = {"content-security-policy": policy, "cache-control": "no-store", "www-authenticate": "Bearer"}
    return Response(page, NOT_LOGGED_IN, headers, media_type="text/html")

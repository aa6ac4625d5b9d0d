"""Every route there is, with everything that must be refused: made from the router, so that new routes are covered."""

import re

import pytest
from fastapi import FastAPI

from agent.faces.http.app import build_api, build_app, routers
from agent.faces.http.guard import Hosts

PORT = 8321
HOST = f"127.0.0.1:{PORT}"
AUTHORIZED = {"Authorization": "Bearer " + "t" * 43}
LOGIN = ("GET", "/login")

REFUSALS = {
    "no token": ({}, 401),
    "bad token": ({"Authorization": "Bearer " + "u" * 43}, 401),
    "token in another scheme": ({"Authorization": "Basic " + "t" * 43}, 401),
    "empty token": ({"Authorization": "Bearer "}, 401),
    "cookie that is the token": ({"Cookie": f"tunewright_{PORT}=" + "t" * 43}, 401),
    "bad Host": ({"Host": "evil.test", **AUTHORIZED}, 403),
    "Host without port": ({"Host": "127.0.0.1", **AUTHORIZED}, 403),
    "Host with another port": ({"Host": "127.0.0.1:80", **AUTHORIZED}, 403),
    "Host that begins like ours": ({"Host": f"{HOST}.evil.test", **AUTHORIZED}, 403),
    "bad Origin": ({"Origin": "http://evil.test", **AUTHORIZED}, 403),
    "Origin null": ({"Origin": "null", **AUTHORIZED}, 403),
    "Origin of another port": ({"Origin": "http://127.0.0.1:9", **AUTHORIZED}, 403),
    "Origin under another name": ({"Origin": f"http://localhost:{PORT}", **AUTHORIZED}, 403),
}
OTHER_KINDS = ("text/plain", "application/x-www-form-urlencoded", None, "application/jsonx", "multipart/form-data")


def concrete(path):
    """A path with something in its places."""
    return re.sub(r"\{[^}]*\}", "1", path)


def all_routes(service):
    """(verb, path) of every route, and some that there are not."""
    found = [
        (verb, concrete(route.path))
        for router in routers(service, FastAPI())
        for route in router.routes
        for verb in route.methods
    ]
    assert len(found) > 45, "the routes were not found"
    return [
        *found,
        ("GET", "/nothing/here"),
        ("PUT", "/v1/studies/1"),
        ("OPTIONS", "/v1/studies"),
        ("HEAD", "/healthz"),
    ]


@pytest.mark.parametrize("case", REFUSALS)
def test_every_route_refuses(service, stranger, case):
    """Before anything of the route runs; the login route is open to those without a token only."""
    headers, status = REFUSALS[case]
    for verb, path in all_routes(service):
        if status == 401 and (verb, path) == LOGIN:
            continue
        answer = stranger.request(verb, path, headers={"Content-Type": "application/json", **headers})
        assert answer.status_code == status, (verb, path)
        if verb != "HEAD":
            error = answer.json()["error"]
            assert set(error) == {"code", "message", "param", "hint", "retryable", "type"}, (verb, path)
    assert service.desk.studies() == []


def test_every_unsafe_route_refuses_other_bodies(service, stranger):
    """Those that a web page can send without asking: text, forms, nothing."""
    for verb, path in all_routes(service):
        if verb in ("GET", "HEAD"):
            continue
        for kind in (
            "text/plain",
            "application/x-www-form-urlencoded",
            None,
            "application/jsonx",
            "multipart/form-data",
        ):
            if kind == "multipart/form-data" and (verb, path) == ("POST", "/v1/files"):
                continue
            headers = AUTHORIZED if kind is None else {"Content-Type": kind, **AUTHORIZED}
            assert stranger.request(verb, path, headers=headers).status_code == 415, (verb, path, kind)


def test_uploads_refuse_json(client):
    """And only they take forms."""
    assert client.post("/v1/files", json={}).status_code == 415


def test_every_answer_has_the_headers_of_a_careful_server(service, client):
    """Also refusals and what is not there."""
    for verb, path in [*all_routes(service), ("GET", "/"), ("GET", "/assets/static/page.js"), ("GET", "/studies")]:
        if "completions" in path or "messages" in path:
            continue
        answer = client.request(verb, path)
        assert answer.headers["x-content-type-options"] == "nosniff", (verb, path)
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers
        assert answer.status_code < 500, (verb, path, answer.text)
        if path.startswith("/v1/"):
            assert answer.headers["cache-control"] == "no-store", (verb, path)


def test_every_route_of_the_api_is_described(service):
    """With a summary, so that /docs says what it is for."""
    described = build_api(service).openapi()["paths"]
    for path, verbs in described.items():
        for verb, operation in verbs.items():
            assert operation.get("summary"), (verb, path)


def test_web_sockets_are_closed(service):
    """There are none, and none may slip past the guard."""
    from starlette.testclient import TestClient
    from starlette.websockets import WebSocketDisconnect

    opened = TestClient(build_app(service, Hosts.of(PORT)), base_url=f"http://{HOST}")
    with pytest.raises(WebSocketDisconnect) as caught, opened.websocket_connect("/v1/studies/1/events"):
        pass
    assert caught.value.code == 1008

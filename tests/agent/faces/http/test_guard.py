"""Hosts, origins, bodies: what the guard lets through, over all kinds of input."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from agent.errors import InputError
from agent.faces.http.access import Access
from agent.faces.http.guard import MAX_DEPTH, MAX_JSON_BYTES, Guard, Hosts, depth
from agent.faces.http.measures import Measures

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
TREES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=20) | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('\\"[]{}x', max_size=5), inner, max_size=3),
    max_leaves=20,
)


def levels(tree):
    """How deep a tree is, counted on the tree."""
    if isinstance(tree, dict):
        return 1 + max(map(levels, tree.values()), default=0)
    return 1 + max(map(levels, tree), default=0) if isinstance(tree, list) else 0


@given(TREES)
def test_depth_is_that_of_the_tree(tree):
    """Whatever brackets and quotes its strings hold."""
    assert depth(json.dumps(tree).encode()) == levels(tree)


@given(st.binary(max_size=300))
def test_depth_of_anything_ends(body):
    """Also of what is no JSON at all."""
    assert 0 <= depth(body) <= len(body)


def test_depth_is_linear_for_hostile_quotes():
    """A megabyte of escaped quotes takes no longer than a megabyte of anything."""
    import time

    began = time.perf_counter()
    assert depth(b'"' + b'\\"' * 500_000) == 0
    assert depth(b"[" * 1_000_000) == 1_000_000
    assert time.perf_counter() - began < 5


@given(NAMES)
def test_only_exact_names_are_answered_to(name):
    """Loopback with the port, nothing else."""
    known = {"127.0.0.1:8321", "localhost:8321", "[::1]:8321"}
    assert (name.lower() in Hosts.of(8321).names) == (name.lower() in known)


@given(NAMES)
def test_no_foreign_origin_is_own(name):
    """The origin must be that of the very name that was asked."""
    hosts = Hosts.of(8321)
    own = name.lower() == "127.0.0.1:8321"
    assert hosts.own_origin(f"http://{name}", "127.0.0.1:8321") == own
    assert not hosts.own_origin(f"https://{name}", "127.0.0.1:8321")
    assert not hosts.own_origin(name, "127.0.0.1:8321")


def test_allowed_hosts_are_answered_to():
    """With their port, with ours, and by https where a proxy serves them."""
    hosts = Hosts.of(8321, ("box.lan", "other.lan:80", "[fd00::1]"))
    assert {"box.lan", "box.lan:8321", "other.lan:80", "[fd00::1]:8321"} <= hosts.names
    assert "other.lan" not in hosts.names
    assert hosts.own_origin("https://box.lan", "box.lan")


@pytest.mark.parametrize("name", ["", "a b", "http://x", "*", "x/y", "-x", "x:port", "::1"])
def test_names_that_are_none_are_refused(name):
    """At start, not silently."""
    with pytest.raises(InputError, match="must be NAME or NAME:PORT"):
        Hosts.of(8321, (name,))


def test_bodies_have_a_size(client):
    """Told before and counted on the way."""
    long = json.dumps({"request": "x" * MAX_JSON_BYTES})
    assert client.post("/v1/plans", content=long).status_code == 413
    pieces = (b"x" * 65536 for _ in range(MAX_JSON_BYTES // 65536 + 1))
    answer = client.post("/v1/plans", content=pieces)  # without a length beforehand
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")


def test_bodies_have_a_depth(client):
    """A tree that is too deep never reaches a parser."""
    deep = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
    answer = client.post("/v1/plans", content=deep)
    assert answer.status_code == 400
    assert "nested" in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", ["", "{", "nonsense", "[]", '"x"', "NaN", '{"request": NaN}', '{"request": ""}'])
def test_bodies_that_are_no_request_are_told(client, body):
    """400 with what is wrong, never 500; what was sent is not told back."""
    answer = client.post("/v1/plans", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_unknown_fields_are_refused(client):
    """A typing error must not silently change what is asked for."""
    error = client.post("/v1/plans", json={"request": "classify tickets.csv", "trails": 3}).json()["error"]
    assert (error["param"], error["message"]) == ("trails", "is not known here.")


def test_two_hosts_are_one_too_many(client):
    """A proxy and we might read different ones."""
    answer = client.get("/healthz", headers=[("Host", "127.0.0.1:8321"), ("Host", "127.0.0.1:8321")])
    assert answer.status_code == 403


def test_nothing_of_an_unexpected_error_gets_out():
    """It is told as what it is, and its words stay here."""

    async def broken(scope, receive, send):
        raise RuntimeError("hunter2 at /home/somebody")

    app = Guard(broken, Access("t" * 43), Hosts.of(8321), "cookie", 1, Measures())
    opened = TestClient(app, base_url="http://127.0.0.1:8321", raise_server_exceptions=False)
    answer = opened.get("/x", headers={"Authorization": "Bearer " + "t" * 43})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "hunter2" not in answer.text

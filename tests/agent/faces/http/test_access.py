"""Tokens, login links and cookies."""

import stat

import pytest

from agent.errors import InputError
from agent.faces.http.access import MAX_CODES, Access, server_token, stored_token


@pytest.fixture
def access():
    """Access with a known token."""
    return Access("s" * 40)


def test_the_token_is_kept_and_only_its_owner_may_read_it(tmp_path):
    """256 bits, the same after a restart, another one when asked for."""
    token = server_token(tmp_path)
    assert len(bytes.fromhex(token)) == 32
    assert stat.S_IMODE((tmp_path / "server.token").stat().st_mode) == 0o600
    assert server_token(tmp_path) == token == stored_token(tmp_path)
    assert server_token(tmp_path, new=True) != token


def test_a_token_that_others_may_read_is_not_used(tmp_path):
    """It may be known already."""
    server_token(tmp_path)
    (tmp_path / "server.token").chmod(0o644)
    with pytest.raises(InputError, match="may be read by others"):
        server_token(tmp_path)


def test_the_variable_wins_if_it_cannot_be_guessed(tmp_path, monkeypatch):
    """And nothing is written."""
    monkeypatch.setenv("TUNEWRIGHT_SERVER_TOKEN", "v" * 32)
    assert server_token(tmp_path) == "v" * 32
    assert list(tmp_path.iterdir()) == []
    for weak in ("short", "v" * 31, "v" * 40 + " x", "ü" * 40):
        monkeypatch.setenv("TUNEWRIGHT_SERVER_TOKEN", weak)
        with pytest.raises(InputError, match="32 characters"):
            server_token(tmp_path)


def test_a_code_works_once(access):
    """And only one that was handed out."""
    code = access.new_code()
    assert access.take_code(code)
    assert not access.take_code(code)
    assert not access.take_code("")


def test_old_codes_are_forgotten(access):
    """Nobody fills the memory with them."""
    first = access.new_code()
    for _ in range(MAX_CODES):
        access.new_code()
    assert not access.take_code(first)


def test_the_cookie_is_not_the_token(access):
    """What a browser holds opens the page, and is no token; both go with another token."""
    assert not access.bearer_fits(b"Bearer " + access.cookie.encode())
    assert not access.cookie_fits(b"s" * 40)
    assert not Access("r" * 40).cookie_fits(access.cookie.encode())
    assert Access("s" * 40).cookie_fits(access.cookie.encode())


@pytest.mark.parametrize(
    "header", [b"", b"Bearer", b"Bearer ", b"bearer x", "Bearer ü".encode(), b"Token " + b"s" * 40]
)
def test_other_headers_do_not_fit(access, header):
    """Whatever their bytes."""
    assert not access.bearer_fits(header)


def test_a_browser_logs_in_with_a_link_and_stays_in(service, stranger):
    """The cookie is for this server only, and no script or other site can use it."""
    answer = stranger.get("/login", params={"code": service.access.new_code()})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert stranger.get("/healthz").status_code == 200
    assert stranger.get("/v1/studies", headers={"Sec-Fetch-Site": "same-site"}).status_code == 403
    assert stranger.post("/v1/login_links", json={}).json()["url"].startswith("http://127.0.0.1:8321/login?code=")


def test_a_link_used_again_opens_the_page_only_for_who_is_in(service, stranger):
    """For others it says that it was used."""
    link = {"code": service.access.new_code()}
    stranger.get("/login", params=link)
    assert stranger.get("/login", params=link).status_code == 303
    stranger.cookies.clear()
    assert stranger.get("/login", params=link).status_code == 401


def test_a_browser_that_is_not_in_gets_a_page(stranger):
    """That says what to do, and holds nothing else."""
    answer = stranger.get("/", headers={"Accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "tunewright serve --link" in answer.text
    assert "script" not in answer.headers["content-security-policy"]


def test_a_bad_token_is_not_saved_by_a_good_cookie(service, stranger):
    """Who sends a token means it."""
    stranger.cookies.set(service.cookie_name, service.access.cookie)
    assert stranger.get("/healthz").status_code == 200
    assert stranger.get("/healthz", headers={"Authorization": "Bearer x"}).status_code == 401

"""What a client sees of a bug, and of a file that cannot be written again."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from agent.errors import InputError
from agent.faces.http.app import _unexpected
from agent.faces.http.openai.rows import converted


def test_a_bug_in_a_route_is_a_typed_error_without_its_insides():
    """The same shape as every other error."""
    api = FastAPI()
    api.add_exception_handler(Exception, _unexpected)

    @api.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError("secret")

    answer = TestClient(api, raise_server_exceptions=False).get("/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert {"code", "message", "hint", "retryable"} <= set(answer.json()["error"])


def test_half_a_character_is_named_with_its_line(tmp_path):
    """Such a row cannot be written as UTF-8."""
    source = tmp_path / "rows.jsonl"
    source.write_text('{"text": "fine", "label": "a"}\n{"text": "\\ud800", "label": "b"}\n')
    with pytest.raises(InputError, match="lone surrogate"):
        converted(source)

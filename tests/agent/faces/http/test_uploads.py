"""Files: uploads go to disk as they come, are checked, and are told in OpenAI's shape."""

import asyncio
import json
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.testclient import TestClient

from agent.errors import InputError
from agent.faces.http.app import build_app
from agent.faces.http.guard import Hosts
from agent.faces.http.openai.files import receive_upload, safe_name
from agent.faces.http.openai.rows import row_of

LABELLED = b'{"text": "a b", "label": "x"}\n{"text": "c d", "label": "y"}\n'
USER, GOOD, BAD = ({"role": r, "content": c} for r, c in (("user", "q"), ("assistant", "yes"), ("assistant", "no")))
HEAD = b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--b\r\n'
FILE = b'Content-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
PAIR = {"input": {"messages": [USER]}, "preferred_output": [GOOD], "non_preferred_output": [BAD]}


@pytest.fixture
def sender(service):
    """A client that sends forms."""
    app = build_app(service, Hosts.of(8321))
    with TestClient(app, base_url="http://127.0.0.1:8321", headers={"Authorization": "Bearer " + "t" * 43}) as opened:
        yield opened


def send(sender, content, name="rows.jsonl", purpose="fine-tune", **more):
    """Upload something."""
    return sender.post("/v1/files", files={"file": (name, content)}, data={"purpose": purpose, **more})


def test_a_file_is_kept_told_and_deleted(sender, service):
    """Its content is what was sent; afterwards nothing of it is left."""
    told = send(sender, LABELLED).json()
    assert (told["object"], told["bytes"], told["status"]) == ("file", len(LABELLED), "processed")
    assert sender.get(f"/v1/files/{told['id']}").json() == told
    assert sender.get("/v1/files").json()["data"] == [told]
    assert sender.get(f"/v1/files/{told['id']}/content").content == LABELLED
    json_type = {"Content-Type": "application/json"}
    assert sender.delete(f"/v1/files/{told['id']}", headers=json_type).json()["deleted"]
    assert sender.get(f"/v1/files/{told['id']}").status_code == 404
    assert list((service.settings.home / "files").glob("*")) == []


def test_preferences_are_brought_into_our_form(sender, service):
    """And the original is what /content gives."""
    content = (json.dumps(PAIR) + "\n").encode() * 3
    told = send(sender, content).json()
    used = Path(service.desk.store.file(told["id"]).path)
    rows = [json.loads(line) for line in used.read_text().splitlines()]
    assert rows == [{"chosen": [USER, GOOD], "rejected": [USER, BAD]}] * 3
    assert sender.get(f"/v1/files/{told['id']}/content").content == content


BROKEN = {
    b"": "empty",
    b"\n\n": "",
    b"not json\n": "line 1: is not valid JSON",
    b'{"text": "a", "label": "b"}\n[1]\n': "line 2: must be a JSON object",
    b'{"preferred_output": []}\n': "a preference row needs",
    b'{"messages": []}\n': "at least one turn",
    b'{"messages": [{"role": "assistant", "content": "x", "weight": 0.5}]}\n': "weight must be 0",
    b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}\n': "only text",
    b"[" * 100_000: "not valid JSON",
}


@pytest.mark.parametrize("content", [c for c, message in BROKEN.items() if message])
def test_rows_that_cannot_be_used_are_told_by_their_line(sender, service, content):
    """400, and nothing is kept."""
    answer = send(sender, content)
    assert answer.status_code == 400
    assert BROKEN[content] in answer.json()["error"]["message"]
    assert list((service.settings.home / "files").glob("*")) == []


def test_text_parts_are_joined():
    """Other clients write turns in parts."""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    row = {"messages": [{"role": "user", "content": parts}, GOOD]}
    assert row_of(row, 1)["messages"][0]["content"] == "ab"


@given(st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_no_row_breaks_the_conversion(value):
    """It is converted, left alone, or refused with its line."""
    for name in ("messages", "input", "preferred_output", "non_preferred_output"):
        for row in ({name: value}, {**PAIR, name: value}):
            with suppress(InputError):
                assert isinstance(row_of(row, 3), dict)


@given(st.text(max_size=200))
def test_no_name_is_a_path(name):
    """Whatever the client calls its file."""
    safe = safe_name(name)
    assert safe
    assert "/" not in safe
    assert not safe.startswith(".")
    assert safe.isascii()
    assert len(safe) <= 100


@pytest.mark.parametrize(
    ("name", "purpose", "param"),
    [("a.jsonl", "evil", "purpose"), ("a.exe", "fine-tune", "file"), ("a.jsonl", "", "purpose")],
)
def test_purpose_and_kind_are_checked(sender, name, purpose, param):
    """With the choices there are."""
    answer = send(sender, LABELLED, name, purpose)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_what_is_not_supported_is_not_ignored(sender):
    """Files do not expire here."""
    answer = send(sender, LABELLED, **{"expires_after[anchor]": "created_at"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "expires_after[anchor]")


FORMS = {
    "no boundary": ("multipart/form-data", b"x"),
    "nothing": ("multipart/form-data; boundary=b", b""),
    "no form": ("multipart/form-data; boundary=b", b"hello"),
    "cut off": ("multipart/form-data; boundary=b", HEAD + FILE + b"{}"),
    "no file": ("multipart/form-data; boundary=b", HEAD + b"--b--\r\n"),
    "two files": ("multipart/form-data; boundary=b", HEAD + FILE + b"1\r\n--b\r\n" + FILE + b"2\r\n--b--\r\n"),
    "long header": ("multipart/form-data; boundary=b", b"--b\r\nX: " + b"x" * 5000 + b"\r\n\r\n"),
    "long field": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"x" * 20_000 + b"\r\n--b--\r\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FORMS)
def test_broken_forms_are_refused(sender, service, case):
    """And leave nothing behind."""
    kind, body = FORMS[case]
    answer = sender.post("/v1/files", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert list((service.settings.home / "files").glob("*")) == []


def test_uploads_are_never_held_in_memory(service):
    """Thirty megabytes pass through, and the process grows by a few."""
    lines = LABELLED * 4000
    pieces = [HEAD + FILE, *[lines] * 125, b"\r\n--b--\r\n"]

    async def receive():
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    tracemalloc.start()
    request = Request({"type": "http", "headers": headers}, receive)
    told = asyncio.run(receive_upload(service, request))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (told.filename, told.purpose, told.bytes) == ("a.jsonl", "user_data", 125 * len(lines))
    assert (service.settings.home / "files" / told.id / "a.jsonl").stat().st_size == told.bytes
    assert peak < 8 * 1024 * 1024


def test_uploads_have_a_size(service):
    """One byte too many is refused on the way, whether its length was told or not."""
    service.max_upload = 100_000
    headers = {"Authorization": "Bearer " + "t" * 43, "Content-Type": "multipart/form-data; boundary=b"}
    with TestClient(build_app(service, Hosts.of(8321)), base_url="http://127.0.0.1:8321", headers=headers) as opened:
        body = HEAD + FILE + LABELLED * 4000 + b"\r\n--b--\r\n"
        assert opened.post("/v1/files", content=body).status_code == 413
        assert opened.post("/v1/files", content=iter([body[:60_000], body[60_000:]])).status_code == 413
    assert list((service.settings.home / "files").glob("*")) == []


ODD_IDS = ["..", "file-", "file-../../x", "file-abc", "x" * 65, "file-results-", "file-%2e%2e"]


@pytest.mark.parametrize("file_id", ODD_IDS)
def test_odd_ids_are_not_there(sender, file_id):
    """404, whatever is asked of them."""
    from urllib.parse import quote

    path = f"/v1/files/{quote(file_id, safe='')}"
    headers = {"Content-Type": "application/json"}
    answers = [sender.get(path), sender.get(f"{path}/content"), sender.delete(path, headers=headers)]
    if file_id != "..":
        assert {answer.status_code for answer in answers} == {404}

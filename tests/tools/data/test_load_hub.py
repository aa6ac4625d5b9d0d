"""Data sets from a hub: a small server on loopback answers as the hub does."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SHA = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "train.csv": "text,label\n" + "".join(f"train text {i},{'ab'[i % 2]}\n" for i in range(30)),
    "test.csv": "text,label\n" + "".join(f"test text {i},{'ab'[i % 2]}\n" for i in range(10)),
}
SCRIPT = {"scripted.py": "raise SystemExit('a loading script was run')\n"}


class Hub(BaseHTTPRequestHandler):
    """Knows owner/name and owner/scripted; owner/gated needs access; nothing else is there."""

    def do_GET(self) -> None:
        """Answer the API's questions and serve the files."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """The same without a body."""
        self._answer(body=False)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""

    def _answer(self, body: bool) -> None:
        path = self.path.split("?")[0]
        if "owner/gated" in path:
            return self._send(403, b"{}", {"X-Error-Code": "GatedRepo"}, body)
        files = SCRIPT if "owner/scripted" in path else FILES
        if "datasets/owner/name" not in path and files is FILES:
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
        if path.startswith("/api/") and "/tree/" in path:
            tree = [
                {"type": "file", "path": f, "size": len(t), "oid": f"{i:040x}"}
                for i, (f, t) in enumerate(files.items())
            ]
            return self._send(200, json.dumps(tree).encode(), {}, body)
        if path.startswith("/api/") and ("/revision/" in path or path.endswith(("/owner/name", "/owner/scripted"))):
            facts = {"id": "owner/name", "sha": SHA, "siblings": [{"rfilename": f} for f in files], "tags": []}
            return self._send(200, json.dumps(facts).encode(), {}, body)
        if (name := path.rsplit("/", 1)[1]) in files and "/resolve/" in path:
            return self._send(200, files[name].encode(), {"ETag": f'"{name}"', "X-Repo-Commit": SHA}, body)
        return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"}, body)

    def _send(self, status: int, content: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


@pytest.fixture
def endpoint() -> Iterator[str]:
    """The address of a running server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def loaded(name: str, endpoint: str, home: Path) -> str:
    """What load_table says of a hub id, in a process of its own: the libraries read the address when imported."""
    code = (
        "import sys; from pathlib import Path; from tools.data.load_data import load_table\n"
        "from trainers.errors import InputError\n"
        "try: t = load_table(sys.argv[1], 'data.train', (Path(sys.argv[2]),))\n"
        "except InputError as error: print(error.code, error)\n"
        "else: print(t.source.revision, len(t.rows), t.rows[0], {s: len(r) for s, r in t.splits.items()}, t.notes)"
    )
    env = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    env |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", code, name, str(home)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    return done.stdout.strip() or done.stderr


def test_hub_data_set_is_pinned_and_its_splits_are_kept(endpoint: str, tmp_path: Path) -> None:
    """Rows of train, the test split, and the commit it is pinned to."""
    assert loaded("owner/name", endpoint, tmp_path) == (
        f"{SHA} 30 {{'text': 'train text 0', 'label': 'a'}} {{'test': 10}} ()"
    )


def test_cached_data_set_is_used_without_a_connection_and_it_is_said(endpoint: str, tmp_path: Path) -> None:
    """Once downloaded, the rows are there offline, with a note that the commit is unknown."""
    loaded("owner/name", endpoint, tmp_path)
    offline = loaded("owner/name", "http://127.0.0.1:9", tmp_path)
    assert offline.startswith("None 30 {'text': 'train text 0'")
    assert "the hub was not reached" in offline


@pytest.mark.parametrize(("name", "code"), [("owner/gated", "gated"), ("owner/none", "hub_unavailable")])
def test_gated_and_unknown_data_sets_are_input_errors(endpoint: str, tmp_path: Path, name: str, code: str) -> None:
    """The id, the reason and the next step."""
    message = loaded(name, endpoint, tmp_path)
    assert message.startswith(f"{code} data.train: the hub data set '{name}'")


def test_loading_scripts_are_not_run(endpoint: str, tmp_path: Path) -> None:
    """A data set that is a program is refused, and the program's words do not appear."""
    message = loaded("owner/scripted", endpoint, tmp_path)
    assert message.startswith("hub_unavailable")
    assert "a loading script was run" not in message
    assert "scripts are no longer supported" in message

"""A server process that speaks the OpenAI chat-completions protocol over a socket, with scripted replies.

`python -P tests/fakes/openai_server.py SCRIPT.json` prints its port and serves until it is killed. The script is a list
of steps, used in order, the last one again and again:
  {"text": "..."}                     a reply
  {"status": 500, "body": "..."}      an HTTP error
  {"refuse_schema": true}             HTTP 400 if the request has a response_format, else the next step
  {"sleep": 5, "text": "..."}         a late reply
  {"drip": 30, "text": "..."}         one byte a second for so long
  {"repeat": "x", "times": 1000000}   a huge reply
  {"raw": "..."}                      a body that is not the protocol's
  {"length": true, "text": "..."}     a reply cut off at the token limit
  {"hang_up": true}                   the connection is closed without a reply
Every request's body and authorization header are appended to SCRIPT.json.requests, one JSON object a line.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Answers POST /v1/chat/completions from the script."""

    steps: list[dict[str, Any]] = []
    requests_file = Path()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        entry = {"path": self.path, "headers": dict(self.headers), "body": body}
        with self.requests_file.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        step = self.next_step()
        if step.get("refuse_schema") and "response_format" in body:
            self.send(400, json.dumps({"error": {"message": "response_format is not supported", "type": "invalid"}}))
            return
        if step.get("refuse_schema"):
            step = self.next_step()
        self.carry_out(step)

    def next_step(self) -> dict[str, Any]:
        return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]

    def carry_out(self, step: dict[str, Any]) -> None:
        time.sleep(step.get("sleep", 0))
        if step.get("hang_up"):
            self.connection.close()
        elif "status" in step:
            self.send(step["status"], json.dumps({"error": {"message": step.get("body", "no"), "type": "scripted"}}))
        elif "raw" in step:
            self.send(200, step["raw"])
        else:
            text = step.get("text", step.get("repeat", "") * step.get("times", 1))
            self.send(200, completion(text, "length" if step.get("length") else "stop"), drip=step.get("drip", 0))

    def send(self, status: int, body: str, drip: int = 0) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for i in range(drip):
            self.wfile.write(data[i : i + 1])
            self.wfile.flush()
            time.sleep(1)
        self.wfile.write(data[drip:])

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


class QuietServer(ThreadingHTTPServer):
    """A client that hangs up early is expected here."""

    def handle_error(self, *_: object) -> None:
        """Nothing on stderr."""


def completion(text: str, finish: str) -> str:
    """A chat completion as the protocol has it."""
    return json.dumps(
        {
            "id": "c1",
            "object": "chat.completion",
            "created": 0,
            "model": "fake",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        }
    )


class Served:
    """A running server: its address and what it was asked."""

    def __init__(self, base_url: str, requests_file: Path) -> None:
        self.base_url, self._requests_file = base_url, requests_file

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Every request so far."""
        if not self._requests_file.exists():
            return []
        return [json.loads(line) for line in self._requests_file.read_text().splitlines()]


@contextmanager
def serve(directory: Path, *steps: dict[str, Any]) -> Iterator[Served]:
    """Run the server as a child process on a free loopback port for the duration of the block."""
    script = directory / "script.json"
    script.write_text(json.dumps(steps))
    child = subprocess.Popen([sys.executable, "-P", __file__, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        yield Served(f"http://127.0.0.1:{port}/v1", Path(f"{script}.requests"))
    finally:
        child.kill()
        child.communicate()


if __name__ == "__main__":
    Handler.steps = json.loads(Path(sys.argv[1]).read_text())
    Handler.requests_file = Path(f"{sys.argv[1]}.requests")
    server = QuietServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()

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
  {"text": "...", "calls": [{"name": "status", "arguments": {"study": "1"}}]}      a reply that calls tools
  {"refuse_tools": true}              HTTP 400 if the request has tools, else the next step
  {"text": "...", "pause": 0.2}       so many seconds between the pieces of a streamed reply
  {"text": "...", "broken": true}     a stream that ends in the middle
A request for a stream gets its reply in pieces (server-sent events). In texts and arguments, $NAME stands for what
"NAME" is in the latest tool result of the request. A script may also be {"steps": [...], "without_tools": [...]}:
requests without tools then use the second list.
Every request's body and authorization header are appended to SCRIPT.json.requests, one JSON object a line.
"""

import json
import re
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
    without_tools: list[dict[str, Any]] | None = None
    requests_file = Path()
    body: dict[str, Any] = {}

    def do_POST(self) -> None:
        self.body = body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        entry = {"path": self.path, "headers": dict(self.headers), "body": body}
        with self.requests_file.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        step = self.next_step()
        for refused, parameter in (("refuse_schema", "response_format"), ("refuse_tools", "tools")):
            if step.get(refused) and parameter in body:
                self.send(400, json.dumps({"error": {"message": f"{parameter} is not supported", "type": "invalid"}}))
                return
            if step.get(refused):
                step = self.next_step()
        self.carry_out(step)

    def next_step(self) -> dict[str, Any]:
        steps = self.steps if self.without_tools is None or "tools" in self.body else self.without_tools
        return steps.pop(0) if len(steps) > 1 else steps[0]

    def carry_out(self, step: dict[str, Any]) -> None:
        step = filled_in(step, self.body)
        time.sleep(step.get("sleep", 0))
        if step.get("hang_up"):
            self.connection.close()
        elif "status" in step:
            self.send(step["status"], json.dumps({"error": {"message": step.get("body", "no"), "type": "scripted"}}))
        elif "raw" in step:
            self.send(200, step["raw"])
        else:
            text = step.get("text", step.get("repeat", "") * step.get("times", 1))
            finish = "length" if step.get("length") else "tool_calls" if step.get("calls") else "stop"
            if self.body.get("stream"):
                self.stream(pieces(text, step.get("calls", ()), finish), step)
            else:
                self.send(200, completion(text, finish, step.get("calls", ())), drip=step.get("drip", 0))

    def stream(self, chunks: list[dict[str, Any]], step: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for chunk in chunks[: len(chunks) // 2] if step.get("broken") else chunks:
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()
            time.sleep(step.get("pause", 0))
        if step.get("broken"):
            self.connection.close()
        else:
            self.wfile.write(b"data: [DONE]\n\n")

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


def filled_in(step: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """`step` with $NAME replaced by what the latest tool result that has it says under "NAME"."""
    results = [m["content"] for m in reversed(body.get("messages", ())) if m.get("role") == "tool"]

    def value(match: re.Match[str]) -> str:
        for result in results:
            if found := re.search(rf'"{match[1]}": ("(?:[^"\\\\]|\\\\.)*"|[^,}}\]]+)', result):
                return str(json.loads(found[1]))
        return match[0]

    def fill(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: fill(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [fill(inner) for inner in part]
        return re.sub(r"\$([a-z_0-9]+)", value, part) if isinstance(part, str) else part

    filled: dict[str, Any] = fill(step)
    return filled


def completion(text: str, finish: str, calls: Any = ()) -> str:
    """A chat completion as the protocol has it."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [tool_call(number, call) for number, call in enumerate(calls)]
    return json.dumps(
        {
            "id": "c1",
            "object": "chat.completion",
            "created": 0,
            "model": "fake",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": USAGE,
        }
    )


USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def tool_call(number: int, call: dict[str, Any]) -> dict[str, Any]:
    """A tool call as the protocol has it; arguments that are text already are sent as they are."""
    arguments = call.get("arguments", {})
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": f"call_{number}", "type": "function", "function": {"name": call["name"], "arguments": text}}


def pieces(text: str, calls: Any, finish: str, size: int = 7) -> list[dict[str, Any]]:
    """The chunks of a streamed completion: text by a few characters, then each tool call in two halves, then usage."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": text[at : at + size]} for at in range(0, len(text), size)]
    for number, call in enumerate(calls):
        whole = tool_call(number, call)
        arguments = whole["function"]["arguments"]
        half = len(arguments) // 2
        first = {**whole, "function": {**whole["function"], "arguments": arguments[:half]}, "index": number}
        deltas.append({"tool_calls": [first]})
        deltas.append({"tool_calls": [{"index": number, "function": {"arguments": arguments[half:]}}]})
    about = {"id": "c1", "object": "chat.completion.chunk", "created": 0, "model": "fake"}
    chunks = [{**about, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**about, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return [*chunks, {**about, "choices": [], "usage": USAGE}]


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
def serve(
    directory: Path, *steps: dict[str, Any], without_tools: list[dict[str, Any]] | None = None
) -> Iterator[Served]:
    """Run the server as a child process on a free loopback port for the duration of the block."""
    script = directory / "script.json"
    script.write_text(json.dumps({"steps": steps, "without_tools": without_tools}))
    child = subprocess.Popen([sys.executable, "-P", __file__, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        yield Served(f"http://127.0.0.1:{port}/v1", Path(f"{script}.requests"))
    finally:
        child.kill()
        child.communicate()


if __name__ == "__main__":
    loaded = json.loads(Path(sys.argv[1]).read_text())
    Handler.steps = loaded["steps"] if isinstance(loaded, dict) else loaded
    Handler.without_tools = loaded["without_tools"] if isinstance(loaded, dict) else None
    Handler.requests_file = Path(f"{sys.argv[1]}.requests")
    server = QuietServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()

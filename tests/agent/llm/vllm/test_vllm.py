"""`vllm:MODEL` with a server that is a real process but no vLLM: finding it, starting it, its deaths, its end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.errors import PlannerFailed
from agent.faces.cli.doctor import examine
from agent.llm.calls import LlmCall, LlmEvent
from agent.llm.open import open_planner
from agent.llm.planner import Planner
from agent.llm.reply_json import MAX_CHARACTERS, MAX_ITEMS, bounded
from agent.llm.vllm.server import ServerFailed, VllmServer, close_servers, server_for
from agent.llm.vllm.setup import context_of, find_python, kv_cache_bytes
from agent.settings import Settings
from prompts import Rendered
from tests.fakes.vllm_environment import Environment, make_environment
from trainers.errors import InputError
from trainers.spec import Closed

ONE = Rendered("one", "1", "one")


class Answer(Closed):
    """What the tests ask for."""

    why: str
    n: int


GOOD = {"text": json.dumps({"why": "counted", "n": 3})}


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """No server outlives its test."""
    yield
    close_servers()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory that looks like a model; nobody loads it."""
    directory = tmp_path / "model"
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps({"max_position_embeddings": 4096}))
    (directory / "model.safetensors").touch()
    return directory


class Session:
    """A planner on a fake environment, with everything it reports."""

    def __init__(self, model: Path, environment: Environment) -> None:
        self.calls: list[LlmCall] = []
        self.events: list[LlmEvent] = []
        planner = open_planner(
            f"vllm:{model}",
            on_call=self.calls.append,
            on_event=self.events.append,
            environ={"TUNEWRIGHT_VLLM_PYTHON": str(environment.python)},
            timeout_seconds=10.0,
            backoff_seconds=0.01,
        )
        assert planner is not None
        self.planner: Planner = planner

    def ask(self) -> Answer:
        return self.planner.ask(ONE, ONE, Answer)

    @property
    def everything(self) -> str:
        return "\n".join([*(c.model_dump_json() for c in self.calls), *(e.model_dump_json() for e in self.events)])


def living(pids: list[int]) -> list[int]:
    """Those that still run; up to 15 s are given to the last one to go."""
    end = time.monotonic() + 15.0
    while (left := [pid for pid in pids if _runs(pid)]) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_environments_are_looked_for_in_order(tmp_path: Path) -> None:
    """The variable beats the home directory's environment, which beats the one beside the project."""
    home, project = tmp_path / "home", tmp_path / "project"
    own, homes, projects = tmp_path / "py", home / "vllm/bin/python", project / ".venv-vllm/bin/python"
    for python in (own, homes, projects):
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text("#!/bin/sh\n")
        python.chmod(0o755)
    assert find_python(home, {"TUNEWRIGHT_VLLM_PYTHON": str(own)}, project) == own
    assert find_python(home, {}, project) == homes
    assert find_python(tmp_path, {}, project) == projects


@pytest.mark.skipif("vllm" in sys.modules, reason="this Python has a vLLM of its own")
def test_without_an_environment_the_command_is_told(tmp_path: Path) -> None:
    """In a checkout that is the make target, elsewhere the commands of pip; a variable that leads nowhere is named."""
    (tmp_path / "Makefile").touch()
    with pytest.raises(InputError, match=f"make -C {tmp_path} vllm"):
        find_python(tmp_path / "home", {}, tmp_path)
    with pytest.raises(InputError, match=r"-m venv .*home/vllm && .*home/vllm/bin/pip install vllm"):
        find_python(tmp_path / "home", {}, tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"TUNEWRIGHT_VLLM_PYTHON: .*/nowhere is no program"):
        find_python(tmp_path, {"TUNEWRIGHT_VLLM_PYTHON": str(tmp_path / "nowhere")}, tmp_path)


def test_the_doctor_says_whether_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, with the Python that would be used."""
    environment = make_environment(tmp_path / "env")
    monkeypatch.setenv("TUNEWRIGHT_VLLM_PYTHON", str(environment.python))
    (line,) = [f for f in examine(Settings(home=tmp_path, roots=())) if f.what == "vLLM"]
    assert line.level == "ok"
    assert str(environment.python) in line.value


def test_a_directory_that_is_no_model_is_refused_at_once(tmp_path: Path) -> None:
    """Before there is a study."""
    environment = make_environment(tmp_path / "env")
    with pytest.raises(InputError, match=r"holds no config\.json"):
        open_planner(f"vllm:{tmp_path}", environ={"TUNEWRIGHT_VLLM_PYTHON": str(environment.python)})


def test_the_first_question_starts_the_server_and_the_key_stays_hidden(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing runs before; then one server answers all, on loopback, and its key is in no argument, log or record."""
    environment = make_environment(tmp_path / "env", {"status": 500, "body": "busy"}, GOOD)
    session = Session(model, environment)
    assert environment.starts == []
    assert session.ask() == Answer(why="counted", n=3)
    assert Session(model, environment).ask().n == 3
    (start,) = environment.starts
    key = start["environ"]["VLLM_API_KEY"]
    assert len(key) >= 40
    assert environment.requests[0]["headers"]["authorization"] == f"Bearer {key}"
    arguments = start["argv"]
    assert arguments[arguments.index("--host") + 1] == "127.0.0.1"
    assert arguments[arguments.index("--max-model-len") + 1] == "4096"
    lines = [" ".join(psutil.Process(pid).cmdline()) for pid in start["pids"]]
    logs = [file.read_text() for file in (tmp_path / "home" / "logs").iterdir()]
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "vLLM is ready" in shown.err
    assert not [text for text in (*lines, *logs, session.everything, shown.err, repr(session.planner)) if key in text]


def test_the_server_sees_no_key_of_the_users(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment is an allowlist: no API key, no hub, nothing of ours to import; vLLM's own settings pass."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    monkeypatch.setenv("HF_TOKEN", "canary")
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "WARNING")
    environment = make_environment(tmp_path / "env", GOOD)
    Session(model, environment).ask()
    seen = environment.starts[0]["environ"]
    assert "canary" not in seen.values()
    assert (seen["HF_HUB_OFFLINE"], seen["VLLM_LOGGING_LEVEL"], seen["VLLM_NO_USAGE_STATS"]) == ("1", "WARNING", "1")


def test_a_prompt_is_held_to_the_schema_and_the_context(model: Path, tmp_path: Path) -> None:
    """The decoder gets the schema with bounds, and a reply is not longer than the model can read."""
    environment = make_environment(tmp_path / "env", GOOD)
    Session(model, environment).ask()
    body = environment.requests[0]["body"]
    form = body["response_format"]["json_schema"]
    assert form["strict"] is True
    assert form["schema"]["properties"]["why"] == {"type": "string", "maxLength": MAX_CHARACTERS}
    assert body["max_completion_tokens"] == 4096


def test_a_server_that_does_not_start_is_told_with_the_end_of_its_log(model: Path, tmp_path: Path) -> None:
    """The telling line, where to read more, and no second try."""
    session = Session(model, make_environment(tmp_path / "env", start="exit"))
    with pytest.raises(PlannerFailed, match=r"exit code 1; its log .*\.log ends: ValueError: the fake model is too l"):
        session.ask()
    with pytest.raises(PlannerFailed, match=r"not asked.*too large"):
        session.ask()


def test_a_server_that_hangs_is_given_up_and_ended(model: Path, tmp_path: Path) -> None:
    """After the time limit nothing of it is left; progress was shown."""
    environment, said = make_environment(tmp_path / "env", start="hang"), list[str]()
    server = VllmServer(str(model), environment.python, tmp_path, start_seconds=2.0, say=said.append)
    with pytest.raises(ServerFailed, match=r"no answer within 2 s; .* it printed nothing"):
        server.start()
    assert living(environment.starts[0]["pids"]) == []
    assert "starting" in said[0]


def test_a_server_that_wants_no_key_is_not_used(model: Path, tmp_path: Path) -> None:
    """A vLLM that ignores the key would serve anybody."""
    server = VllmServer(str(model), make_environment(tmp_path / "env", start="no key").python, tmp_path)
    with pytest.raises(ServerFailed, match="without its key"):
        server.start()


def test_a_server_that_dies_is_started_again_once(model: Path, tmp_path: Path) -> None:
    """The first death costs a retry that tells of it, the second one opens the circuit breaker with an event."""
    environment = make_environment(tmp_path / "env", GOOD, {"die": True}, GOOD, {"die": True})
    session = Session(model, environment)
    assert [session.ask().n, session.ask().n] == [3, 3]
    assert [event.kind for event in session.events] == ["retry"]
    assert "exit code 3" in session.events[0].message
    assert "the fake engine is dead" in session.events[0].message
    with pytest.raises(PlannerFailed, match=r"3 attempts.*it died again"):
        session.ask()
    assert session.events[-1].kind == "breaker_opened"
    assert len(environment.starts) == 2
    assert environment.starts[0]["environ"]["VLLM_API_KEY"] == environment.starts[1]["environ"]["VLLM_API_KEY"]


def test_the_end_takes_the_whole_process_group(model: Path, tmp_path: Path) -> None:
    """Also a grandchild that ignores SIGTERM; a closed server does not start again, a new one does."""
    environment = make_environment(tmp_path / "env", GOOD)
    server = server_for(str(model), tmp_path, {"TUNEWRIGHT_VLLM_PYTHON": str(environment.python)})
    server.start()
    assert len(living_now := [pid for pid in environment.starts[0]["pids"] if _runs(pid)]) == 3
    close_servers()
    assert living(living_now) == []
    with pytest.raises(ServerFailed, match="was stopped"):
        server.start()
    assert server_for(str(model), tmp_path, {"TUNEWRIGHT_VLLM_PYTHON": str(environment.python)}) is not server


OWNER = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background has Ctrl-C ignored
from agent.llm.vllm.server import server_for
server_for(sys.argv[1], Path(sys.argv[2]), {"TUNEWRIGHT_VLLM_PYTHON": sys.argv[3]}).start()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_server_dies_with_its_owner(model: Path, tmp_path: Path, sign: signal.Signals) -> None:
    """kill -9, a plain kill or Ctrl-C: nothing of the server is left."""
    environment = make_environment(tmp_path / "env", GOOD)
    command = [sys.executable, "-P", "-c", OWNER, str(model), str(tmp_path), str(environment.python)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    owner.send_signal(sign)
    owner.communicate(timeout=30)
    assert living(environment.starts[0]["pids"]) == []


def test_one_server_a_model(model: Path, tmp_path: Path) -> None:
    """Whoever asks in this process shares it, however the path is written."""
    environ = {"TUNEWRIGHT_VLLM_PYTHON": str(make_environment(tmp_path / "env").python)}
    server = server_for(str(model), tmp_path, environ)
    assert server_for(f"{model.parent}/./model", tmp_path, environ) is server
    assert server_for("someone/else", tmp_path, environ) is not server


def test_open_lists_and_texts_are_bounded() -> None:
    """At every level; limits, choices and names that a schema sets itself are kept."""
    text, choice = {"type": "string"}, {"type": ["string", "null"], "enum": ["a", None]}
    item = {"type": "object", "properties": {"type": choice, "note": {"anyOf": [text, {"type": "null"}]}}}
    short = {"type": "array", "maxItems": 3, "items": {"type": "integer"}}
    schema = bounded({"type": "object", "properties": {"tags": {"type": "array", "items": item}, "short": short}})
    assert schema["properties"]["short"] == short
    assert schema["properties"]["tags"]["maxItems"] == MAX_ITEMS
    inner = schema["properties"]["tags"]["items"]["properties"]
    assert inner["type"] == choice
    assert inner["note"]["anyOf"] == [{"type": "string", "maxLength": MAX_CHARACTERS}, {"type": "null"}]


def test_memory_for_keys_and_values_follows_the_model(tmp_path: Path) -> None:
    """A 70 B model (80 layers, 8 key-value heads of 128) needs 320 KiB a token; a small one gets the least share."""
    shape = {"num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "hidden_size": 8192}
    (tmp_path / "config.json").write_text(json.dumps({**shape, "max_position_embeddings": 131072}))
    assert context_of(tmp_path) == 8192
    assert kv_cache_bytes(tmp_path) == int(1.1 * 320 * 1024 * 8192)
    (tmp_path / "config.json").write_text(json.dumps({"text_config": {"max_position_embeddings": 512}}))
    assert context_of(tmp_path) == 512
    assert kv_cache_bytes(tmp_path) == 2**30


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        ("/invocations", b"Bearer right", 200),
        ("/invocations", b"Bearer wrong", 401),
        ("/invocations", None, 401),
        ("/v1/models", None, 401),
        ("/health", None, 200),
        ("/health/../invocations", None, 401),
    ],
)
def test_every_route_but_health_wants_the_key(
    monkeypatch: pytest.MonkeyPatch, path: str, header: bytes | None, status: int
) -> None:
    """vLLM checks the key on some routes only; what we put in front of it checks it on all."""
    monkeypatch.setenv("VLLM_API_KEY", "right")
    from agent.llm.vllm.entry import KeyOnEveryRoute

    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"authorization", header)] if header else []
    scope = {"type": "http", "path": path, "headers": headers}
    asyncio.run(KeyOnEveryRoute(app)(scope, None, send))
    assert sent[0]["status"] == status


def test_a_socket_without_the_key_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Web sockets too."""
    monkeypatch.setenv("VLLM_API_KEY", "right")
    from agent.llm.vllm.entry import KeyOnEveryRoute

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/v1/realtime", "headers": []}
    asyncio.run(KeyOnEveryRoute(None)(scope, None, send))
    assert [message["type"] for message in sent] == ["websocket.close"]
    assert os.environ["VLLM_API_KEY"] == "right"

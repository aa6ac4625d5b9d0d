"""The real vLLM with models of a few hundred thousand random weights: `make vllm` first, then pytest --slow."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from agent.errors import InputError, PlannerFailed
from agent.llm import LlmCall, LlmEvent, open_planner
from agent.search.llm_batch import CandidateBatch
from agent.vllm_server import VllmServer, close_servers
from agent.vllm_setup import find_python
from prompts import Rendered

PROJECT = Path(__file__).parent.parent.parent
NAMED = {k: v for k, v in os.environ.items() if k == "TUNEWRIGHT_VLLM_PYTHON"}  # before a fixture takes it away
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of the environment with vLLM."""
    try:
        return find_python(tmp_path_factory.mktemp("nothing"), NAMED)
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny chat model, read with long contexts and heads of a size that vLLM's CPU build knows (32, not 48)."""
    from trainers.embedded import build_tiny_causal

    directory = build_tiny_causal(tmp_path_factory.mktemp("model") / "tiny")
    for name, changes in {
        "config.json": {"num_attention_heads": 6, "num_key_value_heads": 6, "max_position_embeddings": 8192},
        "tokenizer_config.json": {"model_max_length": 8192},
    }.items():
        file = directory / name
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return directory


@pytest.fixture(scope="module")
def server(python: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """The tiny model, served."""
    running = VllmServer(str(tiny), python, tmp_path_factory.mktemp("home"))
    running.start()
    yield running
    running.close()


def post(server: VllmServer, path: str, body: dict[str, Any], key: str | None = None) -> httpx.Response:
    """One request; with the server's own key unless another one is given."""
    root = server.base_url.removesuffix("/v1")
    header = {"Authorization": f"Bearer {server.key if key is None else key}"}
    return httpx.post(f"{root}{path}", json={"model": "planner", **body}, headers=header, timeout=120)


def processes_of(model: Path) -> list[int]:
    """Ids of the processes that serve `model`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if "vllm_entry.py" in line and str(model) in line:
            found.append(process.pid)
    return found


@pytest.mark.parametrize("path", ["/v1/completions", "/invocations", "/tokenize", "/v1/chat/completions"])
def test_no_route_answers_without_the_key(server: VllmServer, path: str) -> None:
    """Also those that vLLM itself leaves open."""
    body = {"prompt": "one", "max_tokens": 1}
    if "chat" in path:
        body = {"messages": [{"role": "user", "content": "one"}], "max_tokens": 1}
    assert post(server, path, body, key="guess").status_code == 401
    assert post(server, path, body).status_code == 200


def test_the_key_is_in_no_log_and_no_argument(server: VllmServer, tiny: Path) -> None:
    """What other users of the machine and readers of logs can see."""
    assert "Uvicorn" in server.log.read_text() or "Started server process" in server.log.read_text()
    assert server.key not in server.log.read_text()
    lines = [" ".join(psutil.Process(pid).cmdline()) for pid in processes_of(tiny)]
    assert lines
    assert not [line for line in lines if server.key in line]


def assert_scores(server: VllmServer, ids: list[int]) -> None:
    """`/v1/completions` gives every prompt token's log-probability and those of the next token; what a language model
    over token ids is asked for."""
    answer = post(server, "/v1/completions", {"prompt": ids, "max_tokens": 1, "logprobs": 5, "prompt_logprobs": 0})
    choice = answer.json()["choices"][0]
    given = [next(iter(entry.values()))["logprob"] for entry in choice["prompt_logprobs"][1:]]
    assert len(given) == len(ids) - 1
    assert all(p <= 0 for p in given)
    assert len(choice["logprobs"]["top_logprobs"][0]) >= 5


def test_completions_of_token_ids_and_text_have_logprobs(server: VllmServer) -> None:
    """The same prompt as ids and as text is scored alike."""
    assert_scores(server, [1, 40, 41, 42, 43])
    answer = post(server, "/v1/completions", {"prompt": "one two", "max_tokens": 2, "prompt_logprobs": 1})
    assert answer.json()["usage"]["completion_tokens"] <= 2
    assert answer.json()["choices"][0]["prompt_logprobs"][0] is None


def test_the_embedded_model_is_served(python: Path, tmp_path: Path) -> None:
    """The in-context model of the wheel answers with the probabilities of its tokens."""
    weights = PROJECT / "trainers" / "incontext" / "weights"
    if not (weights / "config.json").is_file():
        pytest.skip("no weights are there")
    served = VllmServer(str(weights), python, tmp_path)
    try:
        served.start()
        assert_scores(served, [1, 2, 3, 4])
    finally:
        served.close()


@pytest.fixture
def ended() -> Iterator[None]:
    """No server of this process outlives the test."""
    yield
    close_servers()


def test_replies_fit_the_schema(python: Path, tiny: Path, ended: None) -> None:
    """Random weights, and yet every reply is valid at the first try: choices, bounds, no free space."""
    calls: list[LlmCall] = []
    planner = open_planner(f"vllm:{tiny}", on_call=calls.append, environ={"TUNEWRIGHT_VLLM_PYTHON": str(python)})
    assert planner is not None
    rate = {"type": "string", "enum": ["1e-05", "0.0001", "0.001"]}
    item = {"type": "object", "properties": {"why": {"type": "string"}, "rate": rate}, "required": ["why", "rate"]}
    shape = {
        "title": "Candidates",
        "type": "object",
        "properties": {"candidates": {"type": "array", "items": {**item, "additionalProperties": False}}},
        "required": ["candidates"],
        "additionalProperties": False,
    }
    question = Rendered("question", "2", "learning rate and score: " + "0.0001 0.71; " * 100)
    for _ in range(10):
        batch = planner.ask(Rendered("role", "1", "You propose."), question, CandidateBatch, shape)
        assert all(set(c) == {"why", "rate"} and c["rate"] in rate["enum"] for c in batch.candidates)
    assert [call.error for call in calls] == [None] * 10
    assert all(json.loads(call.reply) and call.prompt_tokens > 500 for call in calls)


def test_an_engine_that_dies_is_told_with_its_reason(python: Path, tiny: Path, tmp_path: Path, ended: None) -> None:
    """vLLM's CPU build takes heads of 16 and dies of the first question: the log's own words reach the user."""
    model = tmp_path / "small-heads"
    shutil.copytree(tiny, model)
    config = json.loads((model / "config.json").read_text())
    heads = {"num_attention_heads": 12, "num_key_value_heads": 12}
    (model / "config.json").write_text(json.dumps(config | heads))
    events: list[LlmEvent] = []
    planner = open_planner(f"vllm:{model}", on_event=events.append, environ={"TUNEWRIGHT_VLLM_PYTHON": str(python)})
    assert planner is not None
    role = Rendered("role", "1", "You propose.")
    with pytest.raises(PlannerFailed, match=r"died again.*head_dim=16"):
        planner.ask(role, role, CandidateBatch)
    assert [event.kind for event in events] == ["retry", "retry", "breaker_opened"]
    assert processes_of(model) == []


OWNER = """
import sys, time
from pathlib import Path
from agent.vllm_server import VllmServer
server = VllmServer(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
server.start()
print("ready", flush=True)
time.sleep(600)
"""


def test_vllm_dies_with_its_owner(python: Path, tiny: Path, tmp_path: Path) -> None:
    """kill -9 of the command that started it takes the server and its engine processes along."""
    command = [sys.executable, "-P", "-c", OWNER, str(tiny), str(python), str(tmp_path)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    family = psutil.Process(owner.pid).children(recursive=True)
    assert len(family) >= 3, "keeper, server, engine"
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert psutil.wait_procs(family, timeout=30)[1] == []


def test_a_study_is_driven_by_vllm(python: Path, tiny: Path, tmp_path: Path) -> None:
    """The main job with `--llm vllm:`: it completes, every reply is valid, nothing of the server is left."""
    rng = random.Random(0)
    words = (("apple", "pear", "plum", "fig", "peach"), ("engine", "wheel", "brake", "gear", "clutch"))
    rows = ["text,label"]
    rows += [f"{' '.join(rng.choices(words[i % 2], k=4))} number {i},{('fruit', 'car')[i % 2]}" for i in range(200)]
    (tmp_path / "things.csv").write_text("\n".join(rows))
    spec = {
        "task": "classification",
        "base_model": str(tiny),
        "data": {"train": "things.csv"},
        "budget": {"trials": 8},
        "search": {"epochs": 1, "batch_size": 16},
    }
    (tmp_path / "spec.yaml").write_text(json.dumps(spec))
    environment = {
        **os.environ,
        "TUNEWRIGHT_HOME": str(tmp_path / "home"),
        "TUNEWRIGHT_ROOTS": str(tiny),
        "TUNEWRIGHT_VLLM_PYTHON": str(python),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-P", "-m", "agent", "run", "spec.yaml", "--llm", f"vllm:{tiny}", "--yes", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "vLLM is ready" in done.stderr
    assert processes_of(tiny) == []
    database = sqlite3.connect(tmp_path / "home" / "tunewright.db")
    calls = database.execute("SELECT error, reply FROM llm_calls").fetchall()
    assert calls
    assert [error for error, _ in calls if error] == []
    assert all(CandidateBatch.model_validate_json(reply).candidates for _, reply in calls)
    assert database.execute("SELECT state FROM studies").fetchall() == [("DONE",)]
    assert database.execute("SELECT state FROM trials WHERE number < 8").fetchall() == [("COMPLETE",)] * 8

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
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from agent.errors import InputError, PlannerFailed
from agent.llm.calls import LlmCall, LlmEvent
from agent.llm.open import open_planner
from agent.llm.vllm.server import VllmServer, close_servers
from agent.llm.vllm.setup import find_python
from agent.search.llm.batch import CandidateBatch
from prompts import Rendered
from prompts import trial_words as words
from trainers.incontext.forward import Network
from trainers.incontext.network import Size, new_network, save_network

WEIGHTS = Path(__file__).parents[4] / "trainers" / "incontext" / "weights"
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
    from trainers.tiny_causal import build_tiny_causal

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


WIDE_HEADS = Size(hidden=64, layers=2, heads=2, inner=64)
"""As small as vLLM's CPU build takes, which knows no heads narrower than 32."""

TOLERANCE = 0.15
"""In natural logarithms: a logit of 10 has steps of 0.06 in bfloat16, and ours are of float32."""


@pytest.fixture(params=["random", "embedded"])
def incontext(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Directories of in-context models: a new network, with weights large enough to prefer some words; the wheel's."""
    if request.param == "random":
        network = new_network(WIDE_HEADS, seed=5)
        for name, weight in network.state_dict().items():
            weight.mul_(1.0 if "norm" in name else 6.0)
        save_network(network, tmp_path / "network")
        return tmp_path / "network"
    if not (WEIGHTS / "config.json").is_file():
        pytest.skip("no weights are there")
    return WEIGHTS


def test_an_in_context_model_says_the_same_in_vllm_as_here(python: Path, incontext: Path, tmp_path: Path) -> None:
    """Asked in words for a score and for a configuration: the same tokens, and log-probabilities within bfloat16."""
    rows = [[0.05 + 0.11 * i, 0.9 - 0.1 * i, (0.37 * i) % 1.0] for i in range(8)]
    header = words.header_tokens(["learning_rate", "lora_rank", "dropout"], [0.5, 0.4, 0.2], [0.15, 0.3, 0.25])
    trials = [words.trial_tokens(row, None if i == 5 else 0.35 + 0.04 * i) for i, row in enumerate(rows)]
    history = header + [token for trial in trials for token in trial]
    served, network = VllmServer(str(incontext), python, tmp_path), Network(incontext)
    try:
        served.start()
        for asked in (words.config_tokens([0.4, 0.6, 0.1]), [words.target_token(0.8)]):
            assert_same_words(served, network, history + asked)
    finally:
        served.close()


def assert_same_words(server: VllmServer, network: Network, tokens: list[int]) -> None:
    """vLLM reads the words of `tokens` as these and no more, finds each as likely as `network` does, and likewise the
    word that comes next."""
    vocabulary = words.vocabulary()
    shares = network.shares(network.read(tokens).hidden, slice(0, words.SIZE))
    expected = np.log(shares.astype(np.float64) + 1e-12)
    prompt = " ".join(vocabulary[token] for token in tokens)
    body = {"prompt": prompt, "max_tokens": 1, "temperature": 0, "logprobs": 20, "prompt_logprobs": 0}
    answer = post(server, "/v1/completions", body)
    choice = answer.json()["choices"][0]
    read = [next(iter(entry.items())) for entry in choice["prompt_logprobs"][1:]]
    assert answer.json()["usage"]["prompt_tokens"] == len(tokens)
    assert [int(token) for token, _ in read] == tokens[1:]
    mine = expected[np.arange(len(tokens) - 1), tokens[1:]]
    np.testing.assert_allclose([said["logprob"] for _, said in read], mine, atol=TOLERANCE)
    top = choice["logprobs"]["top_logprobs"][0]
    mine_top = {word: expected[-1, vocabulary.index(word)] for word in top}
    assert top == pytest.approx(mine_top, abs=TOLERANCE)
    likeliest = [vocabulary[i] for i in np.flatnonzero(expected[-1] > min(top.values()) + TOLERANCE)]
    assert likeliest
    assert set(likeliest) <= set(top)


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
from agent.llm.vllm.server import VllmServer
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


RECORDER = """
import json
from pathlib import Path

class Recorder:
    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        if scope.get("path") != "/v1/chat/completions":
            return await self._app(scope, receive, send)
        asked, said = [], []

        async def heard():
            message = await receive()
            asked.append(message.get("body", b""))
            return message

        async def told(message):
            said.append(message.get("body", b""))
            await send(message)

        await self._app(scope, heard, told)
        with Path(__file__).with_name("exchanges").open("a") as file:
            file.write(json.dumps([b"".join(asked).decode(), b"".join(said).decode()]) + chr(10))
"""

CHECK = """
import json, sys
from jsonschema import Draft202012Validator
for schema, reply in json.load(sys.stdin):
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(reply))
"""


@pytest.fixture
def recorded(python: Path, tmp_path: Path) -> Path:
    """A Python that is `python`, and has vLLM write what it is asked and answers into the file beside it."""
    directory = tmp_path / "recorded"
    directory.mkdir()
    (directory / "recorder.py").write_text(RECORDER)
    own = f'PYTHONPATH="{directory}" PATH="{python.parent}{os.pathsep}$PATH"'
    (directory / "python").write_text(f'#!/bin/sh\n{own} exec "{python}" "$@" --middleware recorder.Recorder\n')
    (directory / "python").chmod(0o755)
    return directory / "python"


def exchanges(recorded: Path) -> list[tuple[dict[str, Any], str]]:
    """(schema, reply) of every chat that vLLM answered."""
    found = []
    for line in recorded.with_name("exchanges").read_text().splitlines():
        asked, said = json.loads(line)
        if said:  # nothing where the asker did not wait
            schema = json.loads(asked)["response_format"]["json_schema"]["schema"]
            found.append((schema, json.loads(said)["choices"][0]["message"]["content"]))
    return found


def processes_in(directory: Path) -> list[str]:
    """Command lines of the processes that work below `directory`, as all that a study starts do; vLLM's own rename
    themselves, and keep that."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(directory):
                found.append(" ".join(process.cmdline()))
    return found


def test_a_study_is_driven_by_vllm(python: Path, recorded: Path, tiny: Path, tmp_path: Path) -> None:
    """The main job with `--llm vllm:`: it completes, every reply fits the schema it was asked with, nothing of the
    server is left."""
    rng = random.Random(0)
    kinds = (("apple", "pear", "plum", "fig", "peach"), ("engine", "wheel", "brake", "gear", "clutch"))
    rows = ["text,label"]
    rows += [f"{' '.join(rng.choices(kinds[i % 2], k=4))} number {i},{('fruit', 'car')[i % 2]}" for i in range(200)]
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
        "TUNEWRIGHT_VLLM_PYTHON": str(recorded),
        "OMP_NUM_THREADS": "1",
    }
    command = [
        sys.executable,
        "-P",
        "-m",
        "agent.faces.cli",
        "run",
        "spec.yaml",
        "--llm",
        f"vllm:{tiny}",
        "--yes",
        "--json",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    left = processes_in(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "vLLM is ready" in done.stderr
    assert left == []
    database = sqlite3.connect(tmp_path / "home" / "tunewright.db")
    calls = database.execute("SELECT error, reply FROM llm_calls").fetchall()
    said = [reply for error, reply in calls if error is None]
    assert said
    # a call that is under way when the last trial ends is not waited for
    assert [error for error, reply in calls if error and (reply or not error.startswith("stopped before"))] == []
    asked = exchanges(recorded)
    assert set(said) <= {reply for _, reply in asked}
    assert all({"priors", "candidates", "edits"} <= set(schema["properties"]) for schema, _ in asked)
    judged = subprocess.run([python, "-c", CHECK], input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stderr[-3000:]
    assert all(CandidateBatch.model_validate_json(reply).candidates for reply in said)
    assert database.execute("SELECT state FROM studies").fetchall() == [("DONE",)]
    assert database.execute("SELECT state FROM trials WHERE number < 8").fetchall() == [("COMPLETE",)] * 8

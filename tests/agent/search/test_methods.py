"""`tunewright bench search`, from the command line to the numbers."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.faces.cli.commands import cli
from agent.search.methods import DEFAULT_METHODS, METHODS, Proposing, check_methods, method, method_version
from agent.search.statistical import Statistical
from evals.search_bench.files import load_tables
from evals.search_bench.run import RunKey, run
from trainers.errors import InputError

RATES, RANKS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), (4, 8, 16, 32)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Two tables of twenty configurations, two runs each; the highest rate diverges at high ranks."""
    directory = tmp_path / "tables"
    directory.mkdir()
    space = {
        "learning_rate": {"type": "float", "low": RATES[0], "high": RATES[-1], "log": True},
        "lora_rank": {"type": "categorical", "choices": RANKS},
    }
    for name, best in (("toy-one", 2), ("toy-two", 3)):
        head = {"name": name, "objective": {"direction": "minimize"}, "space": space, "grid": True, "source": "toys"}
        (directory / f"{name}.json").write_text(json.dumps(head))
        with (directory / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["learning_rate", "lora_rank", "objective", "status"])
            for i, rate in enumerate(RATES):
                for j, rank in enumerate(RANKS):
                    for repeat in (0, 1):
                        lost = i == 4 and j > 1
                        loss = 1 + (i - best) ** 2 - 0.1 * j + 0.01 * repeat
                        writer.writerow([rate, rank, "" if lost else loss, "diverged" if lost else "ok"])
    return directory


def bench(*arguments: str | Path) -> Result:
    """`tunewright bench search ARGUMENTS`."""
    return CliRunner().invoke(cli, ["bench", "search", *(str(a) for a in arguments)])


def numbers(result: Result) -> dict[str, Any]:
    """The one JSON object of a command that must succeed."""
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_two_methods_on_a_directory_of_tables(tables: Path) -> None:
    """The shape that is promised: methods, tables, tests; regret by trials, shares, seconds."""
    found = numbers(bench("--tables", tables, "--methods", "random,tpe", "--trials", "5", "--seeds", "2", "--json"))
    assert list(found["methods"]) == ["random", "tpe"]
    assert list(found["tables"]) == ["toy-one", "toy-two"]
    for of_method in (found["methods"], found["tables"]["toy-one"]):
        for one in of_method.values():
            assert set(one["regret"]) == {"3", "5"}
            assert 0.0 <= one["regret"]["5"] <= one["regret"]["3"] <= 1.0
            assert 0.0 <= one["failed_share"] <= 1.0
            assert 0.0 <= one["duplicate_share"] <= 1.0
            assert one["seconds_per_proposal"] > 0.0
            assert one["tokens_per_proposal"] == 0
    assert set(found["tests"]["random"]) == {"better", "tpe"}
    assert set(found["tests"]["random"]["better"]) == {"3", "5", "area"}
    assert found["families"].keys() == {"toy"}
    assert found["settings"]["trials"] == 5


def test_all_agreed_numbers_of_trials_are_there(tables: Path) -> None:
    """With the 25 trials that are the default."""
    found = numbers(bench("--tables", tables, "--methods", "random", "--seeds", "1", "--json"))
    assert list(found["methods"]["random"]["regret"]) == ["3", "5", "8", "10", "15", "25"]


def test_everything_is_kept_and_shown(tables: Path, tmp_path: Path) -> None:
    """A second call with the same directory runs nothing anew and prints the same; twins are told apart."""
    arguments = ("--tables", tables, "--methods", "random,tpe,default", "--trials", "4", "--seeds", "2", "--renamed")
    first = bench(*arguments, "--out", tmp_path / "out")
    assert first.exit_code == 0, first.output
    assert "renamed twins: 2 problems" in first.stdout
    kept = (tmp_path / "out" / "runs.jsonl").read_text()
    assert len(kept.splitlines()) == 2 * 2 * 3 * 2
    assert bench(*arguments, "--out", tmp_path / "out").stdout == first.stdout
    assert (tmp_path / "out" / "runs.jsonl").read_text() == kept
    assert (tmp_path / "out" / "regret.png").stat().st_size > 10_000


def test_two_processes_find_what_one_finds(tables: Path) -> None:
    """`--jobs` changes the time only."""
    arguments = ("--tables", tables, "--methods", "random,tpe", "--trials", "4", "--seeds", "2", "--json")
    regrets = [
        {name: one["regret"] for name, one in numbers(bench(*arguments, "--jobs", jobs))["methods"].items()}
        for jobs in ("1", "2")
    ]
    assert regrets[0] == regrets[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--methods", "magic"], "magic"),
        (["--tables", "nowhere"], "must be a directory"),
        (["--suite", "imagenet"], "imagenet"),
        (["--trials", "0"], "--trials"),
        (["--seeds", "0"], "--seeds"),
        (["--start", "11"], "--start"),
    ],
)
def test_bad_input_is_told_with_exit_code_2(arguments: list[str], said: str) -> None:
    """What is wrong and what would be right."""
    result = bench(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("name", ["random", "tpe", "gp", "default", "statistical", "spread"])
def test_methods_without_an_llm_run(tables: Path, name: str) -> None:
    """Each offers members of the space, the same in the same seed, until the trials are used up."""
    problem = load_tables(tables)[0]
    key = RunKey(problem=problem.name, method=name, seed=0, start=1, trials=4, version="1", data="d")
    first, again = (run(problem, method(name, problem, 0), key).steps for _ in range(2))
    assert len(first) == (1 if name == "default" else 4)
    assert all(not problem.space.problems(step.config) for step in first)
    assert [step.config for step in first] == [step.config for step in again]


def test_our_proposers_are_told_failures_and_pass_on_predictions(tables: Path) -> None:
    """A failed trial is part of their history; nothing is offered twice where the space has more."""
    problem = load_tables(tables)[0]
    key = RunKey(problem=problem.name, method="statistical", seed=1, start=4, trials=10, version="1", data="d")
    found = run(problem, Proposing(Statistical(problem.space), problem, 1), key)
    assert not any(step.duplicate for step in found.proposals)


def test_every_default_method_is_known() -> None:
    """And a name that is not is refused before anything runs."""
    check_methods(DEFAULT_METHODS)
    assert set(DEFAULT_METHODS) <= set(METHODS)
    with pytest.raises(InputError, match="must be of random, tpe"):
        check_methods(["random", "rando"])
    with pytest.raises(InputError, match="'rando'"):
        method("rando", None, 0)  # type: ignore[arg-type]


def test_versions_change_with_the_code_behind_a_method() -> None:
    """Optuna's methods hang on Optuna's version, ours on our code."""
    assert method_version("tpe").startswith("optuna 5")
    assert method_version("default") == "1"
    assert len(method_version("statistical")) == 16
    assert method_version("statistical") == method_version("statistical")

"""`tunewright bench search`, from the command line to the numbers; with planner LLMs, and this project's proposers."""

import csv
import json
import pickle
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.faces.cli.commands import cli
from agent.llm.calls import LlmCaps, LlmEvent
from agent.llm.planner import Planner
from agent.search.methods import (
    DEFAULT_METHODS,
    LLM_METHODS,
    METHODS,
    NO_LLM,
    BenchLlm,
    Proposing,
    check_methods,
    llm_proposer,
    method,
    method_version,
    problem_card,
)
from agent.search.statistical import Statistical
from evals.search_bench.files import load_tables
from evals.search_bench.problem import Problem
from evals.search_bench.renamed import Renamed
from evals.search_bench.run import Run, RunKey, run
from evals.search_bench.synthetic import load_synthetic
from tests.agent.search.llm.adversaries import Obedient
from tests.fakes.openai_server import serve
from tests.fakes.scripted_chat import ScriptedChat
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


without_weights = pytest.mark.skipif(
    not files("trainers.incontext").joinpath("weights").is_dir(), reason="the in-context model is not there"
)
CALLED = [pytest.param(name, marks=without_weights if name == "hybrid+llm" else ()) for name in LLM_METHODS]


@pytest.fixture(scope="module")
def problem() -> Problem:
    """Five hyperparameters of fine-tuning, no failures."""
    return next(p for p in load_synthetic() if p.name == "tuning-smooth")


def scripted(name: str, caps: LlmCaps, on_event: Callable[[LlmEvent], None]) -> Planner | None:
    """Planner LLMs of the tests."""
    chats: dict[str, Callable[[], Any]] = {"obedient": Obedient, "mute": lambda: ScriptedChat("no")}
    return Planner(chats[name](), name, caps=caps, on_event=on_event) if name in chats else None


def searched(problem: Problem, name: str, llm: BenchLlm = NO_LLM, trials: int = 4) -> Run:
    """One run in seed 0."""
    key = RunKey(problem=problem.name, method=name, seed=0, start=1, trials=trials, version="1", data="d")
    return run(problem, method(name, problem, 0, llm), key)


@pytest.mark.parametrize("name", CALLED)
def test_methods_with_an_llm_run_and_their_tokens_are_counted(problem: Problem, name: str) -> None:
    """Members of the space until the trials are used up; tokens are those that the planner's cap knows of."""
    llm = BenchLlm("obedient", 4, scripted)
    steps = searched(problem, name, llm).steps
    assert len(steps) == 4
    assert all(not problem.space.problems(step.config) for step in steps)
    assert any(step.source == name.replace("hybrid+", "") for step in steps) or name == "hybrid+llm"
    assert 0 < sum(step.tokens for step in steps) <= 8_000
    assert steps[0].tokens == 0


@pytest.mark.parametrize("name", ["llm", "llambo-end-to-end", "llambo-warmstart-full", "llambo-discriminative"])
def test_what_an_llm_does_not_give_is_drawn_at_random_and_told(
    problem: Problem, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run goes on, the steps say where they came from, and stderr says why, once."""
    steps = searched(problem, name, BenchLlm("mute", 6, scripted), trials=6).steps
    assert [step.source for step in steps] == ["default", *["random"] * 5]
    assert sum(step.tokens for step in steps) > 0
    said = capsys.readouterr().err
    assert said.count(f"{name} on tuning-smooth, seed 0: ") == 1


def test_the_cap_is_that_of_a_study_of_as_many_trials(problem: Problem) -> None:
    """LLAMBO asks for every trial; where its tokens are used up the rest is random. Four trials may use 8,000."""
    steps = searched(problem, "llambo-discriminative", BenchLlm("obedient", 4, scripted), trials=18).steps
    assert 6_000 < sum(step.tokens for step in steps) <= 8_000
    assert {step.source for step in steps[1:5]} == {"llambo-discriminative"}
    assert [step.source for step in steps[-2:]] == ["random", "random"]


def test_each_run_has_a_planner_of_its_own(problem: Problem) -> None:
    """Runs of one benchmark do not eat each other's tokens."""
    llm = BenchLlm("obedient", 4, scripted)
    one, other = (searched(problem, "llm", llm) for _ in range(2))
    assert [step.tokens for step in one.steps] == [step.tokens for step in other.steps]


def test_the_llm_is_told_of_a_problem_what_is_known(problem: Problem) -> None:
    """Direction, budget and the task in words; no adapter, device or data that the problem does not have. A renamed
    twin's task is kept back."""
    card = problem_card(problem, 9)
    assert card.trials == 9
    assert card.lines() == [("description", "fine-tuning, validation loss"), ("direction", "minimize")]
    assert problem_card(Renamed(problem), 9).lines() == [("direction", "minimize")]
    chat = Obedient()
    llm = BenchLlm("any", 9, lambda name, caps, on_event: Planner(chat, name))
    method("llm", problem, 0, llm)(())
    system, user = (message.text for message in chat.asked[0])
    assert "- direction: minimize\n\nHyperparameters:" in system
    assert "to be minimized" in user
    assert "Trials left: 9" in user


@pytest.mark.parametrize("name", LLM_METHODS)
def test_a_method_that_needs_an_llm_says_so(problem: Problem, name: str) -> None:
    """Rule, value and next step, before anything runs; and where a run is set up without a check."""
    result = bench("--methods", f"random,{name}", "--suite", "synthetic", "--json")
    assert result.exit_code == 2
    assert "got 'embedded'" in result.output
    assert "openai:MODEL" in result.output
    with pytest.raises(InputError, match="must name a planner LLM"):
        method(name, problem, 0)


def test_a_missing_key_is_told_before_anything_runs() -> None:
    """As by every other command that takes --llm; methods that ask no LLM do not care."""
    result = bench(
        "--methods", "llm", "--llm", "openai:some-model", "--suite", "synthetic", "--only", "branin", "--json"
    )
    assert result.exit_code == 2
    assert "OPENAI_API_KEY" in result.output
    check_methods(["random", "hybrid-without-incontext"], BenchLlm("openai:some-model", 5))


def test_two_processes_open_the_llm_by_its_name(tmp_path: Path) -> None:
    """The builder travels to them without keys or connections; tokens and sources come back, also from --out."""
    pickle.dumps(partial(method, llm=BenchLlm("openai:some-model", 5)))
    text = json.dumps({"candidates": [{"x1": "0.548", "x2": "0.161"}], "priors": {}})
    with serve(tmp_path, {"text": text}) as served:
        llm = f"{served.base_url}#m"
        arguments = (
            "--methods",
            "llm",
            "--suite",
            "synthetic",
            "--only",
            "branin",
            "--trials",
            "3",
            "--seeds",
            "2",
            "--json",
        )
        result = bench(*arguments, "--llm", llm, "--jobs", "2", "--out", tmp_path / "out")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["methods"]["llm"]["tokens_per_proposal"] == 60
        assert len(served.requests) == 2
        again = bench(*arguments, "--llm", llm, "--out", tmp_path / "out")
        assert json.loads(again.stdout)["methods"] == json.loads(result.stdout)["methods"]
        assert len(served.requests) == 2
    runs = [Run.model_validate_json(line) for line in (tmp_path / "out" / "runs.jsonl").read_text().splitlines()]
    assert [[step.source for step in found.steps] for found in runs] == [["default", "llm", "random"]] * 2


def test_results_of_another_llm_are_not_reused() -> None:
    """Its name is part of a method's version, of those methods that ask it."""
    one, other = BenchLlm("hf:one", 5), BenchLlm("hf:other", 5)
    assert method_version("llm", one) != method_version("llm", other)
    assert method_version("hybrid", one) == method_version("hybrid", other) == method_version("hybrid")


@pytest.mark.parametrize(
    "name",
    [
        "hybrid-without-incontext",
        pytest.param("hybrid", marks=without_weights),
        pytest.param("incontext", marks=without_weights),
    ],
)
def test_our_proposers_run_without_an_llm(problem: Problem, name: str) -> None:
    """The same in the same seed, no tokens, nothing twice."""
    one, again = (searched(problem, name, trials=5).steps for _ in range(2))
    assert [step.config for step in one] == [step.config for step in again]
    assert not any(step.tokens or step.duplicate for step in one)
    assert len(one) == 5


def test_every_method_is_listed_once() -> None:
    """Defaults ask no LLM; every mode of LLAMBO is there."""
    assert len(set(METHODS)) == len(METHODS)
    assert set(LLM_METHODS) < set(METHODS)
    assert DEFAULT_METHODS == ("random", "tpe", "gp", "incontext", "hybrid")
    assert sum(name.startswith("llambo-") for name in METHODS) == 7


def test_an_unknown_mode_is_refused(problem: Problem) -> None:
    """No method falls back to another one silently."""
    with pytest.raises(ValueError, match="mode must be one of"):
        llm_proposer("llambo-magic", problem, NO_LLM, Planner(ScriptedChat("no"), "m"))

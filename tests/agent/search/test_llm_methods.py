"""`tunewright bench search` with planner LLMs, and with this project's own proposers."""

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
from agent.search.llm_methods import LLM_METHODS, NO_LLM, BenchLlm, llm_proposer, problem_card
from agent.search.methods import DEFAULT_METHODS, METHODS, check_methods, method, method_version
from evals.search_bench.problem import Problem
from evals.search_bench.renamed import Renamed
from evals.search_bench.run import Run, RunKey, run
from evals.search_bench.synthetic import load_synthetic
from tests.agent.search.llm.adversaries import Obedient
from tests.fakes.openai_server import serve
from tests.fakes.scripted_chat import ScriptedChat
from trainers.errors import InputError

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


def bench(*arguments: str | Path) -> Result:
    """`tunewright bench search ARGUMENTS --json`."""
    return CliRunner().invoke(cli, ["bench", "search", *(str(a) for a in arguments), "--json"])


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
    result = bench("--methods", f"random,{name}", "--suite", "synthetic")
    assert result.exit_code == 2
    assert "got 'embedded'" in result.output
    assert "openai:MODEL" in result.output
    with pytest.raises(InputError, match="must name a planner LLM"):
        method(name, problem, 0)


def test_a_missing_key_is_told_before_anything_runs() -> None:
    """As by every other command that takes --llm; methods that ask no LLM do not care."""
    result = bench("--methods", "llm", "--llm", "openai:some-model", "--suite", "synthetic", "--only", "branin")
    assert result.exit_code == 2
    assert "OPENAI_API_KEY" in result.output
    check_methods(["random", "hybrid-without-incontext"], BenchLlm("openai:some-model", 5))


def test_two_processes_open_the_llm_by_its_name(tmp_path: Path) -> None:
    """The builder travels to them without keys or connections; tokens and sources come back, also from --out."""
    pickle.dumps(partial(method, llm=BenchLlm("openai:some-model", 5)))
    text = json.dumps({"candidates": [{"x1": "0.548", "x2": "0.161"}], "priors": {}})
    with serve(tmp_path, {"text": text}) as served:
        llm = f"{served.base_url}#m"
        arguments = ("--methods", "llm", "--suite", "synthetic", "--only", "branin", "--trials", "3", "--seeds", "2")
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

"""What a planner LLM can do to the search that it is part of: little."""

from collections.abc import Callable, Sequence
from functools import cache
from statistics import mean

import pytest

from agent.llm.messages import ChatModel
from agent.llm.planner import Planner
from agent.search.hybrid import Hybrid
from agent.search.llm.batch import LlmBatch
from agent.search.llm.task_card import TaskCard
from agent.search.methods import Proposing
from evals.search_bench.problem import Problem
from evals.search_bench.run import Run, RunKey, run
from evals.search_bench.synthetic import load_synthetic
from tests.agent.search.llm.adversaries import constant, garbage, hostile

TRIALS = 15
MORE_REGRET, BY_CHANCE = 1.15, 0.035
"""Most regret with an LLM, relative to the regret without it; and two standard errors of the difference between means
of six runs each (0.017 over 18 seeds)."""

PROBLEMS = ("tuning-smooth", "cliff40-rate")

LLMS: dict[str, Callable[[Problem], ChatModel]] = {
    "garbage": lambda problem: garbage(),
    "constant": lambda problem: constant(problem.space),
    "hostile": hostile,
}


@cache
def problems() -> dict[str, Problem]:
    """The made-up problems by name."""
    return {problem.name: problem for problem in load_synthetic()}


@cache
def searched(name: str, llm: str | None, seed: int, trials: int) -> tuple[Run, int]:
    """A run of the hybrid without in-context model, and the tokens that it took."""
    problem, batch, planner = problems()[name], None, None
    if llm is not None:
        planner = Planner(LLMS[llm](problem), llm, backoff_seconds=0.0)
        batch = LlmBatch(problem.space, TaskCard(direction=problem.direction, trials=trials), planner)
    method = Proposing(Hybrid(problem.space, llm=batch, incontext=False), problem, seed)
    key = RunKey(problem=name, method="m", seed=seed, start=1, trials=trials, version="1", data="d")
    return run(problem, method, key), 0 if planner is None else planner.ledger.tokens_used


def mean_regret(llm: str | None, names: Sequence[str] = PROBLEMS, n_seeds: int = 3, trials: int = TRIALS) -> float:
    """Final regret, averaged over problems and seeds."""
    runs = [searched(name, llm, seed, trials)[0] for name in names for seed in range(n_seeds)]
    return mean(found.steps[-1].regret for found in runs)


@pytest.mark.parametrize("name", PROBLEMS)
def test_garbage_changes_nothing(name: str) -> None:
    """What cannot be used is paid for and thrown away: the same configurations are run as without an LLM."""
    without, (with_garbage, tokens) = searched(name, None, 0, TRIALS)[0], searched(name, "garbage", 0, 8)
    assert [step.config for step in with_garbage.steps] == [step.config for step in without.steps[:8]]
    assert 0 < tokens <= 8_000


@pytest.mark.slow
@pytest.mark.parametrize(("llm", "n_seeds"), [("constant", 2), ("hostile", 3)])
def test_stubbornness_and_malice_cost_little(llm: str, n_seeds: int) -> None:
    """At most 15 % more regret than without an LLM, however sure of itself it is."""
    without = mean_regret(None, n_seeds=n_seeds)
    assert mean_regret(llm, n_seeds=n_seeds) <= MORE_REGRET * without + BY_CHANCE


def test_a_hostile_llm_is_hardly_ever_followed() -> None:
    """Its candidates are in the pool; few are run, as the surrogates learn that its corners are bad."""
    for name in PROBLEMS:
        found, tokens = searched(name, "hostile", 0, TRIALS)
        assert tokens > 0
        assert sum(step.source == "llm" for step in found.proposals) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("llm", ["constant", "hostile"])
@pytest.mark.parametrize("name", [*PROBLEMS, "tuning-mixed"])
def test_a_bad_llm_costs_little_on_each_problem(name: str, llm: str) -> None:
    """The same in many seeds and 20 trials."""
    without = mean_regret(None, [name], 12, 20)
    assert mean_regret(llm, [name], 12, 20) <= MORE_REGRET * without + BY_CHANCE

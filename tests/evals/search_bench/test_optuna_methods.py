"""Optuna's samplers as methods."""

from importlib.util import find_spec

import pytest

from evals.search_bench.optuna_methods import OptunaMethod
from evals.search_bench.problem import Problem
from evals.search_bench.run import RunKey, run
from evals.search_bench.synthetic import Synthetic
from evals.search_bench.table import Table
from trainers.space import CategoricalParameter, Condition, FloatParameter, IntParameter, Space

MIXED = Space(
    parameters={
        "momentum": FloatParameter(low=0.0, high=0.9),
        "optimizer": CategoricalParameter(choices=("adamw", "sgd")),
        "learning_rate": FloatParameter(low=1e-5, high=1e-1, log=True),
        "layers": IntParameter(low=1, high=4),
        "batch": CategoricalParameter(choices=(8, 16, 32)),
        "fixed": FloatParameter(low=0.5, high=0.5),
    },
    conditions={"momentum": Condition(parameter="optimizer", values=("sgd",))},
)


def mixed() -> Synthetic:
    """Every kind of parameter, one of them conditional and listed before what it depends on; some runs fail."""
    return Synthetic("mixed", "m", MIXED, lambda u: None if u["learning_rate"] > 0.8 else u["learning_rate"], 0.0)


def of(problem: Problem, sampler: str, seed: int = 0, trials: int = 7) -> RunKey:
    """The key of a run with a start of two."""
    return RunKey(problem=problem.name, method=sampler, seed=seed, start=2, trials=trials, version="1", data="d")


@pytest.mark.parametrize("sampler", ["random", "tpe", "gp", "cmaes"])
def test_every_sampler_searches_any_space(sampler: str) -> None:
    """Members of the space only; the same trials for the same seed."""
    if sampler == "cmaes" and find_spec("cmaes") is None:
        pytest.skip("needs cmaes")
    problem = mixed()
    found = run(problem, OptunaMethod(problem, sampler, seed=1), of(problem, sampler))  # type: ignore[arg-type]
    again = run(problem, OptunaMethod(problem, sampler, seed=1), of(problem, sampler))  # type: ignore[arg-type]
    assert [s.config for s in found.steps] == [s.config for s in again.steps]
    assert all(not problem.space.problems(s.config) for s in found.steps)
    assert {s.source for s in found.proposals} == {sampler}


def test_the_study_learns_of_what_was_run(grid: Table) -> None:
    """What snapped is told under the values that ran, the start as finished trials, failures as such."""
    method = OptunaMethod(grid, "random", seed=0)
    result = run(grid, method, of(grid, "random", trials=12))
    trials = method._study.get_trials()
    finished = [t for t in trials if t.state.name == "COMPLETE"]
    told = [t.value for t in finished]
    assert told == [s.score for s in result.steps[:-1] if s.score is not None]
    assert sum(s.failed for s in result.steps[:-1]) <= sum(t.state.name == "FAIL" for t in trials)

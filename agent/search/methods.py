"""The methods that `tunewright bench search` can compare, by name."""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

from agent.llm.planner import Planner
from agent.search.incontext import InContextSearch
from agent.search.llm_methods import LLM_METHODS, NO_LLM, BenchLlm, llm_proposer
from agent.search.proposer import Proposer, outside_trial
from agent.search.random_search import RandomSearch
from agent.search.statistical import Statistical
from agent.study.nouns import History, Proposal, TrialState, derived_seed
from evals.search_bench.optuna_methods import N_STARTUP, OptunaMethod
from evals.search_bench.problem import Method, Observation, Offer, Problem
from trainers.errors import InputError

YARDSTICKS = ("random", "tpe", "gp", "cmaes", "default")
OURS = ("statistical", "spread", "incontext", "hybrid", "hybrid-without-incontext")
METHODS = (*YARDSTICKS, *OURS, *LLM_METHODS)
"""Every name that `method` knows."""

DEFAULT_METHODS = ("random", "tpe", "gp", "incontext", "hybrid")


def method(name: str, problem: Problem, seed: int, llm: BenchLlm = NO_LLM) -> Method:
    """The method called `name`, set up for one problem and seed; those of `LLM_METHODS` with a planner of their own.

    Raises InputError for an unknown name, and for a method that needs an LLM without one.
    """
    if name in LLM_METHODS:
        planner = llm.planner(f"{name} on {problem.name}, seed {seed}")
        return Proposing(llm_proposer(name, problem, llm, planner), problem, seed, planner)
    match name:
        case "random" | "tpe" | "gp" | "cmaes":
            return OptunaMethod(problem, name, seed)
        case "default":
            return _nothing_more
        case "statistical":
            return Proposing(Statistical(problem.space), problem, seed)
        case "spread":
            return Proposing(RandomSearch(problem.space), problem, seed)
        case "incontext":
            return Proposing(InContextSearch(problem.space), problem, seed)
        case "hybrid" | "hybrid-without-incontext":
            from agent.search.hybrid import Hybrid

            return Proposing(Hybrid(problem.space, incontext=name == "hybrid"), problem, seed)
    raise unknown_method(name)


def check_methods(names: Sequence[str], llm: BenchLlm = NO_LLM) -> None:
    """Raises InputError for a name that `method` does not know, or whose package or planner LLM is missing."""
    for name in names:
        if name not in METHODS:
            raise unknown_method(name)
    if "cmaes" in names and find_spec("cmaes") is None:
        raise InputError(
            "--methods",
            "cmaes needs the package cmaes.",
            "Install it: pip install 'tunewright[bench]', or leave it out.",
        )
    if asks_llm(names):
        llm.planner()  # a missing key or package is told before anything runs


def asks_llm(names: Sequence[str]) -> bool:
    """Whether any of these methods needs a planner LLM."""
    return any(name in LLM_METHODS for name in names)


def unknown_method(name: str) -> InputError:
    """The message for a name that is not of `METHODS`."""
    return InputError("--methods", f"must be of {', '.join(METHODS)}, got {name!r}.", "Give names with commas.")


def method_version(name: str, llm: BenchLlm = NO_LLM) -> str:
    """Changes when results of the method may: Optuna's version, or a hash of this project's search code and weights,
    with the name of the planner LLM where it is asked."""
    if name in ("random", "tpe", "gp", "cmaes"):
        return f"optuna {installed_version('optuna')}, {N_STARTUP} startup trials"
    if name == "default":
        return "1"
    return f"{_code_hash()}, {llm.name}" if name in LLM_METHODS else _code_hash()


class Proposing:
    """One of our proposers as a method: every observation becomes a trial of a history.

    With the `planner` that it asks, offers tell the tokens that they cost.
    """

    def __init__(self, proposer: Proposer, problem: Problem, seed: int, planner: Planner | None = None) -> None:
        self._proposer, self._problem, self._seed, self._planner = proposer, problem, seed, planner

    def __call__(self, observations: Sequence[Observation]) -> Offer | None:
        """See `Method`."""
        trials = tuple(
            outside_trial(
                "bench",
                observation.n,
                TrialState.FAILED if observation.failed else TrialState.COMPLETE,
                Proposal(**observation.offer.model_dump(exclude={"tokens"}) | {"config": observation.config}),
                observation.score,
                self._seed,
            )
            for observation in observations
        )
        history = History(direction=self._problem.direction, trials=trials)
        before = self._tokens_used
        offered = self._proposer.propose(history, 1, derived_seed(self._seed, "bench", len(trials)))
        if not offered:
            return None
        fields = offered[0].model_dump(include={"config", "source", "predicted_mean", "predicted_sd"})
        return Offer(**fields, tokens=self._tokens_used - before)

    @property
    def _tokens_used(self) -> int:
        return self._planner.ledger.tokens_used if self._planner is not None else 0


def _nothing_more(observations: Sequence[Observation]) -> Offer | None:
    return None


@cache
def _code_hash() -> str:
    """Of everything that decides what a proposer proposes, shipped weights included; some 0.1 s."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[2]
    folders = (root / "agent" / "search", root / "trainers" / "incontext", root / "prompts")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    for path in sorted([*files, *(root / "trainers" / name for name in ("space.py", "optuna_space.py"))]):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]

"""The methods that `tunewright bench search` can compare, by name."""

import hashlib
from collections.abc import Sequence
from functools import cache, partial
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

from agent.search.proposer import Proposer
from agent.seeds import derived_seed
from agent.study import History, Phase, Proposal, Trial, TrialState
from evals.search_bench.problem import Method, Observation, Offer, Problem
from evals.search_bench.run import MethodBuilder
from trainers.errors import InputError
from trainers.spec import FailureReason

METHODS = ("random", "tpe", "gp", "cmaes", "default", "statistical", "spread")
"""Every name that `method` knows."""

DEFAULT_METHODS = ("random", "tpe", "gp", "statistical")


def method(name: str, problem: Problem, seed: int, llm: str | None = None) -> Method:
    """The method called `name`, set up for one problem and seed. Raises InputError for an unknown name."""
    match name:
        case "random" | "tpe" | "gp" | "cmaes":
            from evals.search_bench.optuna_methods import OptunaMethod

            return OptunaMethod(problem, name, seed)
        case "default":
            return _nothing_more
        case "statistical":
            from agent.search.statistical import Statistical

            return Proposing(Statistical(problem.space), problem, seed)
        case "spread":
            from agent.search.random_search import RandomSearch

            return Proposing(RandomSearch(problem.space), problem, seed)
    raise unknown_method(name)


def check_methods(names: Sequence[str]) -> None:
    """Raises InputError for a name that `method` does not know, or whose package is missing."""
    for name in names:
        if name not in METHODS:
            raise unknown_method(name)
    if "cmaes" in names and find_spec("cmaes") is None:
        raise InputError(
            "--methods",
            "cmaes needs the package cmaes.",
            "Install it: pip install 'tunewright[bench]', or leave it out.",
        )


def unknown_method(name: str) -> InputError:
    """The message for a name that is not of `METHODS`."""
    return InputError("--methods", f"must be of {', '.join(METHODS)}, got {name!r}.", "Give names with commas.")


def method_builder(llm: str | None) -> MethodBuilder:
    """`method` for the processes of a benchmark."""
    return partial(method, llm=llm)


def method_version(name: str) -> str:
    """Changes when results of the method may: Optuna's version, or a hash of this project's search code and weights."""
    if name in ("random", "tpe", "gp", "cmaes"):
        from evals.search_bench.optuna_methods import N_STARTUP

        return f"optuna {installed_version('optuna')}, {N_STARTUP} startup trials"
    return "1" if name == "default" else _code_hash()


class Proposing:
    """One of our proposers as a method: every observation becomes a trial of a history."""

    def __init__(self, proposer: Proposer, problem: Problem, seed: int) -> None:
        self._proposer, self._problem, self._seed = proposer, problem, seed

    def __call__(self, observations: Sequence[Observation]) -> Offer | None:
        """See `Method`."""
        trials = tuple(_trial(observation, self._seed) for observation in observations)
        history = History(direction=self._problem.direction, trials=trials)
        offered = self._proposer.propose(history, 1, derived_seed(self._seed, "bench", len(trials)))
        if not offered:
            return None
        first = offered[0]
        return Offer(
            config=first.config,
            source=first.source,
            predicted_mean=first.predicted_mean,
            predicted_sd=first.predicted_sd,
        )


def _trial(observation: Observation, seed: int) -> Trial:
    offer = observation.offer
    return Trial(
        trial_id=f"bench-{observation.n}",
        study_id="bench",
        number=observation.n,
        phase=Phase.SEARCH,
        state=TrialState.FAILED if observation.failed else TrialState.COMPLETE,
        proposal=Proposal(
            config=observation.config,
            source=offer.source,
            predicted_mean=offer.predicted_mean,
            predicted_sd=offer.predicted_sd,
        ),
        seed=seed,
        score=observation.score,
        reason=FailureReason.NAN if observation.failed else None,
    )


def _nothing_more(observations: Sequence[Observation]) -> Offer | None:
    return None


@cache
def _code_hash() -> str:
    """Of everything that decides what a proposer proposes, shipped weights included; some 0.1 s."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parent.parent
    folders = (root / "agent" / "search", root / "trainers" / "incontext", root / "prompts")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    for path in sorted([*files, root / "trainers" / "space.py"]):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]

"""The methods that `tunewright bench search` can compare, by name.

Each run of one that asks a planner LLM opens a planner of its own with the token cap that a study of as many trials
has, so that what it proposes and what it costs are those of a study. Where the LLM has nothing to offer, because it is
capped, out of reach or its mode is over, the trial is drawn at random and recorded as such, unless the method has an
optimiser of its own.
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

from agent.llm.calls import LlmCaps, LlmEvent
from agent.llm.name import SPELLINGS
from agent.llm.open import open_planner
from agent.llm.planner import Planner
from agent.search.fresh import RandomSearch
from agent.search.hybrid import Hybrid
from agent.search.incontext import InContextSearch
from agent.search.llambo.proposer import LLAMBO_MODES, Llambo
from agent.search.llm.batch import LlmBatch
from agent.search.llm.task_card import TaskCard
from agent.search.llm.text import safe_line
from agent.search.proposer import Proposer, outside_trial
from agent.search.statistical import Statistical
from agent.study.nouns import History, Proposal, TrialState, derived_seed
from evals.search_bench.optuna_methods import N_STARTUP, OptunaMethod
from evals.search_bench.problem import Method, Observation, Offer, Problem
from tools.estimate import llm_token_limit
from trainers.errors import InputError
from trainers.space import Space

OPTUNAS = ("random", "tpe", "gp", "cmaes")
OURS: dict[str, Callable[[Space], Proposer]] = {
    "statistical": Statistical,
    "spread": RandomSearch,
    "incontext": InContextSearch,
    "hybrid": Hybrid,
    "hybrid-without-incontext": partial(Hybrid, incontext=False),
}
LLM_METHODS = ("hybrid+llm", "llm", *(f"llambo-{mode}" for mode in LLAMBO_MODES))
"""Methods that need a planner LLM."""

METHODS = (*OPTUNAS, "default", *OURS, *LLM_METHODS)
"""Every name that `method` knows."""

DEFAULT_METHODS = ("random", "tpe", "gp", "incontext", "hybrid")

SERVES_NOT = ("breaker_opened", "batch_failed", "decoding_unconstrained")
"""Kinds of planner events that make a run another than was asked for."""


@dataclass(frozen=True)
class BenchLlm:
    """The planner LLM of a benchmark as it travels to its processes: by name; each run opens it anew.

    `trials` a run, the common start included, decide the token cap; `open` is what turns the name into a planner.
    """

    name: str
    trials: int
    open: Callable[..., Planner | None] = open_planner

    def planner(self, run: str = "") -> Planner:
        """A fresh planner. What keeps it from serving is told on stderr, each kind once, as of `run`. Raises InputError
        where the name is `embedded` or cannot be opened."""
        planner = self.open(self.name, caps=LlmCaps(tokens=llm_token_limit(self.trials)), on_event=_teller(run))
        if planner is None:
            rule = f"must name a planner LLM for the methods {LLM_METHODS[0]}, {LLM_METHODS[1]} and llambo-MODE"
            others = SPELLINGS.removeprefix("embedded, ")
            raise InputError("--llm", f"{rule}, got {self.name!r}.", f"Give {others}; or leave these methods out.")
        return planner


NO_LLM = BenchLlm("embedded", trials=1)
"""For methods that ask none."""


def method(name: str, problem: Problem, seed: int, llm: BenchLlm = NO_LLM) -> Method:
    """The method called `name`, set up for one problem and seed; those of `LLM_METHODS` with a planner of their own.

    Raises InputError for an unknown name, and for a method that needs an LLM without one.
    """
    if name in LLM_METHODS:
        planner = llm.planner(f"{name} on {problem.name}, seed {seed}")
        return Proposing(llm_proposer(name, problem, llm, planner), problem, seed, planner)
    if name in OURS:
        return Proposing(OURS[name](problem.space), problem, seed)
    match name:
        case "random" | "tpe" | "gp" | "cmaes":
            return OptunaMethod(problem, name, seed)
        case "default":
            return _nothing_more
    raise unknown_method(name)


def llm_proposer(name: str, problem: Problem, llm: BenchLlm, planner: Planner) -> Proposer:
    """The proposer of one of `LLM_METHODS` over the problem's space. Raises ValueError for another name."""
    space, card = problem.space, problem_card(problem, llm.trials)
    if name == "hybrid+llm":
        return Hybrid(space, llm=LlmBatch(space, card, planner))
    if name == "llm":
        return OrRandom(LlmBatch(space, card, planner), space)
    return OrRandom(Llambo(space, card, planner, name.removeprefix("llambo-")), space)


def problem_card(problem: Problem, trials: int) -> TaskCard:
    """What there is to know of a problem beside its space: direction, number of trials, and its task in words unless
    it is kept back."""
    task = safe_line(problem.task)
    more = {"description": task} if task else {}
    return TaskCard(direction=problem.direction, trials=trials, **more)


class OrRandom:
    """A proposer, and a uniform draw with the source `random` where it has nothing to offer."""

    def __init__(self, proposer: Proposer, space: Space) -> None:
        self._proposer, self._random = proposer, RandomSearch(space)
        self.name = proposer.name

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`."""
        return self._proposer.propose(history, n, seed) or self._random.propose(history, n, seed)


def _teller(run: str) -> Callable[[LlmEvent], None]:
    """Tells what keeps a planner from serving on stderr, each kind once, as of `run`."""
    kinds = set[str]()

    def tell(event: LlmEvent) -> None:
        if event.kind in SERVES_NOT and event.kind not in kinds:
            kinds.add(event.kind)
            print(f"{run}: {event.message}", file=sys.stderr)

    return tell


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
    if name in OPTUNAS:
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

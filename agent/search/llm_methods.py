"""The search methods of `tunewright bench search` that ask a planner LLM.

Each run opens a planner of its own with the token cap that a study of as many trials has, so that what a method
proposes and what it costs are those of a study. Where the LLM has nothing to offer, because it is capped, out of reach
or its mode is over, the trial is drawn at random and recorded as such, unless the method has an optimiser of its own.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from agent.llm.calls import LlmCaps, LlmEvent
from agent.llm.name import SPELLINGS
from agent.llm.open import open_planner
from agent.llm.planner import Planner
from agent.search.llambo.proposer import LLAMBO_MODES, Llambo
from agent.search.llm.batch import LlmBatch
from agent.search.llm.task_card import TaskCard
from agent.search.llm.text import safe_line
from agent.search.proposer import Proposer
from agent.search.random_search import RandomSearch
from agent.study.nouns import History, Proposal
from evals.search_bench.problem import Problem
from tools.estimate import llm_token_limit
from trainers.errors import InputError
from trainers.space import Space

LLM_METHODS = ("hybrid+llm", "llm", *(f"llambo-{mode}" for mode in LLAMBO_MODES))
"""Methods that need a planner LLM."""

SERVES_NOT = ("breaker_opened", "batch_failed", "decoding_unconstrained")
"""Kinds of planner events that make a run another than was asked for."""

Opener = Callable[[str, LlmCaps, Callable[[LlmEvent], None]], Planner | None]


def opened(name: str, caps: LlmCaps, on_event: Callable[[LlmEvent], None]) -> Planner | None:
    """The planner LLM called `name`; None for `embedded`. Raises InputError as `open_planner` does."""
    return open_planner(name, caps=caps, on_event=on_event)


@dataclass(frozen=True)
class BenchLlm:
    """The planner LLM of a benchmark as it travels to its processes: by name; each run opens it anew.

    `trials` a run, the common start included, decide the token cap; `open` is what turns the name into a planner.
    """

    name: str
    trials: int
    open: Opener = opened

    def planner(self, run: str = "") -> Planner:
        """A fresh planner. What keeps it from serving is told on stderr, each kind once, as of `run`. Raises InputError
        where the name is `embedded` or cannot be opened."""
        planner = self.open(self.name, LlmCaps(tokens=llm_token_limit(self.trials)), _Teller(run))
        if planner is None:
            rule = f"must name a planner LLM for the methods {LLM_METHODS[0]}, {LLM_METHODS[1]} and llambo-MODE"
            others = SPELLINGS.removeprefix("embedded, ")
            raise InputError("--llm", f"{rule}, got {self.name!r}.", f"Give {others}; or leave these methods out.")
        return planner


NO_LLM = BenchLlm("embedded", trials=1)
"""For methods that ask none."""


def llm_proposer(name: str, problem: Problem, llm: BenchLlm, planner: Planner) -> Proposer:
    """The proposer of one of `LLM_METHODS` over the problem's space. Raises ValueError for another name."""
    space, card = problem.space, problem_card(problem, llm.trials)
    if name == "hybrid+llm":
        from agent.search.hybrid import Hybrid

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


class _Teller:
    def __init__(self, run: str) -> None:
        self._run, self._told = run, set[str]()

    def __call__(self, event: LlmEvent) -> None:
        if event.kind in SERVES_NOT and event.kind not in self._told:
            self._told.add(event.kind)
            print(f"{self._run}: {event.message}", file=sys.stderr)

"""One method on one problem in one seed, and many of them."""

import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from pydantic import Field

from evals.search_bench.problem import Method, Observation, Problem
from trainers.spec import Closed, Config

MethodBuilder = Callable[[str, Problem, int], Method]
"""(name, problem, seed) -> method; picklable where several processes are used."""


class Step(Closed):
    """One trial of a run."""

    config: Config
    score: float | None
    failed: bool
    duplicate: bool = Field(description="whether an earlier trial of the run, the start included, had the same key")
    regret: float = Field(ge=0, le=1, description="of the configuration with the best observed score so far")
    source: str
    seconds: float = Field(description="wall time of the proposal; 0 for the common start")
    tokens: int
    predicted_mean: float | None = None
    predicted_sd: float | None = None


class RunKey(Closed):
    """What makes a run the same run; equal keys give equal trajectories."""

    problem: str
    method: str
    seed: int
    start: int = Field(ge=1, description="trials of the common start; the first is the default")
    trials: int = Field(ge=1)
    version: str = Field(description="of the method; changes when its code does")
    data: str = Field(description="fingerprint of the problem")


class Run(Closed):
    """A finished run. Fewer steps than `key.trials`: the method had nothing more to offer."""

    key: RunKey
    family: str
    steps: tuple[Step, ...] = Field(min_length=1)

    @property
    def proposals(self) -> tuple[Step, ...]:
        """The steps that the method chose."""
        return self.steps[self.key.start :]

    @property
    def regrets(self) -> list[float]:
        """Regret after each of `key.trials` trials; a method that stopped keeps its best."""
        regrets = [step.regret for step in self.steps]
        return regrets + regrets[-1:] * (self.key.trials - len(regrets))


def run(problem: Problem, method: Method, key: RunKey) -> Run:
    """Start with the common configurations, then ask `method` until the trials are used up.

    Each evaluation is drawn from the seed and from how often the configuration was run before, so that methods that
    try the same configuration in the same seed see the same score. Exceptions of the method pass through.
    """
    observations: list[Observation] = []
    steps: list[Step] = []
    counts: dict[str, int] = {}
    start = problem.common_start(min(key.start, key.trials), key.seed)
    best: tuple[float, float] | None = None  # (score, the larger the better; its regret)
    while len(steps) < key.trials:
        began = time.perf_counter()
        offer = start[len(steps)] if len(steps) < len(start) else method(tuple(observations))
        seconds = time.perf_counter() - began if len(steps) >= len(start) else 0.0
        if offer is None:
            break
        config = problem.snapped(offer.config)
        place = problem.space.key(config)
        outcome = problem.evaluate(config, _draw(problem, key.seed, counts.get(place, 0)))
        if outcome.score is not None:
            good = problem.direction.sign * outcome.score
            if best is None or good > best[0]:
                best = (good, problem.regret(config))
        regret = 1.0 if best is None else best[1]
        result = outcome.model_dump(include={"config", "score", "failed"})
        offered = offer.model_dump(exclude={"config"})
        duplicate = place in counts
        steps.append(Step(**result, **offered, duplicate=duplicate, regret=regret, seconds=round(seconds, 5)))
        counts[place] = counts.get(place, 0) + 1
        observations.append(Observation(n=len(observations), **result, offer=offer))
    return Run(key=key, family=problem.family, steps=tuple(steps))


def _draw(problem: Problem, seed: int, earlier: int) -> int:
    text = f"{problem.identity}/{seed}/{earlier}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def run_all(problems: Sequence[Problem], keys: Sequence[RunKey], build: MethodBuilder, jobs: int = 1) -> Iterator[Run]:
    """Every run of `keys`, as each finishes. With `jobs` > 1 in that many processes of one thread each."""
    by_name = {problem.name: problem for problem in problems}
    if jobs == 1:
        for key in keys:
            yield run(by_name[key.problem], build(key.method, by_name[key.problem], key.seed), key)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by the processes when they start
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_receive, initargs=(by_name, build)) as pool:
        try:
            for done in as_completed([pool.submit(_run_there, key) for key in keys]):
                yield done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_received: tuple[dict[str, Problem], MethodBuilder] | None = None
"""In a worker process: the problems and the builder, sent once rather than with every run."""


def _receive(problems: dict[str, Problem], build: MethodBuilder) -> None:
    global _received
    _received = (problems, build)


def _run_there(key: RunKey) -> Run:
    assert _received is not None
    problems, build = _received
    return run(problems[key.problem], build(key.method, problems[key.problem], key.seed), key)

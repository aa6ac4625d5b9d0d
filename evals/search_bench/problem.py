"""What a search is measured on, and what a search method is to the benchmark."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random
from typing import Protocol

from pydantic import Field

from trainers.space import Space
from trainers.spec import Closed, Config, Direction


class Outcome(Closed):
    """What one trial of a configuration gives."""

    config: Config = Field(description="the configuration that was run: the nearest listed one, where a table has gaps")
    score: float | None = Field(description="one noisy observation; None if it failed")
    failed: bool


class Offer(Closed):
    """A configuration that a method puts forward, and what it knew."""

    config: Config
    source: str
    predicted_mean: float | None = None
    predicted_sd: float | None = None
    tokens: int = Field(0, ge=0, description="LLM tokens that this proposal cost, prompt and completion")


class Observation(Closed):
    """One finished trial, as every method gets it."""

    n: int = Field(ge=0, description="0 is the default configuration")
    config: Config = Field(description="what was run, which may be the nearest listed one to what was offered")
    score: float | None
    failed: bool
    offer: Offer = Field(description="as it was put forward; the common start has the sources default and start")


class Method(Protocol):
    """A search that was set up for one problem and one seed."""

    def __call__(self, observations: Sequence[Observation]) -> Offer | None:
        """The next configuration to try, given all trials so far in order; None: nothing more to offer."""
        ...


class Problem(ABC):
    """A space with a score for every configuration, and the two true scores that make regrets comparable.

    `optimum` is the best true score, `median` the median of the true scores of a uniform draw of the configurations
    that do not fail; normalised regret is 0 at the first and 1 at the second.
    """

    def __init__(
        self,
        name: str,
        family: str,
        space: Space,
        direction: Direction,
        optimum: float,
        median: float,
        task: str = "",
        start: Config | None = None,
    ) -> None:
        self.name, self.family, self.space, self.direction = name, family, space, direction
        self.optimum, self.median, self.task = optimum, median, task
        self.start: Config = start or space.default()
        """Trial 0: the declared defaults, or the middle of every range."""

    @property
    def identity(self) -> str:
        """What the random numbers of a problem hang on: its name, and for a renamed twin the name of the original."""
        return self.name

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Changes when the scores or the space change, so that results of another version are not reused."""

    @abstractmethod
    def snapped(self, config: Config) -> Config:
        """The configuration that is run when `config`, a member of the space, is asked for."""

    @abstractmethod
    def evaluate(self, config: Config, seed: int) -> Outcome:
        """One observation of `config`, a member of the space; equal seeds give equal observations."""

    @abstractmethod
    def true_score(self, config: Config) -> float | None:
        """The expected score of the configuration that is run for `config`; None if it always fails."""

    def regret(self, config: Config) -> float:
        """Normalised regret of the true score of `config`, in [0, 1]: 0 the optimum, 1 the median or worse."""
        score = self.true_score(config)
        if score is None:
            return 1.0
        span = abs(self.median - self.optimum)
        lost = self.direction.sign * (self.optimum - score)
        if span <= 0.0:
            return float(lost > 0.0)
        return min(max(lost / span, 0.0), 1.0)

    def common_start(self, n: int, seed: int) -> list[Offer]:
        """The first `n` configurations of every method: the default, then random ones drawn from the seed."""
        rng = Random(f"start/{self.identity}/{seed}")
        random = [Offer(config=self.snapped(self.space.sample(rng)), source="start") for _ in range(n - 1)]
        return [Offer(config=self.start, source="default"), *random]

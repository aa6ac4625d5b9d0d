"""What the planner LLM said of the hyperparameters, as a factor on the acquisition that fades and can be refused.

The factor is the stated density to a power that halves every `HALF_LIFE` trials since it was said, and falls with the
number of trials that there are (after piBO, Hvarfner et al. 2022, and DynaBO): a model that goes on saying the same is
not heard for ever. Its logarithm is bounded, so that no statement can rule anything out. A statement is refused while
the configurations it suggests promise less than those around the best one do: DynaBO's test, on upper confidence
bounds.
"""

from collections.abc import Callable, Sequence
from random import Random

import numpy as np
from numpy.typing import NDArray

from agent.search.llm.beliefs import Beliefs
from trainers.space import Space
from trainers.spec import Config

Array = NDArray[np.float64]

HALF_LIFE = 4.0
"""Trials; the reference asks for 3 to 5."""

EVEN_AFTER = 6.0
"""Finished trials after which a new statement has half of the power."""

MAX_LOG = 0.7
"""Largest logarithm of the factor, either way."""

N_DRAWN = 24
TOLERANCE = 0.25
"""How much less a statement may promise, in standard deviations of the scores."""

MIN_SCORES = 2
"""Scored trials before a statement is tested; before, it is as good as anything that is known."""


def factor(space: Space, statements: Sequence[Beliefs], configs: Sequence[Config], n_over: int) -> Array:
    """Factors (len(configs),) in [exp(-MAX_LOG), exp(MAX_LOG)]; 1 where nothing was said. `n_over`: finished trials."""
    total, fade = np.zeros(len(configs)), 1.0 / (1.0 + n_over / EVEN_AFTER)
    for beliefs in statements:
        weight = fade * 0.5 ** (max(0, n_over - beliefs.after_trials) / HALF_LIFE)
        logs = np.array([beliefs.log_density(space, config) for config in configs])
        total += weight * np.clip(logs, -2 * MAX_LOG, 2 * MAX_LOG)
    return np.asarray(np.exp(np.clip(total, -MAX_LOG * fade, MAX_LOG * fade)))


def accepted(
    space: Space,
    statements: Sequence[Beliefs],
    promise: Callable[[list[Config]], float],
    around_best: list[Config],
    n_scores: int,
    seed: int,
) -> list[Beliefs]:
    """The statements that pass the test. `promise` gives the mean upper confidence bound of configurations, in standard
    deviations of the scores; `around_best` are configurations near the incumbent."""
    if n_scores < MIN_SCORES or not around_best or not statements:
        return list(statements)
    least = promise(around_best) - TOLERANCE
    rng = Random(seed)
    return [b for b in statements if promise([b.sample(space, rng) for _ in range(N_DRAWN)]) >= least]

"""The candidates that a surrogate chooses from: where names suggest, near the best, anywhere, or all there are."""

import numpy as np
from numpy.typing import NDArray

from agent.search.evidence import Evidence
from agent.search.fresh import MAX_ENUMERATED, enumerated
from trainers.incontext.columns import columns, configs_at
from trainers.incontext.landscape import Beliefs, on_levels
from trainers.space import Space
from trainers.spec import Config

Array = NDArray[np.float64]

N_SUGGESTED, N_ANYWHERE, N_LOCAL = 96, 128, 192
N_AROUND, AROUND = 24, 0.1
KEPT_BEST = 4
"""Local moves start from this many of the best trials."""


class Pool:
    """Candidates of one space; a space of at most `MAX_ENUMERATED` configurations is listed once."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._all = {space.key(c): c for c in enumerated(space)}
        self._beliefs = Beliefs.of(columns(space), 1)

    def draw(self, past: Evidence, keys: set[str], rng: np.random.Generator) -> list[Config]:
        """New configurations, none in `keys`; at most about 700, less in a small space, none in an empty one."""
        if 0 < len(self._all) <= MAX_ENUMERATED:
            rest = [c for key, c in self._all.items() if key not in keys]
            if len(rest) <= 700:
                return rest
            return [rest[i] for i in rng.choice(len(rest), 700, replace=False)]
        rows = self._rows(past, rng)
        rows = on_levels(np.clip(rows, 0.0, 1.0 - 1e-9)[None], self._beliefs)[0]
        by_key: dict[str, Config] = {}
        for config in configs_at(self._space, rows):
            key = self._space.key(config)
            if key not in keys:
                by_key.setdefault(key, config)
        return list(by_key.values())

    def near_best(self, past: Evidence, rng: np.random.Generator) -> list[Config]:
        """Configurations around the best trial; none without a score."""
        if not len(past.y):
            return []
        moved = past.x[int(np.argmax(past.y))] + AROUND * rng.standard_normal((N_AROUND, past.x.shape[1]))
        return configs_at(self._space, moved)

    def _rows(self, past: Evidence, rng: np.random.Generator) -> Array:
        d = self._beliefs.centre.shape[1]
        suggested = self._beliefs.centre + self._beliefs.spread * rng.standard_normal((N_SUGGESTED, d))
        anywhere = rng.random((N_ANYWHERE, d))
        if not len(past.y):
            return np.concatenate([suggested, anywhere])
        best = past.x[np.argsort(-past.y)[:KEPT_BEST]]
        start = best[rng.integers(len(best), size=N_LOCAL)]
        step = np.exp(rng.uniform(np.log(0.02), np.log(0.3), (N_LOCAL, 1)))
        moved = rng.random((N_LOCAL, d)) < np.maximum(0.3, 1.5 / d)
        local = start + step * rng.standard_normal((N_LOCAL, d)) * moved
        words = self._beliefs.choice & (rng.random((N_LOCAL, d)) < 0.15)
        local = np.where(words, rng.random((N_LOCAL, d)), local)
        return np.concatenate([suggested, anywhere, local])

"""The embedded in-context model as a surrogate and as a proposer.

It reads the history as words and gives, for a configuration, the probabilities of the word of its score, one of
which says that the trial fails; and for a wanted score, configurations. Both are averaged over orders of the trials
and of the columns.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.search.evidence import Evidence, evidence
from agent.search.fresh import known_keys
from agent.search.pool import Pool
from agent.study.nouns import History, Proposal
from prompts import trial_words as words
from trainers.incontext.columns import INACTIVE, columns, configs_at, positions
from trainers.incontext.forward import Network, Read
from trainers.space import Space
from trainers.spec import Config

Array = NDArray[np.float64]

VIEWS = 2
"""Orders that predictions are averaged over; one with all scores in sight, the others with the upper end under a
lens."""

SIGHT = (0.12, 0.5)
"""(gain, offset): score on the model's scale = offset + gain * standardised score."""

LENS_BEST, LENS_SPAN = 0.66, 0.22
"""Under the lens the best score stands at the first, the upper quartile of the scores lower by the second."""

MAX_TRIALS = 45
"""Longer histories are cut to the best half and the latest."""

TARGETS = (0.7, 0.76, 0.82)
"""Scores asked for under the lens: slightly to clearly better than the best."""

N_SCORED = 40
"""Configurations that a proposal looks at."""

_SCORES = slice(words.FIRST_SCORE, words.FIRST_SCORE + words.SCORES)
_CENTRES = (np.arange(words.SCORES) + 0.5) / words.SCORES


@cache
def embedded_network() -> Network:
    """The network whose weights ship with the package."""
    return Network(Path(str(files("trainers.incontext") / "weights")))


@dataclass(frozen=True)
class _View:
    read: Read
    order: NDArray[np.int64]  # of the columns
    gain: float
    offset: float


@dataclass(frozen=True)
class Forecast:
    """Predictions at M configurations in standardised units, larger is better; `fails` are probabilities."""

    mean: Array
    sd: Array
    improvement: Array
    fails: Array


class InContext:
    """The model after the trials of one history."""

    def __init__(self, space: Space, past: Evidence, rng: np.random.Generator) -> None:
        self._space, self._network = space, embedded_network()
        every = columns(space)
        by_weight = sorted(range(len(every)), key=lambda j: -every[j].weight)[: words.MAX_COLUMNS]
        self._subset = np.array(sorted(by_weight), dtype=np.int64)
        self._columns = [every[j] for j in self._subset]
        self._best = float(past.y.max()) if len(past.y) else 0.0
        self._views = [self._view(past, i, rng) for i in range(VIEWS)]

    def forecast(self, configs: list[Config]) -> Forecast:
        """Predictions for `configs`; 40 after 25 trials of 8 columns take about 0.1 s on one core."""
        x = positions(self._space, configs)[:, self._subset]
        shares = [self._shares(view, x) for view in self._views]
        gains = [
            s[:, :-1] @ np.maximum((_CENTRES - v.offset) / v.gain - self._best, 0.0)
            for v, s in zip(self._views, shares, strict=True)
        ]
        sight, all_in_view = self._views[0], shares[0][:, :-1] / shares[0][:, :-1].sum(1, keepdims=True)
        values = (_CENTRES - sight.offset) / sight.gain
        mean = all_in_view @ values
        return Forecast(
            mean=mean,
            sd=np.sqrt(np.maximum(all_in_view @ values**2 - mean**2, 1e-8)),
            improvement=np.mean(gains, axis=0),
            fails=np.mean([s[:, -1] for s in shares], axis=0),
        )

    def candidates(self, n: int, rng: np.random.Generator) -> list[Config]:
        """`n` configurations (repeats possible) that the model expects to score better than the best so far."""
        view = self._views[-1]
        target = [words.target_token(TARGETS[i % len(TARGETS)]) for i in range(n)]
        tokens = np.array(target, dtype=np.int64)[:, None]
        rows = np.zeros((n, len(self._columns)))
        for place, j in enumerate(view.order):
            first = words.FIRST_VALUE + place * words.VALUES
            shares = self._network.shares(self._network.after(view.read, tokens), slice(first, first + words.VALUES))
            picks = (shares.cumsum(1) > rng.random((n, 1))).argmax(1)
            rows[:, j] = (picks + rng.random(n)) / words.VALUES
            tokens = np.concatenate([tokens, (first + picks)[:, None]], 1)
        full = np.full((n, len(self._space.free)), INACTIVE)
        full[:, self._subset] = rows
        return configs_at(self._space, full)

    def _view(self, past: Evidence, number: int, rng: np.random.Generator) -> _View:
        gain, offset = SIGHT
        if number and len(past.y) > 2:
            span = max(float(past.y.max() - np.quantile(past.y, 0.75)), 0.15)
            gain = min(LENS_SPAN / span, 1.0)
            offset = LENS_BEST - gain * float(past.y.max())
        order = rng.permutation(len(self._columns))
        header = [self._columns[j] for j in order]
        tokens = words.header_tokens(
            [str(c.role) for c in header], [c.centre for c in header], [c.spread for c in header]
        )
        scored: list[tuple[Array, float | None]] = [
            (row, offset + gain * float(y)) for row, y in zip(past.x, past.y, strict=True)
        ]
        trials = scored + [(row, None) for row in past.failed]
        for i in _order(past, rng):
            row, score = trials[i]
            tokens += words.trial_tokens(list(row[self._subset][order]), score)
        return _View(self._network.read(tokens), order, gain, offset)

    def _shares(self, view: _View, x: Array) -> Array:
        bins = np.clip((x[:, view.order] * words.VALUES).astype(np.int64), 0, words.VALUES - 1)
        tokens = words.FIRST_VALUE + np.arange(x.shape[1]) * words.VALUES + bins
        hidden = self._network.after(view.read, tokens)
        return self._network.shares(hidden, [*range(_SCORES.start, _SCORES.stop), 3]).astype(np.float64)


class InContextSearch:
    """The model alone as a proposer: its own candidates, random and local ones, the one it expects most of."""

    name = "incontext"

    def __init__(self, space: Space) -> None:
        self._space, self._pool = space, Pool(space)

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`."""
        rng, keys = np.random.default_rng(seed), known_keys(self._space, history)
        past = evidence(self._space, history)
        if not self._space.free:
            return []
        model = InContext(self._space, past, rng)
        offered = model.candidates(12, rng)
        picks = self._pool.draw(past, keys, rng)
        offered += [picks[i] for i in rng.permutation(len(picks))[:N_SCORED]]
        by_key = {self._space.key(config): config for config in offered}
        configs = [config for key, config in by_key.items() if key not in keys]
        if not configs:
            return []
        forecast = model.forecast(configs)
        worth = (forecast.improvement + 1e-9) * (1 - forecast.fails) if len(past.y) else forecast.mean
        why = "the in-context model expects most of it"
        return [
            past.predicted(
                Proposal(config=configs[i], source=self.name, why=why), float(forecast.mean[i]), float(forecast.sd[i])
            )
            for i in np.argsort(-worth)[:n]
        ]


def _order(past: Evidence, rng: np.random.Generator) -> list[int]:
    """Indices (scored trials, then failed ones) in a random order; the best and the latest of a long history."""
    n = len(past.y) + len(past.failed)
    if n <= MAX_TRIALS:
        return list(rng.permutation(n))
    best = list(np.argsort(-past.y)[: MAX_TRIALS // 2])
    rest = [i for i in range(n) if i not in set(best)][-(MAX_TRIALS - len(best)) :]
    return list(rng.permutation(np.array(best + rest)))

"""Synthetic tuning histories as token sequences with soft targets, to train the in-context model on.

In every episode a space is drawn (columns with names or without), a landscape over it, a Gaussian process on top of
it, noise, perhaps a region that crashes; then trials are made one after the other as a search would: anywhere, near the
best so far, where names suggest. No choice of a configuration depends on a score that the history does not show.

The target of a score token is not the score that was drawn but its distribution given the landscape, the kernel and the
trials so far. By the tower rule its expectation over landscapes is what the model should learn, with far less variance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from prompts import trial_words as words
from trainers.incontext import landscape
from trainers.incontext.landscape import Array, Beliefs, Landscapes
from trainers.incontext.roles import BELIEFS

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Targets = NDArray[np.float32]

BACKWARD_SHARE = 0.2
"""Share of the trials told target first."""

TARGET_WEIGHT = 0.1
"""Weight of a configuration's token in the loss, where a target stands before it; a score token has 1."""

FEW = ((1500, 2), (2500, 4))
"""(step, columns): until that step episodes have 1 to so many columns alike. With few columns the model finds within a
thousand steps that like configurations have like scores; with all sizes from the start it had not after 4,000."""

COLUMN_SHARES = (4, 14, 12, 12, 14, 11, 8, 12, 8, 3, 0, 3)
"""How often episodes have 1, 2, ... columns."""

_UNITS = {"log10": (1.5, 8.0), "log2": (2.0, 7.0), "linear": (0.3, 1.0), "share": (1.0, 1.0)}
"""Widths of the ranges that people search, by scale."""

_BELIEFS = [BELIEFS[role] for role in words.ROLES]
_UNKNOWN, _CHOICE, _LEARNING_RATE, _BATCH_SIZE = map(
    words.ROLES.index, ("unknown", "choice", "learning_rate", "batch_size")
)
_NAMED = np.arange(len(words.ROLES) - 1) + 1
_COMMON = np.where(np.isin(_NAMED, (_CHOICE, _LEARNING_RATE, _BATCH_SIZE)), 4.0, 1.0)


@dataclass(frozen=True)
class Batch:
    """B sequences of L tokens; targets of M score tokens (rows and columns of `where`, the token before it predicts it)
    as distributions over the score words and `fail` (last); places of configuration tokens that are targets themselves.
    """

    tokens: Ints  # (B, L)
    where: tuple[Ints, Ints]  # of the score tokens
    targets: Targets  # (M, SCORES + 1)
    drawn: Ints  # (M,): the class that was drawn, for reporting
    asked: tuple[Ints, Ints]  # of configuration tokens after a target


@dataclass(frozen=True)
class _Noise:
    length: Array  # (B, D) of the Gaussian process
    smooth: Ints  # (B,): 0 squared exponential, 1 Matern-5/2, 2 Matern-3/2
    weight: Array  # (B,) of the process
    share: Array  # (B,) of the landscape
    sd: Array  # (B,) of a repeat
    crash: Callable[[Array], Array]  # probability of failure (B,) at x (B, D)


def batch(n: int, seed: int, step: int) -> Batch:
    """Batch number `step` of `n` episodes: the same for the same arguments. 64 episodes take about 60 ms."""
    rng = np.random.default_rng((seed, step))
    d = _columns(step, rng)
    t = int(rng.integers(10, 34)) if d <= 6 else int(rng.integers(10, 28))
    beliefs, roles = random_beliefs(n, d, rng)
    shapes, noise = landscape.sample(beliefs, rng), _noise(beliefs, roles, rng)
    x, y, failed, mean, sd, p_fail = _trials(beliefs, shapes, noise, t, rng)
    scores, targets = _in_view(y, mean, sd, p_fail, rng)
    return _written(beliefs, roles, x, scores, failed, targets, rng)


def _columns(step: int, rng: np.random.Generator) -> int:
    """Number of columns of the episodes of a step: few at first, see `FEW`."""
    few = next((few for until, few in FEW if step < until), None)
    if few is not None:
        return int(rng.integers(few)) + 1
    return int(rng.choice(len(COLUMN_SHARES), p=np.array(COLUMN_SHARES) / sum(COLUMN_SHARES))) + 1


def random_beliefs(n: int, d: int, rng: np.random.Generator) -> tuple[Beliefs, Ints]:
    """Columns of `n` random spaces, and their roles' indices in `prompts.trial_words.ROLES` (n, d)."""
    roles = rng.choice(_NAMED, size=(n, d), p=_COMMON / _COMMON.sum())
    roles = np.where((rng.random((n, 1)) < 0.3) | (rng.random((n, d)) < 0.12), _UNKNOWN, roles)
    units = rng.uniform(*np.moveaxis(np.array([_UNITS[belief.scale] for belief in _BELIEFS])[roles], -1, 0))

    def believed(field: str) -> Array:
        return np.asarray(np.array([getattr(belief, field) for belief in _BELIEFS])[roles])

    spread = np.minimum(believed("spread") / units, 0.5)
    spread = np.maximum((1 / spread**2 + 1 / 0.35**2) ** -0.5, 0.05)
    own = believed("scale") == "share"
    centre = np.where(own, 0.5 + (believed("centre") - 0.5) * 0.7, 0.5 + 0.2 * rng.standard_normal((n, d)))
    centre += 0.05 * rng.standard_normal((n, d))
    choice = (roles == _CHOICE) | ((roles == _UNKNOWN) & (rng.random((n, d)) < 0.15))
    stepped = rng.random((n, 1)) < np.where(rng.random((n, 1)) < 0.4, 0.9, 0.15)
    levels = np.where(choice, rng.integers(2, 6, (n, d)), np.where(stepped, rng.integers(3, 13, (n, d)), 0))
    beliefs = Beliefs(
        centre=np.clip(centre, -0.2, 1.2),
        spread=spread,
        left=np.clip(believed("left") / units, 0.05, 3.0),
        right=np.clip(believed("right") / units, 0.05, 3.0),
        weight=believed("weight"),
        choice=choice,
        levels=levels,
        named=roles != _UNKNOWN,
    )
    return beliefs, roles


def _noise(beliefs: Beliefs, roles: Ints, rng: np.random.Generator) -> _Noise:
    n, d = roles.shape
    length = np.exp(0.6 * rng.standard_normal((n, d)) - 0.9) * max(1.0, math.sqrt(d / 3))
    length = np.where(rng.random((n, d)) < 0.25, length * 8, length)
    nameless = ~beliefs.named.any(1)
    pure = nameless & (rng.random(n) < 0.6)
    weight = np.where(pure, 1.0, np.where(nameless, rng.uniform(0.1, 1.0, n), rng.uniform(0.05, 0.6, n)))
    share = np.where(pure, rng.uniform(0.0, 0.3, n), 1.0)
    total = np.sqrt(weight**2 + share**2)
    sd = np.where(rng.random(n) < 0.75, np.exp(rng.standard_normal(n) - 3.0), 0.0)
    return _Noise(
        length=length,
        smooth=np.asarray(rng.choice(3, size=n, p=[0.35, 0.45, 0.2])),
        weight=weight / total,
        share=share / total,
        sd=np.clip(sd, 0.01, 0.5),  # less makes the factor of repeated points ill-conditioned
        crash=_crash(roles, rng),
    )


def _crash(roles: Ints, rng: np.random.Generator) -> Callable[[Array], Array]:
    """A third of the episodes: beyond a threshold (high learning rates above all), in a corner, or in a box."""
    n, d = roles.shape
    low, high = np.full((n, d), -1.0), np.full((n, d), 2.0)
    has = rng.random(n) < 0.35
    for i in np.flatnonzero(has):
        rates = np.flatnonzero(roles[i] == _LEARNING_RATE)
        dims = [int(rates[0]) if len(rates) and rng.random() < 0.7 else int(rng.integers(d))]
        size = rng.uniform(0.05, 0.5)
        if d > 1 and rng.random() >= 0.6:
            dims += rng.permutation([j for j in range(d) if j not in dims])[:1].tolist()
        edge = size ** (1 / len(dims))
        for j in dims:
            where = 1 - edge if rng.random() < 0.75 or j in rates else rng.uniform(0, 1 - edge)
            low[i, j], high[i, j] = where, where + edge + (1.0 if where >= 1 - edge - 1e-9 else 0.0)
    inside = np.where(has, rng.choice([0.8, 0.95, 0.99], size=n), 0.0)
    outside = np.where(rng.random(n) < 0.15, 0.08, 0.005)
    return lambda x: np.where(((x >= low) & (x <= high)).all(-1), inside, outside)


def _trials(
    beliefs: Beliefs, shapes: Landscapes, noise: _Noise, t: int, rng: np.random.Generator
) -> tuple[Array, Array, Flags, Array, Array, Array]:
    """Configurations (B, T, D), scores, failures; mean, sd and failure probability of each trial given the earlier."""
    n, d = beliefs.centre.shape
    x, y = np.zeros((n, t, d)), np.zeros((n, t))
    failed = np.zeros((n, t), dtype=bool)
    mean, sd, p_fail = np.zeros((n, t)), np.zeros((n, t)), np.zeros((n, t))
    inverse = np.zeros((n, t, t))  # of the Cholesky factor of the covariance of the residuals so far
    residual = np.zeros((n, t))
    local = np.asarray(rng.uniform(0.0, 0.8, n))
    wide = np.exp(rng.uniform(-3.5, -1.0, n))
    nugget = noise.sd**2
    for i in range(t):
        x[:, i] = _next(beliefs, x[:, :i], y[:, :i], failed[:, :i], local, wide, rng)
        base = noise.share * shapes(x[:, i : i + 1])[:, 0]
        k = noise.weight[:, None] ** 2 * _kernel(x[:, i], x[:, :i], noise, beliefs.choice) * ~failed[:, :i]
        row = np.einsum("bij,bj->bi", inverse[:, :i, :i], k)
        mean[:, i] = base + np.einsum("bi,bi->b", row, np.einsum("bij,bj->bi", inverse[:, :i, :i], residual[:, :i]))
        variance = np.maximum(noise.weight**2 + nugget - (row**2).sum(1), nugget)
        sd[:, i] = np.sqrt(variance)
        y[:, i] = mean[:, i] + sd[:, i] * rng.standard_normal(n)
        p_fail[:, i] = noise.crash(x[:, i])
        failed[:, i] = rng.random(n) < p_fail[:, i]
        residual[:, i] = np.where(failed[:, i], 0.0, y[:, i] - base)
        row = np.where(failed[:, i : i + 1], 0.0, row)  # a failed trial tells nothing of the others' scores
        inverse[:, i, :i] = -np.einsum("bi,bij->bj", row, inverse[:, :i, :i]) / sd[:, i : i + 1]
        inverse[:, i, i] = 1.0 / sd[:, i]
    return x, y, failed, mean, sd, p_fail


def _kernel(one: Array, others: Array, noise: _Noise, choice: Flags) -> Array:
    difference = (one[:, None] - others) / noise.length[:, None]
    unlike = (np.abs(one[:, None] - others) > 1e-9) / noise.length[:, None]
    squared = (np.where(choice[:, None], unlike, difference) ** 2).sum(-1)
    r = np.sqrt(squared + 1e-12)
    matern5 = (1 + math.sqrt(5) * r + 5 / 3 * squared) * np.exp(-math.sqrt(5) * r)
    matern3 = (1 + math.sqrt(3) * r) * np.exp(-math.sqrt(3) * r)
    return np.choose(noise.smooth[:, None], [np.exp(-0.5 * squared), matern5, matern3])


def _next(
    beliefs: Beliefs, x: Array, y: Array, failed: Flags, local: Array, wide: Array, rng: np.random.Generator
) -> Array:
    """What a search would try: near one of the best so far, where names suggest, or anywhere. (B, D)"""
    n, d = beliefs.centre.shape
    new = rng.random((n, d))
    hinted = np.asarray(rng.random(n)) < 0.12
    new = np.where(hinted[:, None], beliefs.centre + beliefs.spread * rng.standard_normal((n, d)), new)
    if y.shape[1] == 0:
        new = np.where(rng.random((n, 1)) < 0.4, 0.5, new)
    else:
        rank = np.where(failed, -1e9, y) + 0.3 * rng.standard_normal(y.shape)
        best = x[np.arange(n), rank.argmax(1)]
        moved = best + wide[:, None] * rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.6)
        jump = (rng.random((n, d)) < 0.3) & (beliefs.levels > 0)
        moved = np.where(jump, rng.random((n, d)), moved)
        new = np.where((rng.random(n) < local)[:, None], moved, new)
    return landscape.on_levels(np.clip(new, 0.0, 1.0 - 1e-9)[:, None], beliefs)[:, 0]


def _in_view(y: Array, mean: Array, sd: Array, p_fail: Array, rng: np.random.Generator) -> tuple[Array, Targets]:
    """Scores (B, T) on the scale of the words, and targets (B, T, SCORES + 1): everything in sight, or the upper end
    under a lens, the rest below the floor.

    The scale is drawn, so the model has to read it off the trials; a caller may then choose any like these.
    """
    n = len(y)
    lens = rng.random(n) < 0.5
    gain = np.where(lens, rng.uniform(0.15, 0.6, n), rng.uniform(0.06, 0.18, n))
    anchor = np.where(lens, rng.uniform(0.3, 1.8, n), 0.0)
    offset = np.where(lens, rng.uniform(0.5, 0.75, n), rng.uniform(0.35, 0.65, n)) - gain * anchor

    def scale(values: Array) -> Array:
        return np.asarray(offset[:, None] + gain[:, None] * values)

    edges = np.linspace(0.0, 1.0, words.SCORES + 1)[1:-1]
    below = ndtr((edges - scale(mean)[..., None]) / (gain[:, None] * sd)[..., None])
    ends = np.ones((*y.shape, 1))
    share = np.diff(np.concatenate([0 * ends, below, ends], -1), axis=-1) * (1 - p_fail)[..., None]
    targets = np.concatenate([share, p_fail[..., None]], -1).astype(np.float32)
    return scale(y), targets


def _written(
    beliefs: Beliefs, roles: Ints, x: Array, scores: Array, failed: Flags, targets: Targets, rng: np.random.Generator
) -> Batch:
    n, t, d = x.shape
    centre = np.round((beliefs.centre - words.LOWEST_CENTRE) / words.CENTRE_STEP).astype(np.int64)
    spread = np.searchsorted(np.array(words.SPREAD_EDGES), beliefs.spread)
    columns = [
        words.FIRST_ROLE + roles,
        words.FIRST_CENTRE + np.clip(centre, 0, words.CENTRES - 1),
        words.FIRST_SPREAD + spread,
    ]
    header = np.concatenate([np.ones((n, 1), dtype=np.int64), np.stack(columns, -1).reshape(n, -1)], 1)
    bins = np.clip((x * words.VALUES).astype(np.int64), 0, words.VALUES - 1)
    values = words.FIRST_VALUE + np.arange(d) * words.VALUES + bins
    seen = np.clip((scores * words.SCORES).astype(np.int64), 0, words.SCORES - 1)
    score = np.where(failed, 3, words.FIRST_SCORE + seen)
    asked = words.FIRST_TARGET + seen * words.TARGETS // words.SCORES
    backward = (rng.random((n, t)) < BACKWARD_SHARE) & ~failed
    forward = np.concatenate([values, score[..., None]], -1)
    turned = np.concatenate([asked[..., None], values], -1)
    tokens = np.concatenate([header, np.where(backward[..., None], turned, forward).reshape(n, -1)], 1)
    begin = header.shape[1]
    b, i = np.nonzero(~backward)
    rows, trials = np.nonzero(backward)
    drawn = np.where(failed, words.SCORES, seen)
    return Batch(
        tokens=tokens,
        where=(b, begin + i * (d + 1) + d),
        targets=targets[b, i],
        drawn=drawn[b, i],
        asked=(np.repeat(rows, d), (begin + trials[:, None] * (d + 1) + 1 + np.arange(d)).reshape(-1)),
    )

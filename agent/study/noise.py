"""How much a score changes with the seed, and what a configuration is worth once that is known. Numbers only."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, pvariance

LEAST_SPREAD = 0.25
"""Spread of the configurations' worths in noise sd that is assumed at least: at 0 all would count as equal."""


def noise_sd(runs: Sequence[Sequence[float]]) -> float | None:
    """Standard deviation of a score over seeds, pooled over configurations; None before any has two runs.

    `runs`: the scores of each configuration, one a seed.
    """
    repeated = [scores for scores in runs if len(scores) > 1]
    if not repeated:
        return None
    squares = sum((y - fmean(scores)) ** 2 for scores in repeated for y in scores)
    return sqrt(squares / sum(len(scores) - 1 for scores in repeated))


def posterior_means(runs: Sequence[Sequence[float]]) -> list[float]:
    """What each configuration is expected to score on a new seed; `runs` holds at least one score of each.

    Normal model: a score is its configuration's worth plus noise, worths are spread around their common mean. Each
    mean is shrunk towards the common one, those of few runs most (Efron and Morris 1973, empirical Bayes). The noise
    is `noise_sd`; while it is not known, or 0, nothing is shrunk.
    """
    means = [fmean(scores) for scores in runs]
    noise = noise_sd(runs)
    if not noise:
        return means
    sampling = [noise**2 / len(scores) for scores in runs]
    between = max(pvariance(means) - fmean(sampling), (LEAST_SPREAD * noise) ** 2)
    common = fmean(means)
    return [common + (mean - common) * between / (between + own) for mean, own in zip(means, sampling, strict=True)]

"""Synthetic landscapes."""

import numpy as np
import pytest

from trainers.incontext import landscape
from trainers.incontext.columns import columns
from trainers.incontext.episodes import random_beliefs
from trainers.incontext.landscape import Beliefs
from trainers.space import CategoricalParameter, FloatParameter, Space


@pytest.mark.parametrize("dimensions", [1, 4, 12])
def test_values_are_finite_and_on_one_scale(dimensions: int) -> None:
    """Over the whole cube, its corners included: about mean 0 and standard deviation 1."""
    rng = np.random.default_rng(0)
    beliefs, _ = random_beliefs(64, dimensions, rng)
    shapes = landscape.sample(beliefs, rng)
    values = shapes(landscape.spread_points(beliefs, 200, rng))
    assert values.shape == (64, 200)
    assert np.isfinite(values).all()
    assert np.isfinite(shapes(np.stack([np.zeros((64, dimensions)), np.ones((64, dimensions))], 1))).all()
    assert abs(np.median(values.mean(1))) < 0.2
    assert np.median(values.std(1)) == pytest.approx(1.0, abs=0.2)


def test_landscapes_of_a_space_favour_what_its_names_suggest() -> None:
    """Averaged over many, the middle of the usual learning rates is better than either end."""
    space = Space(
        parameters={
            "learning_rate": FloatParameter(low=1e-6, high=1e-1, log=True),
            "scheduler": CategoricalParameter(choices=("cosine", "linear")),
        }
    )
    found = columns(space)
    beliefs = Beliefs.of(found, 2000)
    shapes = landscape.sample(beliefs, np.random.default_rng(1))
    rows = np.array([[at, 0.25] for at in (0.02, found[0].centre, 0.98)])[None]
    low, usual, high = shapes(rows).mean(0)
    assert usual > low
    assert usual > high


def test_discrete_columns_stay_on_their_levels() -> None:
    """Ordered levels include both ends, words lie in the middle of theirs, continuous columns are left alone."""
    one = np.ones((1, 3))
    beliefs = Beliefs(
        centre=one,
        spread=one,
        left=one,
        right=one,
        weight=one,
        choice=np.array([[False, True, False]]),
        levels=np.array([[3, 4, 0]]),
        named=np.array([[True, True, True]]),
    )
    x = np.linspace(0.0, 1.0 - 1e-9, 101)[None, :, None].repeat(3, 2)
    moved = landscape.on_levels(x, beliefs)[0]
    assert set(moved[:, 0]) == {0.0, 0.5, 1.0}
    assert set(moved[:, 1]) == {0.125, 0.375, 0.625, 0.875}
    np.testing.assert_array_equal(moved[:, 2], x[0, :, 2])

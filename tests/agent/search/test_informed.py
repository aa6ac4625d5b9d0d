"""The Bayesian surrogate over synthetic landscapes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.search.informed import Informed, Mixture
from agent.search.stop import expected_improvement
from trainers.space import FloatParameter, Space

SPACE = Space(
    parameters={"learning_rate": FloatParameter(low=1e-6, high=1.0, log=True), "x": FloatParameter(low=0.0, high=1.0)}
)


def test_names_tell_before_any_trial() -> None:
    """A learning rate in the middle of what people use is expected to beat the ends of the range."""
    mixture = Informed(SPACE, np.zeros((0, 2)), np.zeros(0)).predict(np.array([[0.02, 0.5], [0.5, 0.5], [0.98, 0.5]]))
    assert mixture.mean[1] > max(mixture.mean[0], mixture.mean[2])


def test_trials_are_learned_from() -> None:
    """After 30 trials of a smooth function predictions at new places follow it, with an error near the stated one."""
    rng = np.random.default_rng(0)
    x, new = rng.random((30, 2)), rng.random((200, 2))

    def f(at: np.ndarray) -> np.ndarray:
        return -((at[:, 0] - 0.7) ** 2) * 8 - (at[:, 1] - 0.3) ** 2

    location, scale = f(x).mean(), f(x).std()
    mixture = Informed(SPACE, x, (f(x) - location) / scale).predict(new)
    truth = (f(new) - location) / scale
    assert np.corrcoef(mixture.mean, truth)[0, 1] > 0.95
    inside = np.abs(mixture.mean - truth) < 2.5 * mixture.sd
    assert inside.mean() > 0.9


@settings(max_examples=50)
@given(means=st.lists(st.floats(-3, 3), min_size=2, max_size=5), sd=st.floats(0.05, 3), best=st.floats(-3, 3))
def test_without_noise_the_gain_is_expected_improvement(means: list[float], sd: float, best: float) -> None:
    """Where an observation is the truth, and the incumbent's score is known."""
    k = np.full((1, len(means)), sd)
    mixture = Mixture(np.ones(1), np.array([means]), k, np.zeros(1))
    improvement = [expected_improvement(mean, sd, best, maximize=True) for mean in means]
    assert np.allclose(mixture.gain(best, np.array([best])), improvement, atol=1e-9)


def test_luck_costs_where_scores_are_noisy() -> None:
    """A configuration known to be worse can only take the incumbent's place by luck: that is a loss."""
    mixture = Mixture(np.ones(1), np.array([[-0.5]]), np.array([[1e-3]]), np.array([1.0]))
    assert mixture.gain(0.2, np.array([0.0]))[0] < 0.0

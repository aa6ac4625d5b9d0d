"""A search space as columns of numbers."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.incontext.columns import INACTIVE, columns, configs_at, place, positions
from trainers.space import CategoricalParameter, Condition, FloatParameter, IntParameter, Parameter, Space

floats = st.builds(
    lambda low, ratio, log: FloatParameter(low=low, high=low * ratio, log=log),
    st.floats(1e-6, 10.0),
    st.sampled_from([1.0, 1.1, 10.0, 1e4]),
    st.booleans(),
)
ints = st.builds(
    lambda low, width, log: IntParameter(low=low, high=low + width, log=log),
    st.integers(1, 20),
    st.sampled_from([0, 1, 3, 100, 3000]),
    st.booleans(),
)
choices = st.sampled_from(
    [(1,), ("a", "b", "c"), (4, 8, 16), (0.0, 0.05, 0.1), (1e-4, 1e-3, 1e-2), (True, False), (8, 2), ("x", 1)]
).map(lambda values: CategoricalParameter(choices=values))


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """One to five parameters; some depend on an earlier categorical one."""
    parameters: dict[str, Parameter] = {
        f"p{i}": draw(st.one_of(floats, ints, choices)) for i in range(draw(st.integers(1, 5)))
    }
    switch = next((n for n, p in parameters.items() if isinstance(p, CategoricalParameter)), None)
    conditions = {
        name: Condition(parameter=switch, values=(parameters[switch].at(0.0),))
        for name in parameters
        if switch is not None and name > switch and draw(st.booleans())
    }
    return Space(parameters=parameters, conditions=conditions)


@settings(deadline=None)
@given(space=spaces(), seed=st.integers(0, 1000))
def test_configs_at_is_the_inverse_of_positions(space: Space, seed: int) -> None:
    """For every member of every space; a row per configuration and a column per free parameter, all in [0, 1]."""
    rng = Random(seed)
    configs = [space.sample(rng) for _ in range(4)]
    rows = positions(space, configs)
    assert rows.shape == (4, len(space.free))
    assert ((rows >= 0.0) & (rows <= 1.0)).all()
    assert configs_at(space, rows) == configs


@settings(deadline=None)
@given(space=spaces(), shares=st.lists(st.floats(-0.5, 1.5), min_size=5, max_size=5))
def test_every_row_is_a_configuration(space: Space, shares: list[float]) -> None:
    """Also one that lies outside; going there and back again changes nothing more."""
    (config,) = configs_at(space, np.array([shares[: len(space.free)]], dtype=np.float64))
    assert not space.problems(config)
    assert configs_at(space, positions(space, [config])) == [config]


@settings(deadline=None)
@given(space=spaces())
def test_columns_are_the_free_parameters(space: Space) -> None:
    """With a belief in shares of the range that is never certain."""
    found = columns(space)
    assert [column.name for column in found] == list(space.free)
    for column in found:
        assert -0.2 <= column.centre <= 1.2
        assert 0.05 <= column.spread <= 0.5
        assert column.left > 0.0
        assert column.right > 0.0
        assert column.levels >= 0


def test_positions_lie_on_the_range_s_own_scale() -> None:
    """Log ranges by ratio, rising numbers in their place, words by how likely they are tried."""
    assert place(FloatParameter(low=1e-5, high=1e-3, log=True), 1e-4) == pytest.approx(0.5)
    assert place(FloatParameter(low=0.0, high=0.2), 0.05) == pytest.approx(0.25)
    assert place(CategoricalParameter(choices=(4, 8, 16, 32, 64)), 16) == pytest.approx(0.5)
    assert place(CategoricalParameter(choices=(0.0, 0.1, 0.2)), 0.1) == pytest.approx(0.5)
    scheduler = CategoricalParameter(choices=("constant", "cosine"))
    assert place(scheduler, "cosine") < place(scheduler, "constant")


def test_an_inactive_parameter_stands_in_the_middle() -> None:
    """Whatever it would have been."""
    space = Space(
        parameters={
            "optimizer": CategoricalParameter(choices=("adamw", "sgd")),
            "momentum": FloatParameter(low=0.0, high=0.9),
        },
        conditions={"momentum": Condition(parameter="optimizer", values=("sgd",))},
    )
    rows = positions(space, [{"optimizer": "adamw"}, {"optimizer": "sgd", "momentum": 0.9}])
    np.testing.assert_allclose(rows[:, 1], [INACTIVE, 1.0])


def test_a_default_draws_the_belief_to_itself() -> None:
    """And makes it surer; a range far from what the name suggests overrules the name."""
    plain, chosen, odd = (
        columns(Space(parameters={"learning_rate": FloatParameter(low=low, high=high, log=True, default=default)}))[0]
        for low, high, default in ((1e-5, 1e-1, None), (1e-5, 1e-1, 1e-2), (1e3, 1e5, None))
    )
    assert chosen.centre > plain.centre
    assert chosen.spread < plain.spread
    assert odd.role == "learning_rate"
    assert odd.centre == pytest.approx(0.5)

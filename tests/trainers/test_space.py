"""The search space: samples are members, one canonical form, one hash."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trainers.space import CategoricalParameter, Condition, FloatParameter, IntParameter, Space, describe, is_fixed

SPACE = Space(
    parameters={
        "rate": FloatParameter(low=1e-5, high=1e-2, log=True, default=1e-3),
        "share": FloatParameter(low=0.0, high=0.5),
        "rank": IntParameter(low=1, high=64, log=True),
        "kind": CategoricalParameter(choices=("a", "b"), default="a"),
        "only_b": FloatParameter(low=1.0, high=2.0),
        "deeper": IntParameter(low=1, high=3),
        "fixed": CategoricalParameter(choices=(16,)),
    },
    conditions={
        "only_b": Condition(parameter="kind", values=("b",)),
        "deeper": Condition(parameter="only_b", values=(1.5,)),
    },
)


@st.composite
def floats(draw):
    """Float parameters of any range."""
    log = draw(st.booleans())
    bounds = st.floats(1e-9 if log else -1e6, 1e6, allow_nan=False)
    low, high = sorted((draw(bounds), draw(bounds)))
    return FloatParameter(low=low, high=high, log=log)


@given(parameter=floats(), fraction=st.floats(0, 1))
def test_values_of_a_range_belong_to_it(parameter, fraction):
    """Whatever the range and its scale, the value at a fraction of it is accepted."""
    assert parameter.accepts(parameter.at(fraction))


@given(seed=st.integers(0, 10**6))
def test_samples_are_members_and_canonical_is_stable(seed):
    """A sample has no problems, is its own canonical form, and keeps its key when written with other types."""
    config = SPACE.sample(Random(seed))
    assert SPACE.problems(config) == []
    assert SPACE.canonical(config) == config
    assert list(config) == [name for name in SPACE.parameters if name in config]
    loose = {name: float(v) if isinstance(v, int) else v for name, v in reversed(config.items())}
    assert SPACE.key(loose) == SPACE.key(config)


@given(seed=st.integers(0, 10**6))
def test_inactive_parameters_do_not_count(seed):
    """A parameter whose condition does not hold is absent, also when its condition is itself inactive."""
    config = SPACE.sample(Random(seed))
    assert ("only_b" in config) == (config["kind"] == "b")
    assert "deeper" not in config or config.get("only_b") == 1.5


def test_differences_below_the_resolution_are_one_config():
    """Rates that agree to three digits have one key."""
    base = {"share": 0.1, "rank": 8, "kind": "a", "fixed": 16}
    assert SPACE.key({**base, "rate": 0.00123401}) == SPACE.key({**base, "rate": 0.001234})
    assert SPACE.key({**base, "rate": 0.00124}) != SPACE.key({**base, "rate": 0.00123})


def test_problems_name_rule_and_value():
    """Unknown, missing and outside values are each said."""
    problems = "; ".join(SPACE.problems({"rate": 1.0, "rank": 8, "kind": "a", "fixed": 16, "colour": 3}))
    assert "unknown hyperparameter 'colour'" in problems
    assert "share is not set" in problems
    assert "rate must be between 1e-05 and 0.01 (log), got 1.0" in problems
    with pytest.raises(ValueError, match="share is not set"):
        SPACE.canonical({"rate": 1e-3})


def test_default_takes_defaults_then_middles():
    """Trial 0: stated defaults, else the middle of the scale."""
    assert SPACE.default() == {"rate": 1e-3, "share": 0.25, "rank": 8, "kind": "a", "fixed": 16}
    assert SPACE.free == ("rate", "share", "rank", "kind", "only_b", "deeper")
    assert is_fixed(SPACE.parameters["fixed"])
    assert describe(SPACE.parameters["rank"]) == "a whole number between 1 and 64 (log)"


def test_round_trip_through_json():
    """A space read back from its JSON is equal."""
    assert Space.model_validate_json(SPACE.model_dump_json()) == SPACE


@pytest.mark.parametrize(
    "broken",
    [
        lambda: FloatParameter(low=2, high=1),
        lambda: FloatParameter(low=0, high=1, log=True),
        lambda: IntParameter(low=1, high=3, default=4),
        lambda: CategoricalParameter(choices=(1, 2), default=3),
        lambda: Space(parameters={}, conditions={"a": Condition(parameter="b", values=(1,))}),
    ],
)
def test_impossible_parameters_are_refused(broken):
    """Empty ranges, log of zero, defaults outside and conditions on nothing do not validate."""
    with pytest.raises(ValidationError):
        broken()

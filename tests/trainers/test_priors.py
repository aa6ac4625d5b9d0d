"""Default spaces and what a user's search makes of them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.errors import InputError
from trainers.priors import default_space
from trainers.spec import (
    TERMS,
    Adapter,
    Budget,
    Choices,
    Data,
    Loss,
    Objective,
    Range,
    Search,
    Task,
    TaskSpec,
)
from trainers.tasks.preference import BETA
from trainers.tasks.sft import learning_rate as sft_learning_rate


def spec(task=Task.CLASSIFICATION, loss=None, **fields):
    """A task spec."""
    metric = TERMS[Task(task)].metrics[0]
    if task == Task.PREFERENCE and loss is None:
        loss = Loss.SIGMOID
    return TaskSpec(
        task=task,
        loss=loss,
        base_model="m",
        data=Data(train="x"),
        objective=Objective(metric=metric, direction=metric.direction),
        budget=Budget(trials=3),
        **fields,
    )


def space(task_spec, n_train_rows=1000, **known):
    """Its default space for a model of unknown shape."""
    facts = {"hidden_size": None, "parameters": None, **known}
    return default_space(task_spec, n_train_rows=n_train_rows, **facts)


@given(
    task=st.sampled_from(list(Task)),
    adapter=st.sampled_from(list(Adapter)),
    loss=st.sampled_from(list(Loss)),
    rows=st.integers(1, 10**6),
    hidden=st.none() | st.integers(16, 20_000),
    embedded=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_every_space_is_valid(task, adapter, loss, rows, hidden, embedded, seed):
    """Defaults and samples are members of the space, whatever the task, adapter, model and data."""
    task_spec = spec(task, loss if task is Task.PREFERENCE else None, adapter=adapter)
    made = space(task_spec, rows, hidden_size=hidden, embedded=embedded)
    assert made.problems(made.default()) == []
    assert made.problems(made.sample(Random(seed))) == []
    assert {"learning_rate", "batch_size", "epochs"} <= set(made.parameters)
    assert ("lora_rank" in made.parameters) == (adapter is not Adapter.FULL)


def test_conditional_parameters_follow_the_loss():
    """simpo_gamma is SimPO's, label_smoothing the robust loss's, head_lr_ratio classification's."""
    for loss in Loss:
        names = set(space(spec(Task.PREFERENCE, loss)).parameters)
        assert ("simpo_gamma" in names) == (loss is Loss.SIMPO)
        assert ("label_smoothing" in names) == (loss is Loss.ROBUST)
        assert "beta" in names
        assert "head_lr_ratio" not in names
    assert "head_lr_ratio" in space(spec()).parameters
    assert "beta" not in space(spec()).parameters


def test_beta_has_the_scale_of_its_loss():
    """Length-normalised DPO's beta is around 5, DPO's around 0.1; the two do not share a prior."""
    assert set(BETA) == set(Loss)
    assert space(spec(Task.PREFERENCE, Loss.SIGMOID_NORM)).default()["beta"] == 5.0
    assert space(spec(Task.PREFERENCE, Loss.SIGMOID)).default()["beta"] == 0.1


def test_learning_rate_prior_falls_with_model_size():
    """The published formula: 4.9e-4, 3.6e-4 and 2.9e-4 for Llama of 1, 3 and 8 B parameters."""
    rates = [sft_learning_rate(hidden, None, "meta-llama/Llama-3") for hidden in (2048, 3072, 4096)]
    assert rates == pytest.approx([4.9e-4, 3.6e-4, 2.9e-4], rel=0.02)
    assert sft_learning_rate(4096, 8_000_000_000, "Qwen/Qwen3-8B") == pytest.approx(4.7e-4, rel=0.02)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("learning_rate", -1e-4, "above 0"),
        ("learning_rate", 3.0, "at most 1"),
        ("learning_rate", "high", "above 0"),
        ("lora_rank", 0, "between 1 and 1024"),
        ("lora_rank", 2.5, "whole number"),
        ("lora_dropout", 1.0, "below 1"),
        ("epochs", 0, "above 0"),
        ("scheduler", "sawtooth", "one of cosine"),
        ("target_modules", "brain", "one of all-linear"),
        ("batch_size", True, "whole number"),
        ("learning_rate", Range(low=-1.0, high=1e-3), "above 0"),
        ("lora_rank", Choices(choices=(8, 0)), "between 1 and 1024"),
        ("scheduler", Range(low=0, high=1), "range"),
        ("beta", 0.1, "does not apply to classification"),
    ],
)
def test_impossible_search_values_are_refused(name, value, rule):
    """The error names the field, the rule and the value."""
    with pytest.raises(InputError, match=rule) as caught:
        space(spec(search=Search.model_validate({name: value})))
    assert caught.value.param == f"search.{name}"


def test_fixed_value_leaves_nothing_to_search():
    """A number fixes its parameter, also outside our default range."""
    made = space(spec(search=Search(learning_rate=2e-2, lora_rank=7)))
    assert made.default()["learning_rate"] == 2e-2
    assert made.default()["lora_rank"] == 7
    assert not {"learning_rate", "lora_rank"} & set(made.free)


def test_range_keeps_scale_and_moves_the_default():
    """A range is searched on the parameter's scale; a default outside moves to the nearest end."""
    made = space(spec(search=Search(learning_rate=Range(low=1e-3, high=1e-2), epochs=Range(low=2, high=8))))
    rate, epochs = made.parameters["learning_rate"], made.parameters["epochs"]
    assert (rate.low, rate.high, rate.log, rate.default) == (1e-3, 1e-2, True, 1e-3)
    assert (epochs.type, epochs.low, epochs.high) == ("int", 2, 8)


def test_list_becomes_the_choices():
    """A list replaces the choices, without repeats; the default is its nearest member."""
    made = space(spec(search=Search(lora_rank=Choices(choices=(64, 32, 32)))))
    assert made.parameters["lora_rank"].choices == (64, 32)
    assert made.default()["lora_rank"] == 32


def test_trials_stay_bounded_with_much_data():
    """Much data means one pass; the embedded demo at most three."""
    assert space(spec(), 10**6).parameters["epochs"].high == 1
    assert space(spec(), 1000, embedded=True).parameters["epochs"].high == 3

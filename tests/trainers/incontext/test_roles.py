"""What names tell."""

import pytest

from prompts import trial_words as words
from trainers.incontext.roles import BELIEFS, LORA_RATE, PREFERENCE_RATE, belief_of, ordered_choices, role_of
from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Space

NUMBER = FloatParameter(low=1e-6, high=1.0, log=True)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("learning_rate", "learning_rate"),
        ("lr", "learning_rate"),
        ("learning_rate_init", "learning_rate"),
        ("init_lr", "learning_rate"),
        ("optimizer.lr", "learning_rate"),
        ("Learning-Rate", "learning_rate"),
        ("per_device_train_batch_size", "batch_size"),
        ("bs", "batch_size"),
        ("r", "lora_rank"),
        ("lora_r_rank", "lora_rank"),
        ("lora_alpha", "lora_alpha"),
        ("alpha", "weight_decay"),
        ("attention_dropout", "dropout"),
        ("num_train_epochs", "epochs"),
        ("max_steps", "epochs"),
        ("weight_decay", "weight_decay"),
        ("wd", "weight_decay"),
        ("warmup_ratio", "warmup"),
        ("adam_beta1", "momentum"),
        ("adam_beta2", "beta2"),
        ("beta", "beta"),
        ("adam_epsilon", "epsilon"),
        ("n_units_1", "width"),
        ("num_hidden_layers", "width"),
        ("depth", "depth"),
        ("lr_decay", "decay_rate"),
        ("learning_rate_decay", "decay_rate"),
        ("max_grad_norm", "clipping"),
        ("label_smoothing", "smoothing"),
        ("head_lr_ratio", "ratio"),
        ("x3", "unknown"),
        ("frobnication", "unknown"),
    ],
)
def test_names_of_many_tools_have_roles(name: str, role: str) -> None:
    """Whatever the spelling."""
    assert role_of(name, NUMBER) == role


def test_words_are_choices_whatever_they_are_called() -> None:
    """Rising numbers are numbers."""
    assert role_of("learning_rate", CategoricalParameter(choices=("low", "high"))) == "choice"
    assert role_of("learning_rate", CategoricalParameter(choices=(1e-4, 1e-3))) == "learning_rate"
    assert role_of("batch_size", CategoricalParameter(choices=(64, 8))) == "choice"


def test_every_role_is_a_word_with_a_belief() -> None:
    """The vocabulary of the history and the beliefs name the same roles."""
    assert set(BELIEFS) == set(words.ROLES)


def test_what_else_is_searched_moves_the_expected_rate() -> None:
    """LoRA wants higher rates than DPO."""

    def rate(*others: str) -> tuple[float, float]:
        parameters = {name: IntParameter(low=1, high=64) for name in others}
        belief = belief_of("learning_rate", Space(parameters={"learning_rate": NUMBER, **parameters}))
        return belief.centre, belief.spread

    assert rate("lora_rank") == LORA_RATE
    assert rate("lora_rank", "beta") == PREFERENCE_RATE
    assert rate("depth") == (BELIEFS["learning_rate"].centre, BELIEFS["learning_rate"].spread)


def test_likely_words_come_first() -> None:
    """The default, then what practitioners try first, then the order of the space."""
    assert ordered_choices(CategoricalParameter(choices=("step", "linear", "cosine"))) == ["cosine", "linear", "step"]
    assert ordered_choices(CategoricalParameter(choices=("a", "b", "c"), default="c")) == ["c", "a", "b"]


def test_the_learning_rate_depends_on_what_is_trained() -> None:
    """SGD with momentum and boosted trees want larger ones than Adam; adapters and DPO smaller ones."""

    def expected(*others: str) -> float:
        rate = FloatParameter(low=1e-7, high=1.0, log=True)
        beside = {name: FloatParameter(low=0.1, high=0.9) for name in others}
        return belief_of("learning_rate", Space(parameters={"learning_rate": rate, **beside})).centre

    assert expected("n_estimators") > expected("momentum") > expected() == expected("beta1")
    assert expected() > expected("lora_rank") > expected("beta")

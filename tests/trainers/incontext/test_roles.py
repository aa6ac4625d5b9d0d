"""What names tell."""

import pytest

from prompts import trial_words as words
from trainers.incontext.roles import BELIEFS, LORA_RATE, PREFERENCE_RATE, Role, belief_of, ordered_choices, role_of
from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Space

NUMBER = FloatParameter(low=1e-6, high=1.0, log=True)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("learning_rate", Role.LEARNING_RATE),
        ("lr", Role.LEARNING_RATE),
        ("learning_rate_init", Role.LEARNING_RATE),
        ("init_lr", Role.LEARNING_RATE),
        ("optimizer.lr", Role.LEARNING_RATE),
        ("Learning-Rate", Role.LEARNING_RATE),
        ("per_device_train_batch_size", Role.BATCH_SIZE),
        ("bs", Role.BATCH_SIZE),
        ("r", Role.LORA_RANK),
        ("lora_r_rank", Role.LORA_RANK),
        ("lora_alpha", Role.LORA_ALPHA),
        ("alpha", Role.WEIGHT_DECAY),
        ("attention_dropout", Role.DROPOUT),
        ("num_train_epochs", Role.EPOCHS),
        ("max_steps", Role.EPOCHS),
        ("weight_decay", Role.WEIGHT_DECAY),
        ("wd", Role.WEIGHT_DECAY),
        ("warmup_ratio", Role.WARMUP),
        ("adam_beta1", Role.MOMENTUM),
        ("adam_beta2", Role.BETA2),
        ("beta", Role.BETA),
        ("adam_epsilon", Role.EPSILON),
        ("n_units_1", Role.WIDTH),
        ("num_hidden_layers", Role.WIDTH),
        ("depth", Role.DEPTH),
        ("lr_decay", Role.DECAY_RATE),
        ("learning_rate_decay", Role.DECAY_RATE),
        ("max_grad_norm", Role.CLIPPING),
        ("label_smoothing", Role.SMOOTHING),
        ("head_lr_ratio", Role.RATIO),
        ("x3", Role.UNKNOWN),
        ("frobnication", Role.UNKNOWN),
    ],
)
def test_names_of_many_tools_have_roles(name: str, role: Role) -> None:
    """Whatever the spelling."""
    assert role_of(name, NUMBER) is role


def test_words_are_choices_whatever_they_are_called() -> None:
    """Rising numbers are numbers."""
    assert role_of("learning_rate", CategoricalParameter(choices=("low", "high"))) is Role.CHOICE
    assert role_of("learning_rate", CategoricalParameter(choices=(1e-4, 1e-3))) is Role.LEARNING_RATE
    assert role_of("batch_size", CategoricalParameter(choices=(64, 8))) is Role.CHOICE


def test_every_role_is_a_word_with_a_belief() -> None:
    """The vocabulary of the history and the beliefs name the same roles."""
    assert [str(role) for role in Role] == words.ROLES
    assert set(BELIEFS) == set(Role)


def test_what_else_is_searched_moves_the_expected_rate() -> None:
    """LoRA wants higher rates than DPO."""

    def rate(*others: str) -> tuple[float, float]:
        parameters = {name: IntParameter(low=1, high=64) for name in others}
        belief = belief_of("learning_rate", Space(parameters={"learning_rate": NUMBER, **parameters}))
        return belief.centre, belief.spread

    assert rate("lora_rank") == LORA_RATE
    assert rate("lora_rank", "beta") == PREFERENCE_RATE
    assert rate("depth") == (BELIEFS[Role.LEARNING_RATE].centre, BELIEFS[Role.LEARNING_RATE].spread)


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

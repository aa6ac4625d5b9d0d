"""What is known of a hyperparameter from its name before any trial: where good values lie, and how they matter.

The numbers are rough beliefs of practitioners, on absolute scales (log10 of a learning rate, log2 of a batch size),
with the source in a comment. They are not fitted to any table of results. A name that nobody knows gets a belief that
says nothing.
"""

import math
import re
from enum import StrEnum
from typing import Literal

from trainers.space import CategoricalParameter, Parameter, Space, is_ordered
from trainers.spec import Closed, Scalar

Scale = Literal["log10", "log2", "linear", "share"]
"""`share` is the position in the range itself: for sizes whose good value depends on what else is there."""


class Role(StrEnum):
    """What a hyperparameter is, by its name; the first word of its column in the serialised history."""

    UNKNOWN = "unknown"
    CHOICE = "choice"
    LEARNING_RATE = "learning_rate"
    BATCH_SIZE = "batch_size"
    LORA_RANK = "lora_rank"
    LORA_ALPHA = "lora_alpha"
    DROPOUT = "dropout"
    EPOCHS = "epochs"
    WEIGHT_DECAY = "weight_decay"
    L1 = "l1"
    WARMUP = "warmup"
    BETA = "beta"
    MOMENTUM = "momentum"
    BETA2 = "beta2"
    EPSILON = "epsilon"
    WIDTH = "width"
    DEPTH = "depth"
    DECAY_RATE = "decay_rate"
    CLIPPING = "clipping"
    SMOOTHING = "smoothing"
    RATIO = "ratio"


class Belief(Closed):
    """Where the best value lies (`centre` +- `spread` on `scale`), how fast the score falls below (`left`) and above
    (`right`) it, all in units of `scale`, and how much it matters (`weight`, 1 for the learning rate)."""

    scale: Scale
    centre: float
    spread: float
    left: float
    right: float
    weight: float


BELIEFS: dict[Role, Belief] = {
    Role.UNKNOWN: Belief(scale="share", centre=0.5, spread=0.4, left=0.4, right=0.4, weight=0.5),
    Role.CHOICE: Belief(scale="share", centre=0.3, spread=0.5, left=0.4, right=0.4, weight=0.35),
    # Adam from scratch 1e-3 (Kingma and Ba 2015; Keras, torch); LoRA 1e-4 to 1e-3 (Thinking Machines 2025): belief_of
    Role.LEARNING_RATE: Belief(scale="log10", centre=-3.0, spread=0.6, left=0.9, right=0.6, weight=1.0),
    # Masters and Luschi 2018: 2 to 32; smaller batches take more steps of a fixed number of epochs
    Role.BATCH_SIZE: Belief(scale="log2", centre=5.0, spread=1.5, left=4.0, right=3.0, weight=0.4),
    # Thinking Machines 2025: capacity must suffice, more does not hurt; largest is best in 31 of 35 cookbook sweeps
    Role.LORA_RANK: Belief(scale="log2", centre=6.5, spread=2.0, left=5.0, right=8.0, weight=0.3),
    Role.LORA_ALPHA: Belief(scale="log2", centre=5.0, spread=1.5, left=3.0, right=3.0, weight=0.3),
    Role.DROPOUT: Belief(scale="linear", centre=0.05, spread=0.2, left=0.5, right=0.4, weight=0.45),
    Role.EPOCHS: Belief(scale="share", centre=0.75, spread=0.3, left=0.6, right=0.8, weight=0.4),
    # AdamW 0.01 (Loshchilov and Hutter 2019), sklearn's MLP 1e-4: flat below, harmful well above
    Role.WEIGHT_DECAY: Belief(scale="log10", centre=-4.0, spread=1.5, left=4.0, right=1.5, weight=0.4),
    Role.L1: Belief(scale="log10", centre=-5.5, spread=1.5, left=4.0, right=1.5, weight=0.4),
    Role.WARMUP: Belief(scale="linear", centre=0.06, spread=0.1, left=0.2, right=0.4, weight=0.2),
    # DPO 0.1 (Rafailov et al. 2023); SimPO's DPO runs 0.01
    Role.BETA: Belief(scale="log10", centre=-1.0, spread=0.6, left=1.0, right=1.0, weight=0.4),
    Role.MOMENTUM: Belief(scale="linear", centre=0.9, spread=0.12, left=0.6, right=0.15, weight=0.4),
    Role.BETA2: Belief(scale="linear", centre=0.99, spread=0.12, left=0.6, right=0.1, weight=0.3),
    # 1e-8 in Adam; large values damp the step (Choi et al. 2019)
    Role.EPSILON: Belief(scale="log10", centre=-6.5, spread=2.0, left=4.0, right=3.0, weight=0.5),
    Role.WIDTH: Belief(scale="share", centre=0.8, spread=0.3, left=0.6, right=0.9, weight=0.5),
    Role.DEPTH: Belief(scale="share", centre=0.55, spread=0.35, left=0.6, right=0.6, weight=0.35),
    Role.DECAY_RATE: Belief(scale="share", centre=0.25, spread=0.3, left=0.8, right=0.6, weight=0.25),
    Role.CLIPPING: Belief(scale="log10", centre=0.0, spread=0.6, left=1.2, right=2.0, weight=0.2),
    Role.SMOOTHING: Belief(scale="linear", centre=0.1, spread=0.1, left=0.3, right=0.3, weight=0.2),
    Role.RATIO: Belief(scale="share", centre=0.5, spread=0.35, left=0.5, right=0.5, weight=0.3),
}

LORA_RATE, PREFERENCE_RATE = (-3.4, 0.45), (-5.0, 0.6)
"""(centre, spread) of log10 of the learning rate beside a `lora_rank` (the sweeps above: 3e-4 to 1e-3 best in 32 of 35;
recipes 1e-4 to 2e-4), and beside DPO's `beta` (TRL's LoRA table, zephyr-qlora: 5e-6; SimPO: up to 1e-5)."""

SGD_RATE, BOOSTING_RATE = (-1.5, 0.6), (-1.0, 0.5)
"""The same beside a `momentum` that is not Adam's beta1 (0.1 in the ImageNet recipes of He et al. 2016, 0.01 in Keras'
SGD), and of boosted trees (0.1 in scikit-learn and LightGBM, 0.3 in XGBoost)."""

_TREES = r"estimators|num_?leaves|max_?leaf|colsample|min_?child|min_?samples|boost_?rounds"

_PATTERNS: tuple[tuple[Role, str], ...] = (
    (Role.WARMUP, r"warm"),
    (Role.RATIO, r"ratio|gamma"),
    (Role.DECAY_RATE, r"(linear|exponential|lr|rate)_?decay"),
    (Role.LEARNING_RATE, r"learning_?rate|^(init_?)?lr(_?init)?$|^lr_|_lr$|^eta$|step_?size"),
    (Role.BATCH_SIZE, r"batch|^bs$"),
    (Role.LORA_RANK, r"rank|^r$"),
    (Role.LORA_ALPHA, r"lora_?alpha"),
    (Role.DROPOUT, r"drop"),
    (Role.EPOCHS, r"epoch|^n_?iter|max_?(iter|steps)|num_?steps|train_steps|n_?estimators|boost_?rounds"),
    (Role.SMOOTHING, r"smooth"),
    (Role.CLIPPING, r"clip|grad_?norm"),
    (Role.WEIGHT_DECAY, r"weight_?decay|^wd$|^l2|l2$|^alpha$|lambda|regulari"),
    (Role.L1, r"^l1|l1$"),
    (Role.BETA2, r"beta_?2"),
    (Role.MOMENTUM, r"beta_?1|momentum"),
    (Role.BETA, r"^beta$"),
    (Role.EPSILON, r"eps"),
    (Role.WIDTH, r"width|units|hidden|n_?embd|d_?model|channels|neurons|aspect|dim$"),
    (Role.DEPTH, r"depth|layers|n_?blocks"),
)

_PREFERRED = {"cosine": 0, "relu": 0, "gelu": 0, "adamw": 0, "adam": 0, "all-linear": 0, "silu": 0, "linear": 1}
"""Words that practitioners try first; others follow in their own order."""


def role_of(name: str, parameter: Parameter) -> Role:
    """The role that the name tells, whatever the spelling; CHOICE for words, UNKNOWN for numbers nobody knows."""
    if isinstance(parameter, CategoricalParameter) and numbers(parameter) is None:
        return Role.CHOICE
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return next((role for role, pattern in _PATTERNS if re.search(pattern, plain)), Role.UNKNOWN)


def belief_of(name: str, space: Space) -> Belief:
    """The belief of `name`'s role, adapted to what else the space holds."""
    role = role_of(name, space.parameters[name])
    belief = BELIEFS[role]
    if role is Role.LEARNING_RATE:
        others = {role_of(other, parameter) for other, parameter in space.parameters.items()}
        if Role.BETA in others or Role.LORA_RANK in others:
            centre, spread = PREFERENCE_RATE if Role.BETA in others else LORA_RATE
        elif any(re.search(_TREES, other.lower()) for other in space.parameters):
            centre, spread = BOOSTING_RATE
        elif any("momentum" in other.lower() for other in space.parameters):
            centre, spread = SGD_RATE
        else:
            return belief
        return belief.model_copy(update={"centre": centre, "spread": spread})
    return belief


def numbers(parameter: CategoricalParameter) -> list[float] | None:
    """The choices as rising numbers; None where they are words, or in no order."""
    return [float(choice) for choice in parameter.choices] if is_ordered(parameter) else None


def ordered_choices(parameter: CategoricalParameter) -> list[Scalar]:
    """Unordered choices with the likelier ones first: the default, then words that are commonly tried first."""
    return sorted(
        parameter.choices,
        key=lambda c: (c != parameter.default, _PREFERRED.get(str(c).lower(), 2), parameter.choices.index(c)),
    )


def on_scale(value: float, scale: Scale) -> float:
    """`value` on an absolute scale; log scales need a positive one (1e-12 stands in for 0)."""
    if scale == "log10":
        return math.log10(max(value, 1e-12))
    if scale == "log2":
        return math.log2(max(value, 1e-12))
    return value

"""What is known of a hyperparameter from its name before any trial: where good values lie, and how they matter.

The beliefs and their sources are in `roles.toml`. A name that nobody knows gets a belief that says nothing.
"""

import math
import re
import tomllib
from pathlib import Path
from typing import Literal

from trainers.space import CategoricalParameter, Parameter, Space, is_ordered
from trainers.spec import Closed, Scalar

Scale = Literal["log10", "log2", "linear", "share"]
"""`share` is the position in the range itself: for sizes whose good value depends on what else is there."""


class Belief(Closed):
    """Where the best value lies (`centre` +- `spread` on `scale`), how fast the score falls below (`left`) and above
    (`right`) it, all in units of `scale`, and how much it matters (`weight`, 1 for the learning rate)."""

    scale: Scale
    centre: float
    spread: float
    left: float
    right: float
    weight: float


_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
BELIEFS = {role: Belief(**entry["belief"]) for role, entry in _TABLE.items()}
"""By role; the roles are those of `prompts.trial_words`."""

LORA_RATE, PREFERENCE_RATE = (-3.4, 0.45), (-5.0, 0.6)
"""(centre, spread) of log10 of the learning rate beside a `lora_rank` (the sweeps above: 3e-4 to 1e-3 best in 32 of 35;
recipes 1e-4 to 2e-4), and beside DPO's `beta` (TRL's LoRA table, zephyr-qlora: 5e-6; SimPO: up to 1e-5)."""

SGD_RATE, BOOSTING_RATE = (-1.5, 0.6), (-1.0, 0.5)
"""The same beside a `momentum` that is not Adam's beta1 (0.1 in the ImageNet recipes of He et al. 2016, 0.01 in Keras'
SGD), and of boosted trees (0.1 in scikit-learn and LightGBM, 0.3 in XGBoost)."""

_TREES = r"estimators|num_?leaves|max_?leaf|colsample|min_?child|min_?samples|boost_?rounds"

_PREFERRED = {"cosine": 0, "relu": 0, "gelu": 0, "adamw": 0, "adam": 0, "all-linear": 0, "silu": 0, "linear": 1}
"""Words that practitioners try first; others follow in their own order."""


def role_of(name: str, parameter: Parameter) -> str:
    """The role that the name tells, whatever the spelling: "choice" for words, "unknown" for numbers nobody knows."""
    if isinstance(parameter, CategoricalParameter) and numbers(parameter) is None:
        return "choice"
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    patterns = ((role, entry["names"]) for role, entry in _TABLE.items() if "names" in entry)
    return next((role for role, pattern in patterns if re.search(pattern, plain)), "unknown")


def belief_of(name: str, space: Space) -> Belief:
    """The belief of `name`'s role, adapted to what else the space holds."""
    role = role_of(name, space.parameters[name])
    if role != "learning_rate":
        return BELIEFS[role]
    others = {role_of(other, parameter) for other, parameter in space.parameters.items()}
    if "beta" in others:
        centre, spread = PREFERENCE_RATE
    elif "lora_rank" in others:
        centre, spread = LORA_RATE
    elif any(re.search(_TREES, other.lower()) for other in space.parameters):
        centre, spread = BOOSTING_RATE
    elif any("momentum" in other.lower() for other in space.parameters):
        centre, spread = SGD_RATE
    else:
        return BELIEFS[role]
    return BELIEFS[role].model_copy(update={"centre": centre, "spread": spread})


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

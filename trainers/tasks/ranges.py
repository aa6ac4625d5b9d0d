"""Default ranges of hyperparameters, as the modules of the tasks write them.

Sources: TML = "LoRA Without Regret" (Thinking Machines 2025); MSL = microsoft/LoRA example scripts for GLUE;
PEFT = peft method_comparison/MetaMathQA; TRL = trl 1.16 docs, paper index; HB = alignment-handbook recipes;
SimPO = princeton-nlp/SimPO README; Tulu3 = arXiv 2411.15124. Defaults are theirs, not tuned on our demo data.
"""

from trainers.space import CategoricalParameter, FloatParameter, IntParameter
from trainers.spec import Scalar

SMALL_DATA, LARGE_DATA = 10_000, 50_000
"""Rows below which smaller ranks suffice (TML: capacity), and above which one epoch is the rule."""


def log_range(low: float, high: float, default: float) -> FloatParameter:
    """A number searched on a log scale; the default is moved into the range."""
    return FloatParameter(low=low, high=high, log=True, default=float(f"{min(max(default, low), high):.3g}"))


def choices(default: Scalar, *choices: Scalar) -> CategoricalParameter:
    """One of listed values."""
    return CategoricalParameter(choices=choices, default=default)


def fixed(value: Scalar) -> CategoricalParameter:
    """One value."""
    return CategoricalParameter(choices=(value,), default=value)


def epochs(n_rows: int, embedded: bool, default: int) -> IntParameter:
    """Few passes where there is much data or little time: a trial's cost grows with both."""
    high = 3 if embedded else 1 if n_rows > LARGE_DATA else 3 if n_rows > SMALL_DATA else 5
    return IntParameter(low=1, high=high, default=min(default, high, 2) if embedded else min(default, high))

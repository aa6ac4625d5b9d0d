"""Made-up functions: test functions of the optimisation literature and landscapes shaped like fine-tuning.

Every function maps places in [0, 1] per parameter to a loss with optimum 0, or to None where the run fails. The
sources: Branin, Hartmann and Ackley as in Surjanovic & Bingham's Virtual Library of Simulation Experiments.
"""

import hashlib
import inspect
import math
from collections.abc import Callable
from random import Random

from evals.search_bench.problem import Outcome, Problem
from trainers.space import CategoricalParameter, Condition, FloatParameter, IntParameter, Parameter, Space, unit
from trainers.spec import Config, Direction

Places = dict[str, float]
Loss = Callable[[Places], float | None]

N_MEDIAN = 4001
"""Uniform configurations of which the median loss is taken."""


class Synthetic(Problem):
    """A function of the places of a configuration, with Gaussian noise of `noise` times (median - optimum)."""

    def __init__(self, name: str, family: str, space: Space, loss: Loss, noise: float, task: str = "") -> None:
        self._loss = loss
        rng = Random(0)
        drawn = (loss(_places(space, space.sample(rng))) for _ in range(N_MEDIAN))
        finite = sorted(value for value in drawn if value is not None)
        super().__init__(name, family, space, Direction.MINIMIZE, 0.0, finite[len(finite) // 2], task)
        self._sd = noise * self.median

    @property
    def fingerprint(self) -> str:
        """See `Problem.fingerprint`."""
        text = f"{self.space.model_dump_json()}{inspect.getsource(self._loss)}{self._sd!r}{self.median!r}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def snapped(self, config: Config) -> Config:
        """See `Problem.snapped`."""
        return self.space.canonical(config)

    def evaluate(self, config: Config, seed: int) -> Outcome:
        """See `Problem.evaluate`."""
        config = self.snapped(config)
        loss = self.true_score(config)
        if loss is None:
            return Outcome(config=config, score=None, failed=True)
        noise = Random(f"noise/{sorted(config.items())}/{seed}").gauss(0.0, self._sd)
        return Outcome(config=config, score=loss + noise, failed=False)

    def true_score(self, config: Config) -> float | None:
        """See `Problem.true_score`."""
        return self._loss(_places(self.space, config))


def load_synthetic() -> list[Problem]:
    """Every made-up problem; about a second in all."""
    tuning = Space(parameters=_TUNING)
    return [
        Synthetic("branin", "functions", _cube(2), branin, 0.01),
        Synthetic("hartmann6", "functions", _cube(6), hartmann6, 0.01),
        Synthetic("ackley5", "functions", _cube(5), ackley, 0.01),
        Synthetic("tuning-smooth", "tuning", tuning, tuning_smooth, 0.05, "fine-tuning, validation loss"),
        Synthetic("tuning-narrow", "tuning", tuning, tuning_narrow, 0.02, "fine-tuning, validation loss"),
        Synthetic("tuning-mixed", "tuning", _MIXED, tuning_mixed, 0.05, "training a network, validation loss"),
        Synthetic("cliff40-rate", "cliff40", tuning, cliff_rate, 0.03, "fine-tuning that may diverge"),
        Synthetic("cliff40-memory", "cliff40", tuning, cliff_memory, 0.03, "fine-tuning that may run out of memory"),
        Synthetic("cliff40-tilted", "cliff40", tuning, cliff_tilted, 0.03, "fine-tuning that may diverge"),
        Synthetic("cliff40-both", "cliff40", tuning, cliff_both, 0.03, "fine-tuning that may diverge or not fit"),
    ]


def _cube(d: int) -> Space:
    return Space(parameters={f"x{i}": FloatParameter(low=0.0, high=1.0) for i in range(1, d + 1)})


_TUNING: dict[str, Parameter] = {
    "learning_rate": FloatParameter(low=1e-6, high=1e-2, log=True),
    "batch_size": IntParameter(low=4, high=256, log=True),
    "max_seq_length": IntParameter(low=64, high=4096, log=True),
    "dropout": FloatParameter(low=0.0, high=0.5),
    "weight_decay": FloatParameter(low=1e-5, high=1.0, log=True),
}
_MIXED = Space(
    parameters={
        "optimizer": CategoricalParameter(choices=("adamw", "sgd", "lion")),
        "learning_rate": FloatParameter(low=1e-6, high=1e-1, log=True),
        "momentum": FloatParameter(low=0.0, high=0.99),
        "layers": IntParameter(low=1, high=8),
        "width": CategoricalParameter(choices=(32, 64, 128, 256, 512)),
        "scheduler": CategoricalParameter(choices=("constant", "linear", "cosine")),
    },
    conditions={"momentum": Condition(parameter="optimizer", values=("sgd",))},
)


def _places(space: Space, config: Config) -> Places:
    """Where each value lies in [0, 1] of its range (log where so declared), choices by their index; 0.5 if inactive."""
    return {n: unit(p, config[n]) if n in config else 0.5 for n, p in space.parameters.items()}


def branin(u: Places) -> float:
    """Three equal optima in two dimensions."""
    x, y = 15.0 * u["x1"] - 5.0, 15.0 * u["x2"]
    valley = y - 5.1 / (4 * math.pi**2) * x * x + 5.0 / math.pi * x - 6.0
    return valley**2 + 10.0 * (1.0 - 1.0 / (8.0 * math.pi)) * math.cos(x) + 10.0 - 0.397887


_HARTMANN_A = (
    (10.0, 3.0, 17.0, 3.5, 1.7, 8.0),
    (0.05, 10.0, 17.0, 0.1, 8.0, 14.0),
    (3.0, 3.5, 1.7, 10.0, 17.0, 8.0),
    (17.0, 8.0, 0.05, 10.0, 0.1, 14.0),
)
_HARTMANN_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


def hartmann6(u: Places) -> float:
    """Six local optima in six dimensions."""
    x = [u[f"x{i}"] for i in range(1, 7)]
    hills = (
        math.exp(-sum(a * (v - p) ** 2 for a, p, v in zip(row_a, row_p, x, strict=True)))
        for row_a, row_p in zip(_HARTMANN_A, _HARTMANN_P, strict=True)
    )
    return 3.32237 - sum(w * hill for w, hill in zip((1.0, 1.2, 3.0, 3.2), hills, strict=True))


def ackley(u: Places) -> float:
    """Many shallow optima around a funnel whose bottom is off the middle."""
    x = [20.0 * (v - 0.35) for v in u.values()]
    near = math.exp(-0.2 * math.sqrt(sum(v * v for v in x) / len(x)))
    return 20.0 - 20.0 * near + math.e - math.exp(sum(math.cos(2 * math.pi * v) for v in x) / len(x))


def tuning_smooth(u: Places) -> float:
    """A rate that should rise with the batch; longer inputs help and saturate; dropout matters a little."""
    rate = u["learning_rate"] - (0.55 + 0.2 * (u["batch_size"] - 0.5))
    left = math.exp(-4.0 * u["max_seq_length"]) - math.exp(-4.0)
    return 4.0 * rate**2 + 0.4 * left + 0.3 * (u["dropout"] - 0.2) ** 2 + 0.02 * (u["weight_decay"] - 0.6) ** 2


def tuning_narrow(u: Places) -> float:
    """The loss of an untrained model almost everywhere; a narrow range of rates trains."""
    rate = (u["learning_rate"] - 0.68 - 0.1 * (u["batch_size"] - 0.5)) / 0.08
    trained = math.exp(-0.5 * rate**2) * (1.0 - 0.3 * (u["weight_decay"] - 0.4) ** 2)
    return 1.0 - trained + 0.1 * (u["dropout"] - 0.1) ** 2


def tuning_mixed(u: Places) -> float:
    """Each optimizer wants its own rate; momentum counts for one of them only."""
    which = round(2 * u["optimizer"])
    rate = u["learning_rate"] - (0.55, 0.8, 0.4)[which]
    loss = 6.0 * rate**2 + (0.02, 0.0, 0.06)[which] + 0.05 * u["scheduler"] * (1.0 - u["scheduler"])
    if which == 1:
        loss += 0.5 * (u["momentum"] - 0.9) ** 2
    return loss + 0.3 * (u["layers"] - 3 / 7) ** 2 + 0.2 * (1.0 - u["width"]) ** 2


def _bowl(u: Places, rate: float) -> float:
    """Best just below where it fails; the batch counts half as much, the length is better long, decay hardly counts."""
    long = (1.0 - u["max_seq_length"]) ** 2
    return 4.0 * (u["learning_rate"] - rate) ** 2 + 0.5 * (u["batch_size"] - 0.4) ** 2 + 0.3 * long


def cliff_rate(u: Places) -> float | None:
    """Diverges above a learning rate: 40 % of the space, the optimum close below."""
    if u["learning_rate"] > 0.6:
        return None
    return _bowl(u, 0.55) + 0.2 * (u["dropout"] - 0.2) ** 2


def cliff_memory(u: Places) -> float | None:
    """Runs out of memory where batch times length is too large: 40 % of the space; better the nearer to it.

    The sum of two uniform places exceeds 2 - sqrt(0.8) with probability 0.4.
    """
    total = u["batch_size"] + u["max_seq_length"]
    if total > 2.0 - math.sqrt(0.8):
        return None
    short = 2.0 - math.sqrt(0.8) - total
    return 4.0 * (u["learning_rate"] - 0.6) ** 2 + 0.4 * short**2 + 0.5 * (u["batch_size"] - 0.4) ** 2


def cliff_tilted(u: Places) -> float | None:
    """Diverges above a rate that rises with the batch: 40 % of the space, as the tilt is even around the middle."""
    edge = 0.6 + 0.5 * (u["batch_size"] - 0.5)
    if u["learning_rate"] > edge:
        return None
    return 3.0 * (u["learning_rate"] - edge + 0.08) ** 2 + 0.6 * (u["batch_size"] - 0.7) ** 2


def cliff_both(u: Places) -> float | None:
    """Diverges in the upper quarter of rates, and of the rest a fifth does not fit: 0.25 + 0.75 x 0.2 = 40 %."""
    if u["learning_rate"] > 0.75 or u["max_seq_length"] > 0.8:
        return None
    return 4.0 * (u["learning_rate"] - 0.7) ** 2 + 0.6 * (0.8 - u["max_seq_length"]) ** 2 + 0.3 * u["dropout"] ** 2

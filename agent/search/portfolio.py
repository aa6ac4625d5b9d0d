"""A few configurations from published sweeps and recipes, tried after the default and before any model of the scores.

The portfolio is fixed per task, adapter and loss; it is never fitted to the project's own demonstration.
"""

from agent.search.fresh import completed, known_keys, unit
from agent.search.llm.task_card import TaskCard
from agent.study.nouns import History, Proposal
from trainers.space import CategoricalParameter, Parameter, Space
from trainers.spec import Adapter, Closed, Config, Loss, Scalar, Task

MAX_RANK = 64
"""Largest rank asked for: in 31 of the 35 LoRA sweeps of the tinker-cookbook the largest that was tried was best."""

FULL_LR_RATIO = 0.1
"""Full fine-tuning wants about a tenth of LoRA's learning rate (Schulman et al., LoRA Without Regret, 2025)."""


class Setting(Closed):
    """Changes to the default configuration, and who published them."""

    set: dict[str, Scalar]
    times: dict[str, float] = {}
    source: str


_SWEEP = "tinker-cookbook chat_sl sft_sweep: best learning rate of 35 LoRA sweeps"
SFT = (
    Setting(set={"learning_rate": 3e-4, "lora_rank": MAX_RANK}, source=f"{_SWEEP} in 22 of them"),
    Setting(set={"learning_rate": 1e-3, "lora_rank": MAX_RANK}, source=f"{_SWEEP} in 10 of them"),
    Setting(set={"learning_rate": 1e-4, "lora_rank": MAX_RANK}, source="LLaMA-Factory and axolotl LoRA recipes"),
)

CLASSIFICATION = (
    Setting(
        set={"learning_rate": 1.5e-3, "lora_rank": 16},
        times={"epochs": 2.0},
        source="LoRA, arXiv 2106.09685, table 9: smaller encoders want larger rates; three times roberta-base's",
    ),
    Setting(
        set={"learning_rate": 5e-4, "lora_rank": 8, "weight_decay": 0.1, "warmup_ratio": 0.06, "scheduler": "linear"},
        times={"epochs": 3.0},
        source="microsoft/LoRA roberta-base GLUE scripts: rank 8, 5e-4, warmup 0.06, decay 0.1, many epochs",
    ),
    Setting(
        set={"learning_rate": 3e-3, "lora_rank": 16, "head_lr_ratio": 1.0},
        source="upper end of the learning rates published for LoRA on encoders",
    ),
)

_DPO = (
    Setting(set={"learning_rate": 1e-5, "beta": 0.1}, source="TRL DPO documentation"),
    Setting(set={"learning_rate": 5e-6, "beta": 0.01}, source="SimPO README: beta 0.01 best in all its DPO settings"),
    Setting(set={"learning_rate": 5e-5, "beta": 0.1}, source="ten times Zephyr's 5e-6 (QLoRA DPO), for small models"),
)
PREFERENCE: dict[Loss, tuple[Setting, ...]] = {
    Loss.SIGMOID: _DPO,
    Loss.HINGE: _DPO,
    Loss.ROBUST: (
        Setting(set={"learning_rate": 1e-5, "beta": 0.1, "label_smoothing": 0.1}, source="arXiv 2403.00409"),
        Setting(set={"learning_rate": 5e-6, "beta": 0.1, "label_smoothing": 0.2}, source="arXiv 2403.00409"),
        *_DPO[2:],
    ),
    Loss.SIGMOID_NORM: (
        Setting(set={"learning_rate": 1e-5, "beta": 5.0}, source="Tulu 3 and OLMo 2: length-normalised DPO, beta 5"),
        Setting(set={"learning_rate": 5e-6, "beta": 10.0}, source="around Tulu 3's beta 5"),
        Setting(set={"learning_rate": 5e-5, "beta": 5.0}, source="Tulu 3's beta at a small model's learning rate"),
    ),
    Loss.SIMPO: (
        Setting(
            set={"learning_rate": 5e-6, "beta": 2.5, "simpo_gamma": 0.5},
            source="SimPO README: beta 2 to 2.5, gamma 0.5",
        ),
        Setting(set={"learning_rate": 1e-5, "beta": 10.0, "simpo_gamma": 0.3}, source="SimPO README, Llama-3 v0.2"),
        Setting(set={"learning_rate": 5e-5, "beta": 2.0, "simpo_gamma": 0.5}, source="SimPO README, smaller model"),
    ),
    Loss.IPO: (
        Setting(set={"learning_rate": 1e-5, "beta": 0.1}, source="IPO, arXiv 2310.12036: tau 0.1"),
        Setting(set={"learning_rate": 5e-6, "beta": 0.01}, source="handbook scan: small beta can be effective for IPO"),
        Setting(set={"learning_rate": 5e-5, "beta": 0.5}, source="upper end of tau with a small model's rate"),
    ),
    Loss.APO_ZERO: (
        Setting(set={"learning_rate": 1e-5, "beta": 0.1}, source="APO, arXiv 2408.06266: beta 0.05 to 0.1"),
        Setting(set={"learning_rate": 5e-6, "beta": 0.05}, source="APO, arXiv 2408.06266: beta 0.05 to 0.1"),
        *_DPO[2:],
    ),
    Loss.KTO: (
        Setting(set={"learning_rate": 5e-6, "beta": 0.1}, source="KTO, arXiv 2402.01306, and TRL: beta 0.1, 5e-6"),
        Setting(set={"learning_rate": 1e-5, "beta": 0.01}, source="smaller beta, as the SimPO README found for DPO"),
        *_DPO[2:],
    ),
}


class Portfolio:
    """Gives its settings once each, then nothing."""

    name = "portfolio"

    def __init__(self, space: Space, card: TaskCard) -> None:
        self._space = space
        self._settings = _settings(card)
        self._lr_ratio = FULL_LR_RATIO if card.adapter is Adapter.FULL else 1.0

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`; the same in every call but for what has been tried. `seed` is not used."""
        taken = known_keys(self._space, history)
        proposals: list[Proposal] = []
        for setting in self._settings:
            config = self._adapted(setting)
            key = self._space.key(config)
            if key not in taken and len(proposals) < n:
                taken.add(key)
                proposals.append(Proposal(config=config, source=self.name, why=setting.source))
        return proposals

    def _adapted(self, setting: Setting) -> Config:
        """The default with the setting's values moved to the nearest ones that the space allows."""
        default = self._space.default()
        wanted: dict[str, Scalar] = dict(setting.set)
        for name, factor in setting.times.items():
            base = default.get(name)
            if isinstance(base, (int, float)):
                wanted[name] = base * factor
        if "learning_rate" in wanted:
            wanted["learning_rate"] = float(wanted["learning_rate"]) * self._lr_ratio
        changes: Config = {}
        for name, value in wanted.items():
            parameter = self._space.parameters.get(name)
            nearest = nearest_value(parameter, value) if parameter is not None else None
            if nearest is not None:
                changes[name] = nearest
        return completed(self._space, changes)


def _settings(card: TaskCard) -> tuple[Setting, ...]:
    if card.task is None:
        return ()
    if card.task is Task.CLASSIFICATION:
        return CLASSIFICATION
    if card.task is Task.SFT:
        return SFT
    return PREFERENCE[card.loss or Loss.SIGMOID]


def nearest_value(parameter: Parameter, value: Scalar) -> Scalar | None:
    """The value of `parameter` nearest to `value`; None where nearness means nothing (unknown words)."""
    if parameter.accepts(value):
        return value
    if isinstance(value, (bool, str)):
        return None
    if isinstance(parameter, CategoricalParameter):
        numbers = [c for c in parameter.choices if isinstance(c, (int, float)) and not isinstance(c, bool)]
        return min(numbers, key=lambda c: abs(c - value), default=None)
    return parameter.at(unit(parameter, max(value, 1e-300) if parameter.log else value))

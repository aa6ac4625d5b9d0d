"""A few configurations from published sweeps and recipes, tried after the default and before any model of the scores.

The portfolio is fixed per task, adapter and loss (`trainers/tasks/`); it is never fitted to the project's own
demonstration.
"""

from agent.search.fresh import completed, known_keys
from agent.search.llm.task_card import TaskCard
from agent.study.nouns import History, Proposal
from trainers.space import CategoricalParameter, Parameter, Space, unit
from trainers.spec import Adapter, Config, Scalar
from trainers.tasks import TASKS
from trainers.tasks.trainer import Setting

FULL_LR_RATIO = 0.1
"""Full fine-tuning wants about a tenth of LoRA's learning rate (Schulman et al., LoRA Without Regret, 2025)."""


class Portfolio:
    """Gives its settings once each, then nothing."""

    name = "portfolio"

    def __init__(self, space: Space, card: TaskCard) -> None:
        self._space = space
        self._settings = TASKS[card.task].settings.get(card.loss, ()) if card.task is not None else ()
        self._lr_ratio = FULL_LR_RATIO if card.adapter is Adapter.FULL else 1.0

    def propose(self, history: History, n: int, seed: int) -> list[Proposal]:
        """See `Proposer.propose`; the same in every call but for what has been tried. `seed` is not used."""
        keys = known_keys(self._space, history)
        proposals: list[Proposal] = []
        for setting in self._settings:
            config = self._adapted(setting)
            key = self._space.key(config)
            if key not in keys and len(proposals) < n:
                keys.add(key)
                proposals.append(Proposal(config=config, source=self.name, why=setting.source))
        return proposals

    def _adapted(self, setting: Setting) -> Config:
        """The default with the setting's values moved to the nearest ones that the space allows."""
        default = self._space.default()
        values: dict[str, Scalar] = dict(setting.set)
        for name, factor in setting.times.items():
            base = default.get(name)
            if isinstance(base, (int, float)):
                values[name] = base * factor
        if "learning_rate" in values:
            values["learning_rate"] = float(values["learning_rate"]) * self._lr_ratio
        changes: Config = {}
        for name, value in values.items():
            parameter = self._space.parameters.get(name)
            nearest = nearest_value(parameter, value) if parameter is not None else None
            if nearest is not None:
                changes[name] = nearest
        return completed(self._space, changes)


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

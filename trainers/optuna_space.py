"""A `Space` in Optuna's terms: how its samplers are asked, and how they are told of trials.

Choices travel as their place in the list: ordered ones as whole numbers, so that neighbours stay neighbours.
"""

from typing import Any

from trainers.space import CategoricalParameter, FloatParameter, Parameter, Space, is_fixed, is_ordered
from trainers.spec import Config, Scalar


def asked_config(space: Space, trial: Any) -> Config:
    """What an Optuna `trial` suggests: parameters that others depend on first, and only what is active."""
    config: Config = {}
    waiting = list(space.parameters)
    while waiting:
        for name in list(waiting):
            condition = space.conditions.get(name)
            if condition is not None and condition.parameter in waiting:
                continue
            waiting.remove(name)
            if condition is None or config.get(condition.parameter) in condition.values:
                config[name] = _suggested(space.parameters[name], name, trial)
    return space.canonical(config)


def optuna_trial(space: Space, config: Config, score: float | None, state: Any, **more: Any) -> Any:
    """A trial of `config`, a member of the space, to add to an Optuna study. Importing Optuna takes a second."""
    import optuna

    free = {name: value for name, value in config.items() if not is_fixed(space.parameters[name])}
    return optuna.trial.create_trial(
        params={name: _in_optuna(space.parameters[name], value) for name, value in free.items()},
        distributions={name: _distribution(space.parameters[name]) for name in free},
        value=score,
        state=state,
        **more,
    )


def _suggested(parameter: Parameter, name: str, trial: Any) -> Scalar:
    if is_fixed(parameter):
        return parameter.at(0.0)
    if isinstance(parameter, FloatParameter):
        return float(trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log))
    if not isinstance(parameter, CategoricalParameter):
        return int(trial.suggest_int(name, parameter.low, parameter.high, log=parameter.log))
    last = len(parameter.choices) - 1
    if is_ordered(parameter):
        return parameter.choices[int(trial.suggest_int(name, 0, last))]
    return parameter.choices[int(trial.suggest_categorical(name, range(last + 1)))]


def _distribution(parameter: Parameter) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(parameter, FloatParameter):
        return FloatDistribution(parameter.low, parameter.high, log=parameter.log)
    if not isinstance(parameter, CategoricalParameter):
        return IntDistribution(parameter.low, parameter.high, log=parameter.log)
    n = len(parameter.choices)
    return IntDistribution(0, n - 1) if is_ordered(parameter) else CategoricalDistribution(tuple(range(n)))


def _in_optuna(parameter: Parameter, value: Scalar) -> Scalar:
    if isinstance(parameter, CategoricalParameter):
        return parameter.choices.index(value)
    if isinstance(parameter, FloatParameter):
        return min(max(float(value), parameter.low), parameter.high)  # a rounded bound may lie outside
    return int(value)

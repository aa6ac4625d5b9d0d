"""The yardsticks: Optuna's samplers as a plain Optuna user runs them, one study per problem and seed.

Failed trials are told as failed, which Optuna's samplers leave out; nothing keeps them from asking for a configuration
twice. Rising numbers reach the samplers as whole-number places in their list, so that neighbours stay neighbours.
"""

import warnings
from collections.abc import Sequence
from typing import Any, Literal

from evals.search_bench.problem import Observation, Offer, Problem, is_ordered
from trainers.space import CategoricalParameter, FloatParameter, Parameter, Space, is_fixed
from trainers.spec import Config, Direction, Scalar

Sampler = Literal["random", "tpe", "gp", "cmaes"]

N_STARTUP = 5
"""Finished trials (the common start counts) before TPE and GP model anything."""


class OptunaMethod:
    """A `Method` that asks one sampler. `seed` seeds the sampler."""

    def __init__(self, problem: Problem, sampler: Sampler, seed: int, n_startup: int = N_STARTUP) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._name = problem.space, sampler
        direction = "maximize" if problem.direction is Direction.MAXIMIZE else "minimize"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(direction=direction, sampler=_sampler(sampler, seed, n_startup))
        self._asked: Any = None
        self._told = 0

    def __call__(self, observations: Sequence[Observation]) -> Offer:
        """See `Method`."""
        for observation in observations[self._told :]:
            self._tell(observation)
        self._told = len(observations)
        self._asked = self._study.ask()
        return Offer(config=_walked(self._space, self._asked), source=self._name)

    def _tell(self, observation: Observation) -> None:
        from optuna.trial import TrialState

        asked, self._asked = self._asked, None
        state = TrialState.FAIL if observation.failed else TrialState.COMPLETE
        if asked is not None and observation.config == observation.offer.config:
            self._study.tell(asked, observation.score, state=state)
            return
        attributes = {}
        if asked is not None:  # the nearest listed configuration was run instead: that is what the study learns of
            attributes = self._study.tell(asked, state=TrialState.FAIL).system_attrs
        self._study.add_trial(_finished(self._space, observation, state, attributes))


def _sampler(sampler: Sampler, seed: int, n_startup: int) -> Any:
    from optuna import samplers

    match sampler:
        case "random":
            return samplers.RandomSampler(seed=seed)
        case "tpe":
            return samplers.TPESampler(seed=seed, n_startup_trials=n_startup)
        case "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=n_startup, warn_independent_sampling=False)
        case "cmaes":
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)


def _walked(space: Space, trial: Any) -> Config:
    """Ask for every parameter, those that others depend on first, and only for what is active."""
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


def _suggested(parameter: Parameter, name: str, trial: Any) -> Scalar:
    if is_fixed(parameter):
        return parameter.choices[0] if isinstance(parameter, CategoricalParameter) else parameter.low
    if isinstance(parameter, CategoricalParameter):
        if is_ordered(parameter):
            return parameter.choices[int(trial.suggest_int(name, 0, len(parameter.choices) - 1))]
        choice: Scalar = trial.suggest_categorical(name, parameter.choices)
        return choice
    if isinstance(parameter, FloatParameter):
        return float(trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log))
    return int(trial.suggest_int(name, parameter.low, parameter.high, log=parameter.log))


def _distribution(parameter: Parameter) -> Any:
    from optuna import distributions

    if isinstance(parameter, FloatParameter):
        return distributions.FloatDistribution(parameter.low, parameter.high, log=parameter.log)
    if isinstance(parameter, CategoricalParameter):
        if is_ordered(parameter):
            return distributions.IntDistribution(0, len(parameter.choices) - 1)
        return distributions.CategoricalDistribution(parameter.choices)
    return distributions.IntDistribution(parameter.low, parameter.high, log=parameter.log)


def _finished(space: Space, observation: Observation, state: Any, system_attrs: dict[str, Any]) -> Any:
    """A finished trial that was not asked for in this form: the common start, or a snapped configuration."""
    import optuna

    free = {n: v for n, v in observation.config.items() if not is_fixed(space.parameters[n])}
    return optuna.trial.create_trial(
        params={name: _external(space.parameters[name], value) for name, value in free.items()},
        distributions={name: _distribution(space.parameters[name]) for name in free},
        value=observation.score,
        state=state,
        system_attrs=system_attrs,
    )


def _external(parameter: Parameter, value: Scalar) -> Scalar:
    if isinstance(parameter, CategoricalParameter):
        return parameter.choices.index(value) if is_ordered(parameter) else value
    if isinstance(parameter, FloatParameter):
        return min(max(float(value), parameter.low), parameter.high)  # a rounded bound may lie outside
    return int(value)

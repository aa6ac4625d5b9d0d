"""The yardsticks: Optuna's samplers as a plain Optuna user runs them, one study per problem and seed.

Failed trials are told as failed, which Optuna's samplers leave out; nothing keeps them from asking for a configuration
twice.
"""

import warnings
from collections.abc import Sequence
from typing import Any, Literal

from evals.search_bench.problem import Observation, Offer, Problem
from trainers.optuna_space import asked_config, optuna_trial

Sampler = Literal["random", "tpe", "gp", "cmaes"]

N_STARTUP = 5
"""Finished trials (the common start counts) before TPE and GP model anything."""


class OptunaMethod:
    """A `Method` that asks one sampler. `seed` seeds the sampler."""

    def __init__(self, problem: Problem, sampler: Sampler, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space, self._name = problem.space, sampler
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.create_study(direction=problem.direction.value, sampler=_sampler(sampler, seed))
        self._asked: Any = None
        self._told = 0

    def __call__(self, observations: Sequence[Observation]) -> Offer:
        """See `Method`."""
        for observation in observations[self._told :]:
            self._tell(observation)
        self._told = len(observations)
        self._asked = self._study.ask()
        return Offer(config=asked_config(self._space, self._asked), source=self._name)

    def _tell(self, observation: Observation) -> None:
        from optuna.trial import TrialState

        suggestion, self._asked = self._asked, None
        state = TrialState.FAIL if observation.failed else TrialState.COMPLETE
        if suggestion is not None and observation.config == observation.offer.config:
            self._study.tell(suggestion, observation.score, state=state)
            return
        attributes = {}
        if suggestion is not None:  # the nearest listed configuration was run instead: that is what the study learns of
            attributes = self._study.tell(suggestion, state=TrialState.FAIL).system_attrs
        # not asked for in this form: the common start, or a snapped configuration
        trial = optuna_trial(self._space, observation.config, observation.score, state, system_attrs=attributes)
        self._study.add_trial(trial)


def _sampler(sampler: Sampler, seed: int) -> Any:
    from optuna import samplers

    match sampler:
        case "random":
            return samplers.RandomSampler(seed=seed)
        case "tpe":
            return samplers.TPESampler(seed=seed, n_startup_trials=N_STARTUP)
        case "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=N_STARTUP, warn_independent_sampling=False)
        case "cmaes":
            return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)

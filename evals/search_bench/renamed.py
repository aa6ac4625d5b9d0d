"""The same problem with its names taken away: what a method loses on it, it had from the names."""

from evals.search_bench.problem import Outcome, Problem
from trainers.space import CategoricalParameter, Condition, Parameter, Space
from trainers.spec import Config, Scalar

SUFFIX = "-renamed"


class Renamed(Problem):
    """A twin whose hyperparameters are x1 .. xd and whose words are v1 .. vn; numbers stay, and the task is not told.

    Starts, noise and scores are those of the original in the same seed.
    """

    def __init__(self, original: Problem) -> None:
        self._original = original
        space = original.space
        self._names = {name: f"x{i}" for i, name in enumerate(space.parameters, start=1)}
        conditions = {
            self._names[name]: Condition(
                parameter=self._names[c.parameter],
                values=tuple(_hidden(space.parameters[c.parameter], value) for value in c.values),
            )
            for name, c in space.conditions.items()
        }
        super().__init__(
            original.name + SUFFIX,
            original.family + SUFFIX,
            Space(
                parameters={self._names[n]: _nameless(p) for n, p in space.parameters.items()}, conditions=conditions
            ),
            original.direction,
            original.optimum,
            original.median,
            start=self._there(original.start),
        )

    @property
    def identity(self) -> str:
        """See `Problem.identity`."""
        return self._original.identity

    @property
    def fingerprint(self) -> str:
        """See `Problem.fingerprint`."""
        return self._original.fingerprint

    def snapped(self, config: Config) -> Config:
        """See `Problem.snapped`."""
        return self._there(self._original.snapped(self._back(config)))

    def evaluate(self, config: Config, seed: int) -> Outcome:
        """See `Problem.evaluate`."""
        outcome = self._original.evaluate(self._back(config), seed)
        return outcome.model_copy(update={"config": self._there(outcome.config)})

    def true_score(self, config: Config) -> float | None:
        """See `Problem.true_score`."""
        return self._original.true_score(self._back(config))

    def _there(self, config: Config) -> Config:
        parameters = self._original.space.parameters
        return {self._names[name]: _hidden(parameters[name], value) for name, value in config.items()}

    def _back(self, config: Config) -> Config:
        back: Config = {}
        for name, parameter in self._original.space.parameters.items():
            if self._names[name] in config:
                back[name] = _shown(parameter, config[self._names[name]])
        return back


def _nameless(parameter: Parameter) -> Parameter:
    if not _has_words(parameter):
        return parameter
    assert isinstance(parameter, CategoricalParameter)
    default = None if parameter.default is None else _hidden(parameter, parameter.default)
    return CategoricalParameter(choices=tuple(_hidden(parameter, c) for c in parameter.choices), default=default)


def _has_words(parameter: Parameter) -> bool:
    return isinstance(parameter, CategoricalParameter) and any(isinstance(c, (str, bool)) for c in parameter.choices)


def _hidden(parameter: Parameter, value: Scalar) -> Scalar:
    if not _has_words(parameter):
        return value
    assert isinstance(parameter, CategoricalParameter)
    return f"v{parameter.choices.index(value) + 1}"


def _shown(parameter: Parameter, value: Scalar) -> Scalar:
    if not _has_words(parameter):
        return value
    assert isinstance(parameter, CategoricalParameter)
    return parameter.choices[int(str(value)[1:]) - 1]

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
        self._words = {name: _words(parameter) for name, parameter in space.parameters.items()}
        conditions = {
            self._names[name]: Condition(
                parameter=self._names[c.parameter],
                values=tuple(self._words[c.parameter].get(value, value) for value in c.values),
            )
            for name, c in space.conditions.items()
        }
        super().__init__(
            original.name + SUFFIX,
            original.family + SUFFIX,
            Space(
                parameters={self._names[n]: _nameless(p, self._words[n]) for n, p in space.parameters.items()},
                conditions=conditions,
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
        return {self._names[name]: self._words[name].get(value, value) for name, value in config.items()}

    def _back(self, config: Config) -> Config:
        back: Config = {}
        for name, new_name in self._names.items():
            if new_name in config:
                words = {word: choice for choice, word in self._words[name].items()}
                back[name] = words.get(config[new_name], config[new_name])
        return back


def _words(parameter: Parameter) -> dict[Scalar, Scalar]:
    """The choices of a hyperparameter with words, and their new words; empty for numbers, which stay."""
    if isinstance(parameter, CategoricalParameter) and any(isinstance(c, (str, bool)) for c in parameter.choices):
        return {choice: f"v{i}" for i, choice in enumerate(parameter.choices, start=1)}
    return {}


def _nameless(parameter: Parameter, words: dict[Scalar, Scalar]) -> Parameter:
    if not words:
        return parameter
    default = None if parameter.default is None else words[parameter.default]
    return CategoricalParameter(choices=tuple(words.values()), default=default)

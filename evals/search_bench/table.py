"""A problem that is a table of runs: every configuration that was run, with the scores of its repeats."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import zip_longest
from random import Random

import numpy as np
import numpy.typing as npt

from evals.search_bench.problem import Outcome, Problem
from trainers.space import CategoricalParameter, Space, is_ordered
from trainers.spec import Config, Direction, Scalar

Floats = npt.NDArray[np.float64]


class Table(Problem):
    """A problem over the listed configurations; any other member of the space is run as the nearest listed one.

    `columns` holds one list of values per parameter, `repeats` the observed scores of each configuration with NaN where
    a run failed. `log` names the parameters whose values are compared by their ratio. 62,000 configurations take some
    10 MB. Raises ValueError if every run failed.
    """

    def __init__(
        self,
        name: str,
        family: str,
        space: Space,
        direction: Direction,
        columns: Mapping[str, Sequence[Scalar]],
        repeats: Sequence[Sequence[float]],
        *,
        log: frozenset[str] = frozenset(),
        task: str = "",
    ) -> None:
        self._columns, self._log = columns, log
        self._n_repeats = [len(scores) for scores in repeats]
        self._scores = scores = np.array(list(zip_longest(*repeats, fillvalue=np.nan)), dtype=np.float64).T
        self._rows: dict[tuple[Scalar, ...], int] = {}  # found before: a look through a large table takes milliseconds
        n_finite = np.isfinite(scores).sum(axis=1)
        sums = np.where(np.isfinite(scores), scores, 0.0).sum(axis=1)
        self._means: Floats = np.where(n_finite > 0, sums / np.maximum(n_finite, 1), np.nan)
        finite = self._means[np.isfinite(self._means)]
        if not len(finite):
            raise ValueError(f"{name} must have at least one run with a score, got none")
        best = finite.max() if direction is Direction.MAXIMIZE else finite.min()
        super().__init__(name, family, space, direction, float(best), float(np.median(finite)), task)
        self.start = self.snapped(self.start)

    @cached_property
    def fingerprint(self) -> str:
        """See `Problem.fingerprint`."""
        digest = hashlib.sha256(self.space.model_dump_json().encode())
        digest.update(np.ascontiguousarray(self._scores).tobytes())
        digest.update(np.ascontiguousarray(self._points).tobytes())
        return digest.hexdigest()[:16]

    def snapped(self, config: Config) -> Config:
        """See `Problem.snapped`."""
        return self._listed(self._row(config))

    def evaluate(self, config: Config, seed: int) -> Outcome:
        """See `Problem.evaluate`: one of the repeats, drawn by the seed."""
        row = self._row(config)
        repeat = Random(f"repeat/{row}/{seed}").randrange(self._n_repeats[row])
        score = float(self._scores[row, repeat])
        failed = not math.isfinite(score)
        return Outcome(config=self._listed(row), score=None if failed else score, failed=failed)

    def true_score(self, config: Config) -> float | None:
        """See `Problem.true_score`: the mean of the repeats that did not fail."""
        mean = float(self._means[self._row(config)])
        return mean if math.isfinite(mean) else None

    def _listed(self, row: int) -> Config:
        return self.space.canonical({name: values[row] for name, values in self._columns.items()})

    def _row(self, config: Config) -> int:
        """The nearest listed configuration on the parameters' own scales; unlike words are 1 apart."""
        values = tuple(config[name] for name in self._columns)
        if values not in self._rows:
            point = np.array([self._place(name, value) for name, value in zip(self._columns, values, strict=True)])
            differences = np.where(self._ordered, self._points - point, self._points != point)
            self._rows[values] = int(np.argmin((differences**2).sum(axis=1)))
        return self._rows[values]

    @cached_property
    def _ordered(self) -> npt.NDArray[np.bool_]:
        return np.array([is_ordered(self.space.parameters[name]) for name in self._columns])

    @cached_property
    def _points(self) -> Floats:
        """Every listed configuration as numbers: the place in [0, 1] of the range, for words the index."""
        columns = []
        for name, values in self._columns.items():
            places = {value: self._place(name, value) for value in set(values)}
            columns.append([places[value] for value in values])
        return np.array(columns, dtype=np.float64).T

    def _place(self, name: str, value: Scalar) -> float:
        parameter = self.space.parameters[name]
        if not is_ordered(parameter):
            assert isinstance(parameter, CategoricalParameter)
            return float(parameter.choices.index(value))
        if isinstance(parameter, CategoricalParameter):
            low, high = float(parameter.choices[0]), float(parameter.choices[-1])
        else:
            low, high = float(parameter.low), float(parameter.high)
        number = float(value)
        if name in self._log:
            number, low, high = math.log(number), math.log(low), math.log(high)
        return (number - low) / (high - low) if high > low else 0.0

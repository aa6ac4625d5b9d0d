"""Default search spaces, and what a user's `search` makes of them. Importable without torch."""

from trainers.space import Space
from trainers.spec import Adapter, TaskSpec
from trainers.tasks import TASKS
from trainers.tasks.trainer import StudyFacts
from trainers.user_search import apply_search


def default_space(
    spec: TaskSpec, *, hidden_size: int | None, parameters: int | None, n_train_rows: int, embedded: bool = False
) -> Space:
    """The space a study of `spec` searches.

    `hidden_size` and `parameters` (None: unknown) of the base move the learning-rate prior, `n_train_rows` the epochs
    and ranks; `embedded` keeps trials short enough for a laptop. A value in `spec.search` fixes or narrows its
    parameter. Raises InputError("search.NAME", ...) for a value that cannot be trained with, or that this task,
    adapter or loss does not have.
    """
    ranges = dict(TASKS[spec.task].space(StudyFacts(spec, hidden_size, parameters, n_train_rows, embedded)))
    if spec.adapter is Adapter.FULL:
        ranges = {name: p for name, p in ranges.items() if not name.startswith("lora_") and name != "target_modules"}
    return Space(parameters=apply_search(spec, ranges))

"""The space a study searches: what its task gives, and what the user says laid over it. Importable without torch."""

from collections.abc import Callable, Mapping

from trainers.errors import InputError
from trainers.space import CategoricalParameter, FloatParameter, IntParameter, Parameter, Space, rounded
from trainers.spec import Adapter, Choices, Range, Scalar, SearchValue, TaskSpec
from trainers.tasks import TASKS
from trainers.tasks.trainer import StudyFacts

TARGET_MODULES = ("all-linear", "mlp", "attention", "qv")
SCHEDULERS = ("cosine", "linear", "constant")
LOG_SPAN = 20.0
"""A user's range whose ends differ by more than this factor is searched on a log scale, where numbers allow it."""

Rule = tuple[Callable[[Scalar], bool], str]


def _within(low: float, high: float, ends: str = "[]", *, whole: bool = False) -> Callable[[Scalar], bool]:
    """Whether a number lies in an interval; `ends` as in mathematics: "(" and ")" leave the bound itself out."""

    def holds(value: Scalar) -> bool:
        if isinstance(value, (bool, str)) or (whole and not float(value).is_integer()):
            return False
        above = value > low if ends[0] == "(" else value >= low
        return above and (value < high if ends[1] == ")" else value <= high)

    return holds


RULES: dict[str, Rule] = {
    "learning_rate": (_within(0, 1, "(]"), "must be above 0 and at most 1"),
    "lora_rank": (_within(1, 1024, whole=True), "must be a whole number between 1 and 1024"),
    "lora_alpha": (_within(0, 4096, "(]"), "must be above 0 and at most 4096"),
    "lora_dropout": (_within(0, 1, "[)"), "must be at least 0 and below 1"),
    "target_modules": (lambda value: value in TARGET_MODULES, f"must be one of {', '.join(TARGET_MODULES)}"),
    "batch_size": (_within(1, 65536, whole=True), "must be a whole number between 1 and 65536"),
    "epochs": (_within(0, 1000, "(]"), "must be above 0 and at most 1000"),
    "weight_decay": (_within(0, 1), "must be between 0 and 1"),
    "warmup_ratio": (_within(0, 1, "[)"), "must be at least 0 and below 1"),
    "scheduler": (lambda value: value in SCHEDULERS, f"must be one of {', '.join(SCHEDULERS)}"),
    "max_grad_norm": (_within(0, 1e6, "(]"), "must be above 0"),
    "head_lr_ratio": (_within(0, 1000, "(]"), "must be above 0 and at most 1000"),
    "beta": (_within(0, 1000, "(]"), "must be above 0 and at most 1000"),
    "simpo_gamma": (_within(0, 10), "must be between 0 and 10"),
    "label_smoothing": (_within(0, 0.5, "[)"), "must be at least 0 and below 0.5"),
}
"""What a value of each hyperparameter must satisfy whatever the task. One that is not here takes any value."""

WHOLE = frozenset({"lora_rank", "lora_alpha", "batch_size"})


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
    return Space(parameters=_with_search(spec, ranges))


def _with_search(spec: TaskSpec, ranges: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """`ranges` with each stated hyperparameter fixed or narrowed.

    A value or a list becomes the choices; a range keeps the type and scale of the parameter it replaces. The default
    stays where it is allowed, else it moves to the nearest allowed value.
    """
    result = dict(ranges)
    for name, value in spec.search.stated().items():
        if name not in ranges:
            loss = f" with loss {spec.loss}" if spec.loss else ""
            rule = f"{name} does not apply to {spec.task}{loss} with adapter {spec.adapter}."
            raise InputError(f"search.{name}", rule, f"Remove it, or choose among {', '.join(ranges)}.")
        result[name] = _parameter(name, value, ranges[name])
    return result


def _parameter(name: str, value: SearchValue, default: Parameter) -> Parameter:
    if isinstance(value, Range):
        return _range(name, value, default)
    choices = value.choices if isinstance(value, Choices) else (value,)
    clean = tuple(dict.fromkeys(_checked(name, choice) for choice in choices))
    return CategoricalParameter(choices=clean, default=_nearest(clean, default.default))


def _checked(name: str, value: Scalar) -> Scalar:
    holds, rule = RULES.get(name, (lambda value: True, ""))
    if not holds(value):
        hint = "Did you mean 3e-4?" if name == "learning_rate" and not isinstance(value, str) else "Change it."
        raise InputError(f"search.{name}", f"{rule}, got {value!r}.", hint)
    return int(value) if name in WHOLE and not isinstance(value, str) and float(value).is_integer() else value


def _range(name: str, value: Range, default: Parameter) -> Parameter:
    if name in ("target_modules", "scheduler"):
        raise InputError(f"search.{name}", f"{RULES[name][1]}, got a range.", "Give a list instead.")
    low, high = _checked(name, value.low), _checked(name, value.high)
    assert not isinstance(low, str)
    assert not isinstance(high, str)
    centre = default.default if isinstance(default.default, (int, float)) else None
    log = getattr(default, "log", False) or (low > 0 and high / low >= LOG_SPAN)
    if name in WHOLE or (isinstance(default, IntParameter) and float(low).is_integer() and float(high).is_integer()):
        nearest = None if centre is None else round(min(max(centre, low), high))
        return IntParameter(low=int(low), high=int(high), log=log and low > 0, default=nearest)
    low, high = rounded(low), rounded(high)
    middle = None if centre is None else min(max(float(centre), low), high)
    return FloatParameter(low=low, high=high, log=log and low > 0, default=middle)


def _nearest(choices: tuple[Scalar, ...], ideal: Scalar | None) -> Scalar:
    """`ideal` where it is a choice, else the closest number, else the first choice."""
    if ideal in choices:
        return next(choice for choice in choices if choice == ideal)
    numbers = [c for c in choices if not isinstance(c, (bool, str))]
    if isinstance(ideal, (int, float)) and numbers:
        return min(numbers, key=lambda choice: abs(choice - ideal))
    return choices[0]

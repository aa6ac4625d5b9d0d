"""A plan for machines (`plan_json`), and the rows in which people see it (`desk/words.py` shows them)."""

from collections.abc import Callable, Mapping
from typing import Any

from agent.request.draft import Provenance
from agent.request.markup import duration, plain, quoted, scalar, short
from agent.request.plan import Plan
from tools.data.data_profile import DataProfile
from trainers.dotted import flat
from trainers.space import CategoricalParameter, Parameter, is_fixed
from trainers.spec import Intent

HASH_SHOWN = 12
SPEC_ROWS = (
    ("task", ("task",)),
    ("data", ("data.train",)),
    ("validation", ("data.validation",)),
    ("test", ("data.test",)),
    (
        "columns",
        tuple(f"data.columns.{c}" for c in ("text", "label", "prompt", "completion", "messages", "chosen", "rejected")),
    ),
    ("base model", ("base_model",)),
    ("method", ("adapter", "loss")),
    ("objective", ("objective.metric", "objective.direction", "objective.target", "objective.tradeoffs")),
    ("trials", ("budget.trials",)),
    ("time limit", ("budget.seconds",)),
    ("LLM budget", ("budget.llm_usd",)),
    ("parallel", ("budget.parallel_trials",)),
    ("early stopping", ("budget.early_stopping",)),
    ("limits", ("constraints.max_vram_gb", "constraints.max_seq_length", "constraints.max_adapter_mb")),
    ("warm start", ("warm_start",)),
    ("seed", ("seed",)),
    ("output", ("output.dir", "output.merge")),
)
QUIET_DEFAULTS = frozenset({"budget.parallel_trials", "output.merge", "objective.direction", "seed"})
"""Not shown while they are defaults."""
QUOTE_CHARACTERS = 48


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as `--json` prints it: design.md's keys, then what they were made from. `None` means not set."""
    dumped = plan.model_dump(mode="json")
    first = ("spec", "provenance", "questions", "refusal", "error", "estimate")
    return {key: dumped[key] for key in first} | {"plan_hash": plan.plan_hash, "ready": plan.ready} | dumped


def understood_rows(plan: Plan) -> list[tuple[str, str, str]]:
    """The spec as (what, value, origin): the words a value was read from, else the reason why it was chosen."""
    about = (("intent", plan.spec.intent), ("study", plan.study), ("trial", plan.trial))
    is_training = plan.spec.intent is Intent.TRAIN
    rows = [(name, plain(str(value)), "") for name, value in about if value is not None and not is_training]
    spec_values = flat(plan.spec)
    rows += [row for label, fields in SPEC_ROWS if (row := row_of(plan, spec_values, label, fields)) is not None]
    fixed = {n: p for n, p in plan.space.parameters.items() if is_fixed(p)} if plan.space else {}
    if fixed:
        values = ", ".join(f"{name} {scalar(parameter.at(0.0))}" for name, parameter in fixed.items())
        rows.append(("fixed", values, ", ".join(filter(None, (_quote_of(name, plan) for name in fixed)))))
    return rows


def row_of(plan: Plan, values: Mapping[str, Any], label: str, fields: tuple[str, ...]) -> tuple[str, str, str] | None:
    """A row of `SPEC_ROWS` from the flat values of the spec: (label, value, origin); None where it says nothing."""
    names = [f for f in fields if _worth_showing(f, values, plan.provenance)]
    cells = [_value(f, values.get(f), plan.provenance.get(f)) for f in names]
    if not cells:
        return None
    return label, plain(", ".join(filter(None, cells))), plain(_origin(names, plan.provenance))


def data_rows(plan: Plan) -> list[tuple[str, str]]:
    """What the data are, as (name, text); empty where they could not be read."""
    data, rows = plan.data, []
    if data is None:
        return []
    for source in data.sources:
        digest = source.sha256[:HASH_SHOWN]
        rows.append(("source", f"{source.name}: {source.n_rows:,} rows, {source.format}, sha256 {digest}"))
    splits = data.splits
    rows.append(("split", f"{splits.train:,} train, {splits.validation:,} validation, {splits.test:,} test (sealed)"))
    if data.label_counts:
        rows.append(("classes", _classes(data)))
    lengths = data.lengths
    cut = f", {lengths.truncated_share:.1%} cut" if lengths.truncated_share else ""
    spread = f"half of the rows up to {lengths.p50}, 99 % up to {lengths.p99}, longest {lengths.max}"
    return [*rows, ("tokens", f"{spread}; limit {lengths.max_seq_length}{cut}")]


def searched_rows(plan: Plan) -> list[tuple[str, str, str, str]]:
    """(hyperparameter, default, range, the words that asked for it) of what is searched."""
    if plan.space is None:
        return []
    default, parameters = plan.space.default(), plan.space.parameters
    return [(n, scalar(default.get(n, "-")), _range(parameters[n]), _quote_of(n, plan)) for n in plan.space.free]


def _worth_showing(field: str, values: Mapping[str, Any], provenance: dict[str, Provenance]) -> bool:
    origin = provenance.get(field)
    if field not in values:
        return origin is not None  # rejected
    return field not in QUIET_DEFAULTS or (origin is not None and (origin.source == "user" or bool(origin.quote)))


def _value(field: str, value: Any, origin: Provenance | None) -> str:
    """A value in words; of one that was rejected, the words it was read from."""
    if value is None:
        return origin.quote if origin and origin.quote else field
    if field.startswith("data.columns."):
        return f"{value} ({field.rsplit('.', 1)[-1]})"
    return _WORDS.get(field, str)(value)


def _origin(fields: list[str], provenance: dict[str, Provenance]) -> str:
    """Where a row's values come from: the words they were read from, else why the first of them was chosen."""
    origins = [provenance[f] for f in fields if f in provenance]
    quotes = dict.fromkeys(p.quote for p in origins if p.source == "user" and p.quote)
    rejected = [f"{quoted(p.quote, QUOTE_CHARACTERS)} {p.reason}" for p in origins if p.source != "user" and p.quote]
    renamed = [p.reason for p in origins if p.source == "user" and p.reason]
    words = [", ".join(quoted(quote, QUOTE_CHARACTERS) for quote in quotes)] if quotes else []
    words += rejected or renamed
    if not words:
        words = [f"{p.source}: {p.reason}" for p in origins if p.reason][:1]
    return " · ".join(words)


def _classes(data: DataProfile) -> str:
    counts = sorted(data.label_counts.items(), key=lambda item: -item[1])
    largest, smallest = counts[0], counts[-1]
    weighted = ", weighted in the loss" if data.class_weights else ""
    span = f"{short(largest[0], 24)} ({largest[1]:,}) to {short(smallest[0], 24)} ({smallest[1]:,})"
    return f"{len(counts)}: {span}{weighted}"


def _range(parameter: Parameter) -> str:
    if isinstance(parameter, CategoricalParameter):
        return ", ".join(scalar(choice) for choice in parameter.choices)
    return f"{scalar(parameter.low)} to {scalar(parameter.high)}{' (log)' if parameter.log else ''}"


def _quote_of(name: str, plan: Plan) -> str:
    origin = plan.provenance.get(f"search.{name}")
    return quoted(origin.quote, 30) if origin and origin.source == "user" and origin.quote else ""


_WORDS: dict[str, Callable[[Any], str]] = {
    "budget.seconds": duration,
    "budget.llm_usd": lambda value: f"${value:g}",
    "objective.target": lambda value: f"until {value:g}",
    "objective.tradeoffs": lambda value: f"weighed against {', '.join(value)}" if value else "",
    "budget.early_stopping": lambda value: "on" if value else "off: every trial runs to its end",
    "output.merge": lambda value: "merged into the base model" if value else "adapter apart",
    "constraints.max_vram_gb": lambda value: f"{value:g} GB GPU memory",
    "constraints.max_seq_length": lambda value: f"{value} tokens a row",
    "constraints.max_adapter_mb": lambda value: f"{value:g} MB adapter",
}
"""How a value is written where its name does not say its unit."""

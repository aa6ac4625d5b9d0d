"""A plan for machines (`plan_json`) and for people (`print_plan`)."""

import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agent.request.draft import Provenance
from agent.request.plan import Plan
from tools.data.data_profile import DataProfile
from trainers.space import CategoricalParameter, Parameter, Space, is_fixed
from trainers.spec import Intent

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

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


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as `--json` prints it: design.md's keys, then what they were made from. `None` means not set."""
    dumped = plan.model_dump(mode="json")
    first = ("spec", "provenance", "questions", "refusal", "error", "estimate")
    found = ("data", "space", "past", "base", "notes", "ignored", "device", "precision")
    rest = (*found, "study", "trial", "llm", "request")
    return {
        **{key: dumped[key] for key in first},
        "plan_hash": plan.plan_hash,
        "ready": plan.ready,
        **{key: dumped[key] for key in rest},
    }


def print_plan(plan: Plan, console: "Console") -> None:
    """Print what was understood, what was found and what it will take; made for 80 columns."""
    for part in _parts(plan):
        console.print(part)


def _parts(plan: Plan) -> "list[RenderableType]":
    from rich.padding import Padding

    parts: list[RenderableType] = [_line(("Understood", "bold")), understood(plan)]
    if plan.data is not None:
        parts += [_line(("\nData", "bold")), _data_card(plan.data)]
    if plan.space is not None:
        parts += [_line(("\nSearch", "bold")), _space(plan, plan.space), _line(("\nEstimate", "bold")), _estimate(plan)]
    notes = [*plan.notes, *(f"Not obeyed or not understood: “{words}”" for words in plan.ignored)]
    if notes:
        grid = _grid(first=1)
        for note in notes:
            grid.add_row("·", _line(note))
        parts += [_line(("\nNotes", "bold")), grid]
    return parts + [Padding(part, (1, 0, 0, 0)) for part in _verdict(plan)]


def _line(*parts: str | tuple[str, str]) -> "Text":
    """Text as it is, never read as markup, without control characters: a file's labels must not steer a terminal."""
    from rich.text import Text

    return Text.assemble(*(_clean(p) if isinstance(p, str) else (_clean(p[0]), p[1]) for p in parts))


def _clean(text: str) -> str:
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c != "\n" else c for c in text)


def _grid(*, first: int = 12) -> "Table":
    from rich.table import Table

    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=first, style="cyan")
    grid.add_column(ratio=1, overflow="fold")
    return grid


def understood(plan: Plan) -> "Table":
    """The spec as rows: each value with the words it was read from, or dimmed with the reason it was chosen."""
    values = _flat(plan)
    grid = _grid()
    if plan.spec.intent is not Intent.TRAIN:
        for name, value in (("intent", plan.spec.intent), ("study", plan.study), ("trial", plan.trial)):
            if value is not None:
                grid.add_row(name, _line(str(value)))
    for label, fields in SPEC_ROWS:
        shown = [f for f in fields if _worth_showing(f, values, plan.provenance)]
        cells = [_value(f, values.get(f), plan.provenance.get(f)) for f in shown]
        if cells:
            separated = [part for cell in cells for part in (cell, (", ", ""))][:-1]
            grid.add_row(label, _line(*separated, (_origin(shown, plan.provenance), "dim")))
    return grid


def row_of(plan: Plan, label: str, fields: tuple[str, ...]) -> tuple[str, str, str] | None:
    """A row of `SPEC_ROWS` as plain text: (label, value, origin); None where it is not worth showing."""
    values = _flat(plan)
    shown = [f for f in fields if _worth_showing(f, values, plan.provenance)]
    cells = [_value(f, values.get(f), plan.provenance.get(f))[0] for f in shown]
    if not cells:
        return None
    return label, _clean(", ".join(filter(None, cells))), _clean(_origin(shown, plan.provenance).strip())


def data_rows(plan: Plan) -> list[tuple[str, str]]:
    """What the data are, as (name, text); empty where they could not be read."""
    return [] if plan.data is None else _data_rows(plan.data)


def searched_rows(plan: Plan) -> list[tuple[str, str, str]]:
    """(hyperparameter, default, range) of what is searched."""
    if plan.space is None:
        return []
    default = plan.space.default()
    return [(n, _number(default.get(n, "-")), _range(plan.space.parameters[n])) for n in plan.space.free]


def _worth_showing(field: str, values: dict[str, Any], provenance: dict[str, Provenance]) -> bool:
    known = provenance.get(field)
    if field not in values:
        return known is not None  # rejected
    return field not in QUIET_DEFAULTS or (known is not None and (known.source == "user" or bool(known.quote)))


def _value(field: str, value: Any, known: Provenance | None) -> tuple[str, str]:
    """(text, style): the user's bold, what was chosen for them plain, what was rejected struck through."""
    if value is None:
        return (known.quote if known and known.quote else field), "strike red"
    if field.startswith("data.columns."):
        return f"{value} ({field.rsplit('.', 1)[-1]})", _weight(known)
    return _WORDS.get(field, str)(value), _weight(known)


def _weight(known: Provenance | None) -> str:
    return "bold" if known is not None and known.source == "user" else ""


def _origin(fields: list[str], provenance: dict[str, Provenance]) -> str:
    """Where a row's values come from: the words they were read from, else why the first of them was chosen."""
    known = [provenance[f] for f in fields if f in provenance]
    quotes = dict.fromkeys(p.quote for p in known if p.source == "user" and p.quote)
    rejected = [f"“{_short(p.quote)}” {p.reason}" for p in known if p.source != "user" and p.quote]
    renamed = [p.reason for p in known if p.source == "user" and p.reason]
    words = [", ".join(f"“{_short(quote)}”" for quote in quotes)] if quotes else []
    words += rejected or renamed
    if not words:
        words = [f"{p.source}: {p.reason}" for p in known if p.reason][:1]
    return "  " + " · ".join(words) if words else ""


def _short(quote: str, limit: int = 48) -> str:
    flat = " ".join(quote.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def _flat(plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def walk(tree: dict[str, Any], prefix: str) -> None:
        for name, value in tree.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{name}.")
            elif value not in (None, []):
                found[f"{prefix}{name}"] = value

    walk(plan.spec.model_dump(mode="json", exclude={"search"}), "")
    return found


def _data_card(data: DataProfile) -> "Table":
    grid = _grid()
    for name, text in _data_rows(data):
        grid.add_row(name, _line(text))
    return grid


def _data_rows(data: DataProfile) -> list[tuple[str, str]]:
    rows = []
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


def _classes(data: DataProfile) -> str:
    counts = sorted(data.label_counts.items(), key=lambda item: -item[1])
    largest, smallest = counts[0], counts[-1]
    weighted = ", weighted in the loss" if data.class_weights else ""
    span = f"{_short(largest[0], 24)} ({largest[1]:,}) to {_short(smallest[0], 24)} ({smallest[1]:,})"
    return f"{len(counts)}: {span}{weighted}"


def _space(plan: Plan, space: Space) -> "Table":
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("hyperparameter", style="cyan", no_wrap=True)
    table.add_column("default", no_wrap=True)
    table.add_column("searched", overflow="fold")
    default = space.default()
    for name in space.free:
        searched = (_range(space.parameters[name]), ""), (_said(name, plan), "dim")
        table.add_row(name, _line(_number(default.get(name, "-"))), _line(*searched))
    fixed = [f"{n} {_number(p.at(0.0))}{_said(n, plan)}" for n, p in space.parameters.items() if is_fixed(p)]
    if fixed:
        table.add_row(_line(("fixed", "dim")), "", _line((", ".join(fixed), "dim")))
    return table


def _range(parameter: Parameter) -> str:
    if isinstance(parameter, CategoricalParameter):
        return ", ".join(_number(choice) for choice in parameter.choices)
    return f"{_number(parameter.low)} to {_number(parameter.high)}{' (log)' if parameter.log else ''}"


def _said(name: str, plan: Plan) -> str:
    known = plan.provenance.get(f"search.{name}")
    return f" “{_short(known.quote, 30)}”" if known and known.source == "user" and known.quote else ""


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _estimate(plan: Plan) -> "Table":
    found = plan.estimate
    grid = _grid()
    if found.seconds_p50 is not None and found.seconds_p90 is not None and found.seconds_per_trial is not None:
        study = f"about {duration(found.seconds_p50)} (nine times in ten under {duration(found.seconds_p90)})"
        grid.add_row("time", _line(f"{study}, {duration(found.seconds_per_trial)} a trial"))
    if found.peak_memory_mb is not None and found.adapter_mb is not None:
        place = "GPU memory" if plan.device == "cuda" else "memory"
        size = f"{found.peak_memory_mb / 1024:.1f} GB {place}, adapter up to {found.adapter_mb:.1f} MB"
        grid.add_row("space", _line(size))
    if found.llm_tokens:
        price = "price unknown" if found.llm_usd is None else f"${found.llm_usd:.2f}"
        grid.add_row("planner LLM", _line(f"at most {found.llm_tokens:,} tokens ({price})"))
    grid.add_row("basis", _line((found.basis, "dim")))
    return grid


def _verdict(plan: Plan) -> "list[Text]":
    """What keeps the plan from being carried out, or its hash and how to approve it."""
    parts: list[Text] = []
    if plan.refusal:
        parts.append(_line(("Refused", "bold red"), f" ({plan.refusal.kind}): {plan.refusal.message}"))
    if plan.error:
        where = f" {plan.error.param}: {plan.error.message}\n  → {plan.error.hint}"
        parts.append(_line(("Error", "bold red"), where))
    for number, question in enumerate(plan.questions, 1):
        suggestion = f"\n  suggestion: {question.suggestion}" if question.suggestion else ""
        asked = f" ({question.field}): {question.question}{suggestion}"
        parts.append(_line((f"Question {number}", "bold yellow"), asked))
    if plan.ready:
        shown = plan.plan_hash[:HASH_SHOWN]
        command = f"tunewright run … --approve {shown}"
        parts.append(_line(("Ready", "bold green"), " to run. To approve: ", (command, "bold"), ", or --yes"))
    return parts


def duration(seconds: float) -> str:
    """Seconds in words: 45 s, 12 min, 3.5 h, 2.1 days."""
    if 0 < seconds < 1:
        return "under a second"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


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

"""A plan for machines (`plan_json`) and for people (`print_plan`)."""

from typing import TYPE_CHECKING, Any

from agent.request.draft import Provenance
from agent.request.plan import Plan
from tools.data_profile import DataProfile
from trainers.space import Parameter, describe, is_fixed
from trainers.spec import Intent, Task

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

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
    ("objective", ("objective.metric", "objective.direction", "objective.target")),
    ("trials", ("budget.trials",)),
    ("time limit", ("budget.seconds",)),
    ("LLM budget", ("budget.llm_usd",)),
    ("parallel", ("budget.parallel_trials",)),
    ("limits", ("constraints.max_vram_gb", "constraints.max_seq_length", "constraints.max_adapter_mb")),
    ("seed", ("seed",)),
    ("output", ("output.dir", "output.merge")),
)
QUIET_DEFAULTS = frozenset({"budget.parallel_trials", "output.merge", "objective.direction", "seed"})
"""Not shown while they are defaults."""


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan as `--json` prints it: design.md's keys, then what they were made from. `None` means not set."""
    dumped = plan.model_dump(mode="json")
    first = ("spec", "provenance", "questions", "refusal", "error", "estimate")
    rest = ("data", "space", "base", "notes", "ignored", "device", "precision", "study", "trial", "llm", "request")
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

    parts: list[RenderableType] = [_heading("Understood"), _understood(plan)]
    if plan.data is not None:
        parts += [_heading("Data"), _data_card(plan.data)]
    if plan.space is not None:
        parts += [_heading("Search"), _space(plan)]
    if plan.data is not None and plan.space is not None:
        parts += [_heading("Estimate"), _estimate(plan)]
    notes = [*plan.notes, *(f"Not obeyed or not understood: {words!r}" for words in plan.ignored)]
    if notes:
        parts += [_heading("Notes"), _bullets(notes)]
    parts += [Padding(part, (1, 0, 0, 0)) for part in _verdict(plan)]
    return parts


def _heading(text: str) -> "RenderableType":
    from rich.text import Text

    return Text(f"\n{text}", style="bold")


def _grid(*, first: int = 12) -> "Table":
    from rich.table import Table

    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=first, style="cyan")
    grid.add_column(ratio=1, overflow="fold")
    return grid


def _understood(plan: Plan) -> "RenderableType":
    from rich.text import Text

    values = _flat(plan)
    grid = _grid()
    about = {"intent": plan.spec.intent, "study": plan.study, "trial": plan.trial}
    if plan.spec.intent is not Intent.TRAIN:
        for name, value in about.items():
            if value is not None:
                grid.add_row(name, str(value))
    for label, fields in SPEC_ROWS:
        line = Text()
        shown = [f for f in fields if _worth_showing(f, values, plan.provenance)]
        for field in shown:
            if line:
                line.append(", ")
            _append_value(line, field, values.get(field), plan.provenance.get(field))
        origin = _origin(shown, plan.provenance)
        if shown and origin:
            line.append(f"  {origin}", style="dim")
        if shown:
            grid.add_row(label, line)
    return grid


def _worth_showing(field: str, values: dict[str, Any], provenance: dict[str, Provenance]) -> bool:
    known = provenance.get(field)
    if field not in values:
        return known is not None  # rejected
    return field not in QUIET_DEFAULTS or (known is not None and (known.source == "user" or bool(known.quote)))


def _append_value(line: Any, field: str, value: Any, known: Provenance | None) -> None:
    mine = known is not None and known.source == "user"
    if value is None:
        line.append(f"{known.quote if known else field}", style="strike red")
        return
    line.append(_shown(field, value), style="bold" if mine else "")


def _shown(field: str, value: Any) -> str:
    name = field.rsplit(".", 1)[-1]
    if field.startswith("data.columns."):
        return f"{value} ({name})"
    if field == "budget.seconds":
        return duration(float(value))
    if field == "budget.llm_usd":
        return f"${value:g}"
    if field == "objective.target":
        return f"until {value:g}"
    if field == "output.merge":
        return "merged into the base model" if value else "adapter apart"
    if field == "constraints.max_vram_gb":
        return f"{value:g} GB GPU memory"
    if field == "constraints.max_seq_length":
        return f"{value} tokens a row"
    if field == "constraints.max_adapter_mb":
        return f"{value:g} MB adapter"
    return str(value)


def _origin(fields: list[str], provenance: dict[str, Provenance]) -> str:
    """Where a row's values come from: the words they were read from, or why they were chosen."""
    known = [provenance[f] for f in fields if f in provenance]
    quotes = list(dict.fromkeys(p.quote for p in known if p.source == "user" and p.quote))
    words = [", ".join(f"“{_short(quote)}”" for quote in quotes)] if quotes else []
    others = [p for p in known if p.source != "user" or p.reason]
    reasons = [p.reason for p in others if p.reason and not p.reason.startswith("a better ")]
    if reasons and (not quotes or any(p.quote for p in others)):
        first = others[0]
        kind = "" if first.quote else f"{first.source}: "
        words.append(f"{kind}{reasons[0]}")
    return " · ".join(words)


def _short(quote: str, limit: int = 48) -> str:
    flat = " ".join(quote.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def _flat(plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def walk(tree: dict[str, Any], prefix: str) -> None:
        for name, value in tree.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{name}.")
            elif value is not None:
                found[f"{prefix}{name}"] = value

    walk(plan.spec.model_dump(mode="json", exclude={"search"}), "")
    return found


def _data_card(data: DataProfile) -> "RenderableType":
    grid = _grid()
    for source in data.sources:
        grid.add_row(
            "source", f"{source.name}: {source.n_rows:,} rows, {source.format}, sha256 {source.sha256[:HASH_SHOWN]}"
        )
    splits = data.splits
    grid.add_row("split", f"{splits.train:,} train, {splits.validation:,} validation, {splits.test:,} test (sealed)")
    if data.task is Task.CLASSIFICATION:
        grid.add_row("classes", _classes(data))
    lengths = data.lengths
    cut = f", {lengths.truncated_share:.1%} cut" if lengths.truncated_share else ""
    grid.add_row(
        "tokens",
        f"half of the rows up to {lengths.p50}, 99 % up to {lengths.p99}, longest {lengths.max}; "
        f"limit {lengths.max_seq_length}{cut}",
    )
    return grid


def _classes(data: DataProfile) -> str:
    counts = sorted(data.label_counts.items(), key=lambda item: -item[1])
    largest, smallest = counts[0], counts[-1]
    weighted = ", weighted in the loss" if data.class_weights else ""
    span = f"{_short(largest[0], 24)} ({largest[1]:,}) to {_short(smallest[0], 24)} ({smallest[1]:,})"
    return f"{len(counts)}: {span}{weighted}"


def _space(plan: Plan) -> "RenderableType":
    from rich.table import Table

    if plan.space is None:
        raise ValueError("a plan without a space has no search to show")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("hyperparameter", style="cyan", no_wrap=True)
    table.add_column("default", no_wrap=True)
    table.add_column("searched", overflow="fold")
    default = plan.space.default()
    fixed = {n: p for n, p in plan.space.parameters.items() if is_fixed(p)}
    for name in plan.space.free:
        table.add_row(name, _number(default.get(name, "-")), _range(name, plan.space.parameters[name], plan))
    if fixed:
        shown = ", ".join(f"{n} {_number(p.at(0.0))}" + _said(n, plan) for n, p in fixed.items())
        table.add_row("[dim]fixed[/dim]", "", f"[dim]{shown}[/dim]")
    return table


def _range(name: str, parameter: Parameter, plan: Plan) -> str:
    return describe(parameter).replace("a whole number ", "").replace("between ", "").replace(" and ", " to ").replace(
        "one of ", ""
    ) + _said(name, plan)


def _said(name: str, plan: Plan) -> str:
    known = plan.provenance.get(f"search.{name}")
    return f" “{_short(known.quote, 30)}”" if known and known.source == "user" and known.quote else ""


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _estimate(plan: Plan) -> "RenderableType":
    found = plan.estimate
    grid = _grid()
    if found.seconds_p50 is not None and found.seconds_p90 is not None and found.seconds_per_trial is not None:
        grid.add_row(
            "time",
            f"about {duration(found.seconds_p50)} (nine times in ten under {duration(found.seconds_p90)}), "
            f"{duration(found.seconds_per_trial)} a trial",
        )
    if found.peak_memory_mb is not None and found.adapter_mb is not None:
        place = "GPU memory" if plan.device == "cuda" else "memory"
        grid.add_row("space", f"{found.peak_memory_mb / 1024:.1f} GB {place}, adapter up to {found.adapter_mb:.1f} MB")
    if found.llm_tokens:
        price = "price unknown" if found.llm_usd is None else f"${found.llm_usd:.2f}"
        grid.add_row("planner LLM", f"at most {found.llm_tokens:,} tokens ({price})")
    grid.add_row("basis", f"[dim]{found.basis}[/dim]")
    return grid


def _bullets(lines: list[str]) -> "RenderableType":
    from rich.text import Text

    grid = _grid(first=1)
    for line in lines:
        grid.add_row("·", Text(line))
    return grid


def _verdict(plan: Plan) -> "list[RenderableType]":
    """What keeps the plan from being carried out, or its hash and how to approve it."""
    from rich.text import Text

    parts: list[RenderableType] = []
    if plan.refusal:
        parts.append(Text.assemble(("Refused", "bold red"), f" ({plan.refusal.kind}): {plan.refusal.message}"))
    if plan.error:
        parts.append(
            Text.assemble(("Error", "bold red"), f" {plan.error.param}: {plan.error.message}\n  → {plan.error.hint}")
        )
    for number, question in enumerate(plan.questions, 1):
        suggestion = f"\n  suggestion: {question.suggestion}" if question.suggestion else ""
        parts.append(
            Text.assemble(
                (f"Question {number}", "bold yellow"), f" ({question.field}): {question.question}{suggestion}"
            )
        )
    if not plan.ready:
        return parts
    shown = plan.plan_hash[:HASH_SHOWN]
    command = f"tunewright run … --approve {shown}"
    ready = Text.assemble(
        ("Ready", "bold green"), f" as plan {shown}. To carry it out: ", (command, "bold"), " (or --yes)"
    )
    return [ready]


def duration(seconds: float) -> str:
    """Seconds in words: 45 s, 12 min, 3.5 h, 2.1 days."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"

"""The report in a terminal of 80 columns: the verdict first, then what it rests on."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.report import compromises
from agent.report.model import Report
from agent.report.wording import (
    better,
    budget_lines,
    comparison_rows,
    config_line,
    differences,
    duration,
    notes,
    number,
    outcome,
    ranked_search,
    signed,
    span,
    trial_summary,
)

TOP = 5


def print_report(report: Report, console: Console) -> None:
    """Print the report. Text of the user (request, labels, values) is never read as markup."""
    console.print()
    console.print(Text(report.verdict, style="bold"))
    if not report.best_is_default and report.gain and not report.gain.distinguishable:
        console.print(Text("Treat it as no better than the default until a larger test says otherwise."))
    console.print()
    _comparison(report, console)
    _differences(report, console)
    _compromises(report, console)
    _trials(report, console)
    _spent(report, console)
    _notes(report, console)
    _files(report, console)


def _comparison(report: Report, console: Console) -> None:
    _heading(f"{report.metric} ({better(report)})", console)
    table = _table("", "validation", "test", "95 % interval")
    for name, validation, test, ends in comparison_rows(report):
        table.add_row(Text(name), Text(validation), Text(test), Text(ends))
    console.print(table)
    if report.gain and not report.best_is_default:
        gain = report.gain
        console.print(
            Text(
                f"gain {signed(gain.value)} ({span(gain.ci95)}), p = {gain.p_value:.3g}, "
                f"{gain.probability_better:.0%} of resamples better; {gain.n_rows:,} test rows, "
                f"{gain.n_seeds} seed{'s' * (gain.n_seeds != 1)}",
                style="dim",
            )
        )
    shipped = report.shipped
    console.print(
        Text(
            f"handed back: trial {shipped.trial_number} (seed {shipped.seed}), "
            f"test {number(shipped.test_score)} ({span(shipped.ci95)})",
            style="dim",
        )
    )
    console.print()


def _differences(report: Report, console: Console) -> None:
    rows = differences(report)
    if not rows:
        return
    _heading("what the best configuration changes", console)
    table = _table("", "default", "best")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.print()


def _compromises(report: Report, console: Console) -> None:
    shown = compromises.compromises(report)
    if report.pareto is None or not shown:
        return
    first, *rest = compromises.HEADER
    _heading(compromises.title(report.pareto).lower(), console)
    table = _table(first, str(report.metric), *rest, "")
    for compromise in shown:
        table.add_row(*map(Text, compromises.row(compromise)))
    console.print(table)
    console.print(Text(compromises.note(report), style="dim"))
    console.print()


def _trials(report: Report, console: Console) -> None:
    ranked = ranked_search(report)
    shown = ranked[:TOP]
    _heading(f"search trials, best {len(shown)} of {len(ranked)}", console)
    table = _table("#", "from", str(report.metric), "time", "configuration")
    table.columns[-1].ratio = 1
    table.columns[-1].overflow = "fold"
    for row in shown:
        line = config_line(row.config, report.free_hyperparameters)
        table.add_row(*map(Text, (str(row.number), row.source, outcome(row), duration(row.seconds), line)))
    console.print(table)
    console.print(Text(trial_summary(report), style="dim"))
    console.print()


def _spent(report: Report, console: Console) -> None:
    _heading("budget", console)
    table = _table("", "used", "limit")
    for row in budget_lines(report):
        table.add_row(*map(Text, row))
    console.print(table)
    console.print()


def _notes(report: Report, console: Console) -> None:
    for note in notes(report):
        console.print(Text(f"• {note}"))
    console.print()


def _files(report: Report, console: Console) -> None:
    for name, place in (
        ("adapter", report.shipped.adapter_dir),
        ("report", f"{report.directory}/report.html"),
        ("again", report.command),
    ):
        console.print(Text(f"{name:<8} {place}"), soft_wrap=True)


def _heading(words: str, console: Console) -> None:
    console.print(Text(words, style="bold"))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, column in enumerate(columns):
        words = column in ("", "configuration", "from", "default", "best", "limit", "used")
        table.add_column(Text(column, style="dim"), justify="left" if words or not place else "right")
    return table

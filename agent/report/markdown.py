"""report.md: the report for a pull request or a wiki, plots linked from plots/."""

import html
import re
from collections.abc import Iterable, Sequence

from agent.report import compromises, wording
from agent.report.model import Report
from agent.report.style import Plot

_MARKS = re.compile(r"([\\`*_\[\]|#~])")
TOP = 10


def escaped(text: object) -> str:
    """`text` as one line of literal Markdown: neither markup nor HTML in it has any effect."""
    return _MARKS.sub(r"\\\1", html.escape(" ".join(str(text).split()), quote=False))


def code(text: str) -> str:
    """`text` as a code span that it cannot end."""
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; every cell is escaped."""
    lines = [header, ["---"] * len(header), *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def render_markdown(report: Report, plots: Sequence[Plot]) -> str:
    """The report as Markdown."""
    r = report
    parts = [
        f"# tunewright study {escaped(r.study_id)}",
        f"**{escaped(r.verdict)}**",
        f"> {escaped(r.request)}",
        table(
            (f"{escaped(r.metric)} ({wording.better(r)})", "validation", "test", "95 % interval"),
            wording.comparison_rows(r),
        ),
        *_gain(r),
        *_differences(r),
        *_compromises(r),
        *_plots(plots),
        f"## Search trials, best {TOP}\n\n"
        + table(
            ("#", "from", escaped(r.metric), "time", "configuration"),
            (
                (
                    row.number,
                    row.source,
                    wording.outcome(row),
                    wording.duration(row.seconds),
                    wording.config_line(row.config, r.free_hyperparameters),
                )
                for row in wording.ranked_search(r)[:TOP]
            ),
        ),
        wording.trial_summary(r) + ".",
        "## To keep in mind\n\n" + "\n".join(f"- {escaped(note)}" for note in wording.notes(r)),
        "## Budget\n\n" + table(("", "used", "limit"), wording.budget_lines(r)),
        *_data(r),
        f"## To do it again\n\n{code(r.command)}\n\nor `tunewright run spec.yaml` with the spec beside this file. "
        f"Plan {code(r.plan_hash)}, started {r.started_at}, finished {r.finished_at}.",
        table(("environment", ""), r.environment.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _gain(report: Report) -> list[str]:
    gain = report.gain
    if gain is None or report.best_is_default:
        return []
    return [
        f"Gain {wording.signed(gain.value)} ({wording.span(gain.ci95)}), p = {gain.p_value:.3g}, "
        f"{gain.n_rows:,} test rows, {gain.n_seeds} seed(s). {escaped(gain.method)}."
    ]


def _differences(report: Report) -> list[str]:
    rows = wording.differences(report)
    if not rows:
        return []
    return ["## What the best configuration changes\n\n" + table(("", "default", "best"), rows)]


def _compromises(report: Report) -> list[str]:
    shown = compromises.compromises(report)
    if report.pareto is None or not shown:
        return []
    first, *rest = compromises.HEADER
    rows = [(*compromises.row(c), wording.config_line(c.config, report.free_hyperparameters)) for c in shown]
    head = (first, escaped(report.metric), *rest, "", "configuration")
    return [f"## {compromises.title(report.pareto)}\n\n{table(head, rows)}\n\n{escaped(compromises.note(report))}"]


def _plots(plots: Sequence[Plot]) -> list[str]:
    drawn = [f"![{escaped(p.alt)}](plots/{p.name}.png)" for p in plots if p.png is not None]
    missing = [f"{escaped(p.title)}: {escaped(p.missing)}" for p in plots if p.png is None]
    return ["## Plots", *drawn, *missing]


def _data(report: Report) -> list[str]:
    data = report.data
    if data is None:
        return []
    return ["## Data\n\n" + data_table(report)]


def data_table(report: Report) -> str:
    """Sources and splits with rows and hashes; empty where the report has no data."""
    data = report.data
    if data is None:
        return ""
    rows = [(f"{s.name} ({s.format})", s.n_rows, s.sha256) for s in data.sources]
    rows += [
        ("train", data.n_train, data.train_sha256),
        ("validation", data.n_validation, data.validation_sha256),
        ("test", data.n_test, data.test_sha256),
    ]
    return table(("data", "rows", "sha256"), rows)

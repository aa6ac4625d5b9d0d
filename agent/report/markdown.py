"""The report as Markdown: report.md, and the sections that report.html and the terminal show too."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from agent.report import compromises, wording
from agent.report.model import Report
from agent.request.markup import code, duration, escaped, table

if TYPE_CHECKING:
    from agent.report.style import Plot

TRIALS_SHOWN = 10


class Section(NamedTuple):
    """A part of the report under a heading; `wide`: its tables need the whole width of a page."""

    title: str
    text: str
    wide: bool = False


def render_markdown(report: Report, plots: "Sequence[Plot]") -> str:
    """report.md, for a pull request or a wiki; plots are linked from plots/."""
    parts = [
        f"# tunewright study {escaped(report.study_id)}",
        f"**{escaped(report.verdict)}**",
        f"> {escaped(report.request)}",
        *_under_headings([*findings(report), _plots(plots), *details(report, TRIALS_SHOWN), again(report)]),
    ]
    return "\n\n".join(parts) + "\n"


def render_summary(report: Report, trials: int) -> str:
    """What a terminal has room for: without plots, and with the best `trials` of the search only."""
    sections = [*findings(report, narrow=True), search_trials(report, trials), keep_in_mind(report), budget(report)]
    return "\n\n".join([f"**{escaped(report.verdict)}**", *_under_headings(sections)])


def _under_headings(sections: Iterable[Section]) -> list[str]:
    return [f"## {section.title}\n\n{section.text}" for section in sections]


def findings(report: Report, *, narrow: bool = False) -> list[Section]:
    """The default against the best, what differs between them, and what is cheaper; `narrow`: for 80 columns."""
    changes = wording.differences(report)
    if changes:
        text = table(("hyperparameter", "default", "best"), changes)
        difference = Section("What the best configuration changes", text)
    else:
        values = ((name, wording.plain(value)) for name, value in report.best.config.items())
        difference = Section("Configuration", table(("hyperparameter", "value"), values))
    return [Section("Default and best", _comparison(report)), difference, *_compromises(report, narrow)]


def _comparison(report: Report) -> str:
    head = (f"{escaped(report.metric)}, {wording.better(report)}", "validation", "test", "95 % interval")
    shipped, gain = report.shipped, report.gain
    parts = [table(head, wording.comparison_rows(report), right=(1, 2, 3))]
    if gain and not report.best_is_default:
        parts.append(
            f"Gain **{wording.signed(gain.value)}** ({wording.span(gain.ci95)}), p = {gain.p_value:.3g}; better in "
            f"{gain.probability_better:.0%} of resamples, over {gain.n_rows:,} test rows and {gain.n_seeds} "
            f"seed{'s' * (gain.n_seeds != 1)}. {escaped(gain.method)}."
        )
        if not gain.distinguishable:
            parts.append("Treat it as no better than the default until a larger test says otherwise.")
    parts.append(
        f"Handed back: trial {shipped.trial_number}, seed {shipped.seed}, test {wording.number(shipped.test_score)} "
        f"({wording.span(shipped.ci95)})."
    )
    return "\n\n".join(parts)


def _compromises(report: Report, narrow: bool) -> list[Section]:
    choices = compromises.compromises(report)
    if report.pareto is None or not choices:
        return []
    first, *rest = compromises.HEADER
    head = (first, escaped(report.metric), *rest, "", "configuration")
    rows = [(*compromises.row(c), wording.config_line(c.config, report.free_hyperparameters)) for c in choices]
    width = len(head) - narrow
    text = table(head[:width], (row[:width] for row in rows), right=(0, 1, 2, 3, 4, 5))
    return [Section(compromises.title(report.pareto), f"{text}\n\n{escaped(compromises.note(report))}", wide=True)]


def _plots(plots: "Sequence[Plot]") -> Section:
    images = [f"![{escaped(p.alt)}](plots/{p.name}.png)" for p in plots if p.png is not None]
    missing = [f"{escaped(p.title)}: {escaped(p.missing)}" for p in plots if p.png is None]
    return Section("Plots", "\n\n".join([*images, *missing]))


def details(report: Report, trials: int | None = None) -> list[Section]:
    """What the findings rest on; the best `trials` of the search, or all of them."""
    sections = [_confirmed(report), search_trials(report, trials), keep_in_mind(report), budget(report)]
    if report.data is None:
        return sections
    removed = report.data.removed_from_train
    note = f"\n\n{removed:,} duplicate rows were removed from train." if removed else ""
    return [*sections, Section("Data", data_table(report) + note, wide=True)]


def _confirmed(report: Report) -> Section:
    names = report.free_hyperparameters
    labels = ["default: " if side.config == report.default.config else "" for side in report.confirmed]
    rows = [
        (wording.mean_and_sd(side), label + wording.config_line(side.config, names))
        for side, label in zip(report.confirmed, labels, strict=True)
    ]
    return Section("Confirmed on fresh seeds", table(("validation", "configuration"), rows), wide=True)


def search_trials(report: Report, limit: int | None = None) -> Section:
    """The trials of the search, best first; at most `limit` of them."""
    ranked = wording.ranked_search(report)
    names = report.free_hyperparameters
    rows = [
        (row.number, row.source, wording.outcome(row), duration(row.seconds), wording.config_line(row.config, names))
        for row in ranked[:limit]
    ]
    title = "Search trials, best first" if len(rows) == len(ranked) else f"Search trials, best {len(rows)}"
    head = ("#", "from", escaped(report.metric), "time", "configuration")
    return Section(title, f"{table(head, rows, right=(0, 2, 3))}\n\n{wording.trial_summary(report)}.", wide=True)


def keep_in_mind(report: Report) -> Section:
    """What to keep in mind when reading the numbers."""
    return Section("To keep in mind", "\n".join(f"- {escaped(note)}" for note in wording.notes(report)))


def budget(report: Report) -> Section:
    """What was spent of what might be spent."""
    return Section("Budget", table(("", "used", "limit"), wording.budget_lines(report)))


def data_table(report: Report) -> str:
    """Sources and splits with rows and hashes; empty where the report has no data."""
    data = report.data
    if data is None:
        return ""
    rows: list[Sequence[object]] = [
        (f"{s.name} ({s.format}{f', revision {s.revision}' if s.revision else ''})", f"{s.n_rows:,}", s.sha256)
        for s in data.sources
    ]
    rows += [
        ("train", f"{data.n_train:,}", data.train_sha256),
        ("validation", f"{data.n_validation:,}", data.validation_sha256),
        ("test", f"{data.n_test:,}", data.test_sha256),
    ]
    return table(("data", "rows", "sha256"), rows, right=(1,))


def again(report: Report) -> Section:
    """How to get the same result again, and what it was made with."""
    command = f"{code(report.command)}\n\nor " if report.command else ""
    command += "`tunewright run spec.yaml` with the spec beside this file."
    origin = f"Plan {code(report.plan_hash)}, started {report.started_at}, finished {report.finished_at}."
    versions = " · ".join(f"{escaped(name)} {escaped(value)}" for name, value in report.environment.items())
    parts = [f"{command} {origin}", versions, f"Adapter: {code(report.shipped.adapter_dir)}"]
    return Section("To do it again", "\n\n".join(part for part in parts if part), wide=True)

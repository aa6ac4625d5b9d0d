"""report.html: one file, no script, nothing loaded from anywhere, readable on paper, phone, dark and light."""

from collections.abc import Sequence
from importlib.resources import files

from agent.report import compromises, wording
from agent.report.model import Report
from agent.report.style import Plot


def render_html(report: Report, plots: Sequence[Plot]) -> str:
    """The page. Every text is escaped; only the SVG drawings (paths and an escaped label) are taken as they are."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "number": wording.number,
        "signed": wording.signed,
        "span": wording.span,
        "duration": wording.duration,
        "plain": wording.plain,
    }
    template = environment.from_string(files("agent").joinpath("report/report.html.j2").read_text(encoding="utf-8"))
    return template.render(
        r=report,
        comparison=wording.comparison_rows(report),
        differences=wording.differences(report),
        ranked=wording.ranked_search(report),
        outcome=wording.outcome,
        config_line=wording.config_line,
        mean_and_sd=wording.mean_and_sd,
        compromises=compromises.compromises(report),
        compromise_row=compromises.row,
        compromise_title=compromises.title,
        compromise_header=compromises.HEADER,
        compromise_note=compromises.note(report),
        budget=wording.budget_lines(report),
        summary=wording.trial_summary(report),
        notes=wording.notes(report),
        metric_meaning=wording.better(report),
        plots=[(plot, Markup(plot.svg)) if plot.svg else (plot, None) for plot in plots],  # noqa: S704
    )

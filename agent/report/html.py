"""Markdown as HTML, and report.html: one file, no script, nothing loaded from anywhere, readable on paper and phone."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from agent.report.markdown import again, details, findings
from agent.report.model import Report

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

    from agent.report.style import Plot


def html_of(markdown: str) -> str:
    """Markdown as HTML: HTML in it is shown as text, tables may scroll, aligned cells have the class `n` and no style
    of their own, links lead nowhere but to http, https and mailto."""
    parser = _parser()
    tokens = parser.parse(markdown)
    for token in tokens:
        if token.attrs.pop("style", None):
            token.attrSet("class", "n")
    return str(parser.renderer.render(tokens, parser.options, {}))


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # 50 ms, for which the command line need not wait

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return parser


def render_html(report: Report, plots: "Sequence[Plot]") -> str:
    """report.html. Every text is escaped; only the SVG drawings (paths and an escaped label) are taken as they are."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"html": lambda text: Markup(html_of(text)), "svg": Markup}  # noqa: S704
    template = environment.from_string(files("agent").joinpath("report/report.html.j2").read_text(encoding="utf-8"))
    return template.render(r=report, findings=findings(report), plots=plots, details=[*details(report), again(report)])

"""Markdown as HTML."""

from agent.report.html import html_of
from agent.request.markup import table


def test_html_in_markdown_is_shown_and_not_obeyed() -> None:
    """Neither tags nor addresses that run something get through."""
    html = html_of("<b onclick=x>hi</b> [go](javascript:alert(1))")
    assert "<b" not in html
    assert "href" not in html


def test_cells_are_aligned_by_class() -> None:
    """A strict content policy refuses styles of single elements."""
    html = html_of(table(("name", "score"), [("best", 0.5)], right=(1,)))
    assert '<td class="n">0.5</td>' in html
    assert "style=" not in html
    assert '<div class="scroll"><table>' in html

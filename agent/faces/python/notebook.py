"""Cards as HTML for notebooks: their words, every text escaped."""

from pydantic import BaseModel

from agent.desk.words import words_of
from agent.report.html import html_of

LEFT = ' style="text-align:left;vertical-align:top"'
"""Notebooks align cells at the right."""


def card_html(card: BaseModel) -> str:
    """The words of a card as HTML."""
    html = html_of(words_of(card))
    return f"<div>{html.replace('<th>', f'<th{LEFT}>').replace('<td>', f'<td{LEFT}>')}</div>"

"""Text that may have been written by anybody, in Markdown; times in words."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from agent.request.markup import code, duration, escaped, plain, quoted, short, table

ODD = st.text(max_size=80) | st.text("*_`[]()<>|~#&;!\\\\-+.=> a1\n", max_size=40)


@given(ODD)
def test_escaped_text_is_one_line_without_live_marks(text):
    """No cell can end a table row, open a tag or start a link."""
    line = escaped(text)
    assert "\n" not in line
    assert "<" not in line
    assert not re.search(r"(?<!\\)(?:\\\\)*[|\[\]`]", line)
    assert "\n" not in code(text)


@given(ODD)
def test_escaped_text_is_shown_as_it_is(text):
    """A renderer of Markdown shows the very characters, in one paragraph."""
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(escaped(text)).strip()
    assert re.sub(r"</?p>", "", html).count("<") == 0
    assert unescape(html.removeprefix("<p>").removesuffix("</p>")) == plain(text)


@given(st.lists(st.tuples(ODD, ODD), max_size=4))
def test_a_table_has_its_rows_whatever_stands_in_them(rows):
    """No text of a cell adds a row or a column."""
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(table(("one", "two"), rows))
    assert html.count("<td") == 2 * len(rows)


def test_foreign_text_is_quoted_cut_and_without_control_characters():
    """It cannot close its quotes, steer a terminal, or run on."""
    assert quoted("say ”stop“ \x1b[2J\u202ethen") == '“say "stop" [2J then”'
    assert quoted("x" * 100, 10) == f"“{'x' * 9}…”"
    assert short("a\n\tb") == "a b"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "under a second"),
        (3.21, "3.2 s"),
        (59, "59 s"),
        (100, "1.7 min"),
        (600, "10 min"),
        (3 * 3600, "3 h"),
        (3.2 * 86400, "3.2 days"),
    ],
)
def test_durations_are_short(seconds, text):
    """One unit, two digits."""
    assert duration(seconds) == text

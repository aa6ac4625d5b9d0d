"""Markdown of replies as HTML: what the page's first parser broke, and nothing that runs or loads."""

import pytest

from agent.faces.http.page.render import markdown, render


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("1. one\n\n2. two\n\n3. three", ["<ol>", "<p>three</p>"]),
        ("3. three\n4. four", ['<ol start="3">', "<li>four</li>"]),
        ("***both***", ["<em><strong>both</strong></em>"]),
        (r"\*not this\* and 2 \* 3", ["*not this* and 2 * 3"]),
        ("| a | b |\n|---|---|\n| `x \\| y` | 2 |", ["<code>x | y</code>", "<td>2</td>", 'class="table-scroll"']),
        ("| a |\n|--:|\n| 1 |", ['<th class="number">a</th>', '<td class="number">1</td>']),
        ("* a\n  * b", ["<ul>\n<li>a\n<ul>"]),
        ("# Head", ["<h3>Head</h3>"]),
        ("```\n<b> & *x*\n```", ["<pre><code>&lt;b&gt; &amp; *x*\n</code></pre>"]),
        ("~~gone~~", ["<s>gone</s>"]),
        ("snake_case_name and __init__.py", ["snake_case_name"]),
    ],
)
def test_markdown_is_read_as_its_writers_mean_it(text, html):
    """Lists with blank lines, nested emphasis, escapes, pipes in code within tables, headings under the page's."""
    for part in html:
        assert part in markdown(text)


HOSTILE = (
    '<img src="/x" onerror="hurt()"> [x](javascript:hurt()) ![p](https://example.org/p.png) <script>hurt()</script>'
)


@pytest.mark.parametrize("frame", ["{}", "# {}", "* **b** {}", "| a |\n|---|\n| {} |", "> {}", "`{}`", "```\n{}\n```"])
def test_nothing_of_a_reply_runs_or_loads(frame):
    """HTML stays text, images are their descriptions, and links lead to web pages only."""
    html = markdown(frame.format(HOSTILE))
    for bad in ("<img", "<script", 'href="javascript', "src="):
        assert bad not in html.replace("src=&quot;", "")
    assert "&lt;script&gt;" in html


def test_what_templates_are_given_is_escaped():
    """A request, a title or a tool's result is text wherever it stands."""
    from agent.faces.http.page.talk import Bubble, Tool

    tool = Tool("1", "<b>", {"text": HOSTILE}, True, HOSTILE, {HOSTILE: [HOSTILE], "study": "7"})
    html = render("reply.html", bubble=Bubble("reply", [HOSTILE, tool]), growing=False)
    for bad in ("<img", "<script", "<b>"):
        assert bad not in html
    assert 'href="/studies/7"' in html

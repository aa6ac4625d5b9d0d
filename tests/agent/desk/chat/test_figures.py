"""The figure check: what a reply may show is what a result holds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.desk.chat.figures import Known, figures_in
from agent.request.markup import duration

RESULT = {
    "study": "1",
    "score": 0.831246,
    "seconds_used": 90.2,
    "trials": 8,
    "rows": 12345,
    "peak_memory_mb": 1536.0,
    "gain": -0.0213,
    "gain_ci95": [0.81, 0.85],
    "learning_rate": 0.00105,
    "searched": {"learning_rate": "3e-05 to 0.003 (log); default 0.0005"},
    "at": "2026-11-25T09:21:43",
    "base": "Qwen3-0.6B",
    "command": "tunewright report 17 --json",
    "tokens": 25000,
    "classes": {"“refund 7”": 40},
}
KNOWN = Known.of([RESULT])


@pytest.mark.parametrize(
    "text",
    [
        "The score is 0.831246.",
        "about 0.83, or 0.8",
        "83 % (83.1%, 83.12 percent)",
        "90 s, 90s, 1.5 min, 1 min 30 s, 1m30s, 0.025 h",
        "12,345 rows; 12\u202f345 Zeilen; 12.3k",
        "1.5 GB or 1,536 MB",
        "a loss of 0.021, −0.021, -0.0213",
        "95 % interval 0.81-0.85, (0.81–0.85), 0.81 to 0.85, 81 % to 85 %",
        "lr=0.00105 or 1.05e-3; 0.001",
        "from 3e-05 to 0.003",
        "at 09:21 on 2026-11-25",
        "a 0.6B model, Qwen3-0.6B, f1_macro, MiniLM-L6-v2, tickets2.csv, stdlib:docstrings@300",
        "1. first\n2. second\n   3) third\n## 4. Heading",
        "run `tunewright report 17 --json`",
        "25k tokens, 25 thousand, 25,000",
        "0,83 as they write it elsewhere",
        "study 1, trial #8, 8/8 trials, **8**, [8], 8.",
        "two trials of three",
        "“refund 7” has 40",
    ],
)
def test_figures_of_a_result_may_be_written_as_people_write_them(text):
    """Rounded, in percent, in another unit, with separators; names and markers do not count."""
    assert KNOWN.unknown(text) == []


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("0.84", ["0.84"]),
        ("84 %", ["84 %"]),
        ("91 s", ["91 s"]),
        ("3 min", ["3 min"]),
        ("12,346 rows", ["12,346"]),
        ("9/8 trials", ["9/8"]),
        ("a gain of +0.021", ["+0.021"]),
        ("0.00", ["0.00"]),
        ("nearly 2.0", ["2.0"]),
        ("83 rows", ["83"]),
        ("12 % better", ["12 %"]),
        ("3x faster", ["3x"]),
        ("$5", ["$5"]),
        ("5 GB", ["5 GB"]),
        ("at 10:21", ["10:21"]),
        ("lr=0.002", ["0.002"]),
        ("version 1.2.3", ["1.2.3"]),
        ("on 2025-01-01", ["2025-01-01"]),
        ("between 0.81 and 0.99", ["0.99"]),
        ("`0.99`", ["0.99"]),
        ("٩٩ %", ["٩٩ %"]),
        ("1\n\n2 and 99", ["2", "99"]),
    ],
)
def test_any_other_figure_is_found(text, unknown):
    """As it is written, so that it can be named."""
    assert KNOWN.unknown(text) == unknown


finite = st.floats(min_value=1e-6, max_value=1e6, allow_nan=False, allow_infinity=False)


@given(finite, st.integers(0, 6))
def test_a_value_rounded_to_any_digits_is_known(value, digits):
    """Unless nothing of it is left, or a part became a whole."""
    shown = f"{value:.{digits}f}"
    if float(shown) == 0 or (digits == 0 and value < 1 and value != round(value)):
        return
    assert Known.of([{"x": value}]).unknown(f"It is {shown} now.") == []


@given(st.integers(0, 10**9))
def test_thousands_may_be_separated(number):
    """By comma, thin space or apostrophe."""
    known = Known.of([{"n": number}])
    for separator in (",", "\u202f", "'", "\u2009"):
        assert known.unknown(f"{number:,}".replace(",", separator) + " rows") == []


@given(st.floats(min_value=0.001, max_value=1))
def test_rates_may_be_percentages(rate):
    """With and without digits after the point."""
    known = Known.of([{"accuracy": rate}])
    shown = f"{rate:.1%}"
    assert float(shown[:-1]) == 0 or known.unknown(shown) == []


@given(st.floats(min_value=1, max_value=1e6))
def test_seconds_may_be_any_unit_of_time(seconds):
    """As the plan's own words for durations are."""
    known = Known.of([{"seconds_used": seconds}])
    assert known.unknown(f"It took {duration(seconds)}.") == []


@given(finite, finite)
def test_another_number_is_not_known(value, other):
    """Whatever both are, if they differ in their first four digits."""
    if math.isclose(value, other, rel_tol=2e-3) or math.isclose(value * 100, other, rel_tol=2e-3):
        return
    shown = f"{other:.4g}"
    if any(math.isclose(float(shown), known, rel_tol=2e-3) for known in (0.0, value, value * 100)):
        return  # as it is written it may be the value, or a rounder one that would pass for it
    if len(shown.replace("-", "").lstrip("0.").split("e")[0].replace(".", "").rstrip("0")) < 3:
        return
    assert Known.of([{"x": value}]).unknown(f"It is {shown}!") == [shown]


@given(st.text(max_size=300))
def test_no_text_breaks_the_check(text):
    """And every figure found is in it, white space aside."""
    squeezed = "".join(text.split())
    for figure in figures_in(text):
        assert "".join(figure.text.split()) in squeezed
    Known.of([{"text": text, text: [text]}]).unknown(text)


@given(st.text(alphabet="0123456789.,-+% eEsminhkMB:/\n#`", max_size=60))
def test_a_text_of_a_result_may_be_repeated_word_for_word(text):
    """Whatever figures it holds."""
    assert Known.of([{"note": text}]).unknown(text) == []

"""Plans for machines and for people."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agent.request.draft import Draft, DraftSpec, Question, Quote, Refusal
from agent.request.notes import interval_half_width
from agent.request.plan import Plan, PlanError
from agent.request.plan_rows import duration, plan_json, print_plan, row_of
from agent.request.resolve import resolve
from agent.settings import Settings


def printed(plan, width=80):
    console = Console(width=width, file=io.StringIO(), force_terminal=False, highlight=False)
    print_plan(plan, console)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """A ready preference plan with quoted, inferred and default values."""
    here = tmp_path_factory.mktemp("work")
    words = ["parcel", "late", "card", "charged", "twice", "app", "crash"]
    rows = [
        {
            "prompt": f"why {i} {words[i % 7]}",
            "chosen": f"because of {i * 37} {words[i % 5]}",
            "rejected": f"no {i * 91} idea",
        }
        for i in range(120)
    ]
    (here / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    spec = {
        "task": "preference",
        "base_model": "embedded:tiny-causal",
        "data": {"train": "pairs.jsonl"},
        "search": {"beta": {"low": 0.01, "high": 0.2}},
    }
    quotes = {
        "task": "dpo",
        "data.train": "pairs.jsonl",
        "search.beta": "beta 0.01 to 0.2",
        "base_model": "tiny-causal",
    }
    read = Draft(
        spec=DraftSpec.model_validate(spec),
        quotes=tuple(Quote(field=field, quote=quote) for field, quote in quotes.items()),
        ignored=("and make it rain",),
    )
    return resolve("dpo on pairs.jsonl", read, Settings(home=here / ".home", roots=(here,))).plan


def test_json_has_the_documented_keys(plan):
    """Programs rely on these names; the whole is plain JSON."""
    shown = json.loads(json.dumps(plan_json(plan)))
    assert {"spec", "provenance", "questions", "refusal", "error", "estimate", "plan_hash"} <= set(shown)
    assert {"data", "space", "base", "notes", "ignored", "device", "study", "trial", "llm", "ready"} <= set(shown)
    assert (shown["ready"], shown["refusal"], shown["questions"]) == (True, None, [])
    assert shown["plan_hash"] == plan.plan_hash
    assert shown["provenance"]["search.beta"]["source"] == "user"
    assert shown["spec"]["search"] == {"beta": {"low": 0.01, "high": 0.2}}


def test_a_refusal_is_data(plan):
    """`refusal` is {class, message}; an open plan is a draft spec."""
    refused = plan.model_copy(update={"refusal": Refusal(kind="infeasible", message="too large")})
    assert plan_json(refused)["refusal"] == {"class": "infeasible", "message": "too large"}
    assert not refused.ready


def test_a_plan_survives_json(plan):
    """The store keeps plans as JSON; what comes back is the same plan with the same hash."""
    again = Plan.model_validate_json(plan.model_dump_json())
    assert again == plan
    assert again.plan_hash == plan.plan_hash


def test_text_shows_words_origins_and_hash(plan):
    """What was understood is beside the words it came from; defaults say why; the hash is what approval binds to."""
    text = printed(plan)
    for part in ("“dpo”", "“beta 0.01 to 0.2”", "default: ", "beta", "test (sealed)", plan.plan_hash[:12]):
        assert part in " ".join(text.split())
    assert "and make it rain" in text
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) < 60


def test_open_points_are_printed_with_the_next_step(plan):
    """Questions with their proposal, an error with its hint; no approval is offered."""
    open_plan = plan.model_copy(
        update={
            "questions": (Question(field="data.columns.label", question="Which column?", suggestion="topic"),),
            "error": PlanError(code="bad_value", param="seed", message="must be 0 or more, got -1.", hint="Use 0."),
        }
    )
    text = " ".join(printed(open_plan).split())
    assert "Which column? suggestion: topic" in text
    assert "seed: must be 0 or more, got -1. → Use 0." in text
    assert "--approve" not in text


def test_a_list_without_members_is_not_shown(plan):
    """No comma stands for trade-offs that nobody asked for."""
    assert not row_of(plan, "objective", ("objective.metric", "objective.tradeoffs"))[1].endswith(", ")


@given(text=st.text(max_size=300))
def test_any_words_of_the_user_can_be_printed(plan, text):
    """Quotes and notes are the user's text: square brackets stay, what would steer a terminal does not."""
    odd = plan.model_copy(update={"notes": (text, "[bold]\x1b[2J"), "ignored": (text,)})
    shown = printed(odd)
    assert "Ready" in shown
    assert "[bold]" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "under a second"), (59, "59 s"), (600, "10 min"), (3 * 3600, "3.0 h"), (3 * 86400, "3.0 days")],
)
def test_durations_are_short(seconds, text):
    """One unit, at most two digits of use."""
    assert duration(seconds) == text


def test_interval_of_a_share_shrinks_with_rows():
    """96 rows give ±10 points, 2,401 rows ±2; none gives no information."""
    assert interval_half_width(96) == pytest.approx(0.1, abs=0.001)
    assert interval_half_width(2401) == pytest.approx(0.02, abs=0.001)
    assert interval_half_width(0) == 1.0

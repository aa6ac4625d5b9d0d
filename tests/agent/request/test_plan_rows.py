"""Plans for machines, and their rows for people."""

import json

import pytest

from agent.request.draft import Refusal
from agent.request.plan import Plan
from agent.request.plan_rows import plan_json, row_of
from trainers.dotted import flat


@pytest.fixture
def plan(preference_plan):
    """A ready preference plan with quoted, inferred and default values."""
    return preference_plan


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


def test_a_list_without_members_is_not_shown(plan):
    """No comma stands for trade-offs that nobody asked for."""
    assert not row_of(plan, flat(plan.spec), "objective", ("objective.metric", "objective.tradeoffs"))[1].endswith(", ")

"""Costs to be weighed against quality, as requests, spec files and planner LLMs say them."""

import pytest

from agent.request.llm_reader import Claim, Reading, draft_of
from agent.request.rules.reader import read_by_rules
from agent.request.spec_file import load_spec
from evals.requests.reading import reading_from_plan
from trainers.errors import InputError
from trainers.spec import Choices, Metric, Tradeoff

TIME, MEMORY, SIZE = Tradeoff


@pytest.mark.parametrize(
    ("request_text", "costs"),
    [
        ("classify a.csv, trade quality off against memory, 12 trials", (MEMORY,)),
        ("classify a.csv and trade accuracy for speed", (TIME,)),
        ("trade-off between F1 and peak memory, a.csv, 2 hours", (MEMORY,)),
        ("multi-objective: quality, train seconds, memory, adapter size; sft on b.jsonl", (TIME, MEMORY, SIZE)),
        ("balance accuracy and training time on x.csv", (TIME,)),
        ("DPO on p.jsonl; give me the Pareto front of adapter size, VRAM and reward accuracy", (MEMORY, SIZE)),
    ],
)
def test_words_for_compromises_name_their_costs(request_text, costs):
    """The costs stand in one order, with the words they were read from."""
    draft = read_by_rules(request_text)
    assert draft.spec.objective.tradeoffs == costs
    (quote,) = (q.quote for q in draft.quotes if q.field == "objective.tradeoffs")
    assert quote in request_text


@pytest.mark.parametrize(
    "request_text",
    [
        "classify a.csv with a small adapter, fast",
        "DPO on pairs.jsonl, balance the length, memory limit 8 GB",
        "classify x.csv, no trade-offs please, GPU memory 8 GB",
        "classify trades.csv with balanced accuracy in 30 minutes",
        "train on stock_tradeoffs.csv, text in column tradeoff, size in column size",
        "find the best compromise for x.csv. 8 GB of GPU memory.",
    ],
)
def test_limits_and_wishes_are_no_tradeoffs(request_text):
    """Nothing is weighed unless costs are named beside a word for compromises."""
    assert read_by_rules(request_text).spec.objective.tradeoffs is None


def test_what_stands_beside_it_is_still_read():
    """The metric within the words, and the limits after them."""
    spec = read_by_rules("trade off macro-F1 against training time on x.csv, 8 GB of VRAM, 2 hours, 9 trials").spec
    assert spec.objective.metric is Metric.F1_MACRO
    assert (spec.constraints.max_vram_gb, spec.budget.seconds, spec.budget.trials) == (8, 7200, 9)


def test_an_edit_takes_them_back():
    """ "Drop the trade-off" leaves the metric alone."""
    first = read_by_rules("classify x.csv, trade off accuracy against memory")
    assert read_by_rules("drop the trade-off", previous=first).spec.objective.tradeoffs is None
    assert read_by_rules("12 trials", previous=first).spec.objective.tradeoffs == (MEMORY,)


def test_a_spec_file_lists_them(tmp_path):
    """Each once, in one order; an unknown cost is named."""
    file = tmp_path / "spec.yaml"
    file.write_text("objective: {tradeoffs: [adapter_mb, train_seconds, adapter_mb]}")
    assert load_spec(file).spec.objective.tradeoffs == (TIME, SIZE)
    file.write_text("objective: {tradeoffs: [gpu_seconds]}")
    with pytest.raises(InputError, match="train_seconds") as caught:
        load_spec(file)
    assert caught.value.param == "objective.tradeoffs"


def test_a_planner_joins_them_by_bars():
    """An unknown one is rejected with its quote."""
    text = "trade off quality against memory and size"

    def read(value):
        claim = Claim(field="objective.tradeoffs", quote=text, value=value, stated=True)
        return draft_of(Reading(thinking="", claims=(claim,), refusal=None, questions=(), ignored=()), text)

    assert read("peak_memory_mb | adapter_mb").spec.objective.tradeoffs == (MEMORY, SIZE)
    (rejected,) = read("joules").rejected
    assert rejected.field == "objective.tradeoffs"


def test_they_are_scored_as_choices():
    """In a reading several words are choices; none are nothing."""
    plan = {"spec": {"objective": {"tradeoffs": ["adapter_mb", "train_seconds"]}}, "provenance": {}}
    reading = reading_from_plan(plan)
    assert reading.values == {"objective.tradeoffs": Choices(choices=("adapter_mb", "train_seconds"))}
    assert reading_from_plan({"spec": {"objective": {"tradeoffs": []}}, "provenance": {}}).values == {}

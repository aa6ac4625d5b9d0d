"""A spec's values by dotted field."""

from agent.request.draft import DraftSpec
from trainers.dotted import fields, flat, nested
from trainers.spec import Choices, Range

SPEC = DraftSpec.model_validate(
    {
        "data": {"train": "a.csv", "columns": {"text": "body"}},
        "search": {"learning_rate": {"low": 1e-5, "high": 1e-3}, "lora_rank": {"choices": [4, 8]}, "epochs": 2},
        "budget": {"trials": 4},
    }
)


def test_a_searched_range_or_list_is_one_value():
    """What the user searches is one field, in Python's form or in JSON's."""
    assert flat(SPEC) == {
        "data.train": "a.csv",
        "data.columns.text": "body",
        "budget.trials": 4,
        "search.learning_rate": Range(low=1e-5, high=1e-3),
        "search.lora_rank": Choices(choices=(4, 8)),
        "search.epochs": 2,
    }
    assert flat(SPEC.model_dump(mode="json"))["search.lora_rank"] == {"choices": [4, 8]}


def test_nested_undoes_flat():
    """Nothing is lost on the way there and back."""
    assert DraftSpec.model_validate(nested(flat(SPEC))) == SPEC
    assert flat(DraftSpec()) == nested({}) == {}


def test_fields_are_all_that_a_spec_may_have():
    """In the order of the form, its parts not being fields themselves."""
    names = fields(DraftSpec)
    assert set(flat(SPEC)) < set(names)
    assert names[:4] == ("intent", "task", "base_model", "data.train")
    assert not {"data", "data.columns", "search", "budget"} & set(names)

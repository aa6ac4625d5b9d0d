"""Spec files: the same draft as a request gives, or a message that names the key."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.request.draft import Quote
from agent.request.spec_file import is_spec_file, load_spec
from trainers.errors import InputError
from trainers.spec import Choices, Intent, Range, Task

GOOD = """
task: sft
base_model: gpt2
data: {train: a.jsonl, columns: {prompt: question}}
search:
  learning_rate: {low: 1e-5, high: 2e-3}
  lora_rank: {choices: [4, 8]}
  epochs: 2
budget: {trials: 4, seconds: 1.5e3}
"""


def write(tmp_path, text, name="spec.yaml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_values_are_the_users_and_quote_the_file(tmp_path):
    """A spec file is the user's own words: every value has a quote of the form KEY: VALUE."""
    draft = load_spec(write(tmp_path, GOOD))
    assert (draft.spec.intent, draft.spec.task, draft.spec.budget.trials) == (Intent.TRAIN, Task.SFT, 4)
    assert draft.spec.search.lora_rank == Choices(choices=(4, 8))
    assert Quote(field="base_model", quote="base_model: gpt2") in draft.quotes
    assert Quote(field="search.lora_rank", quote="lora_rank: {choices: [4, 8]}") in draft.quotes
    assert {quote.field for quote in draft.quotes} >= {"data.columns.prompt", "budget.seconds", "search.epochs"}


def test_learning_rates_are_numbers(tmp_path):
    """YAML 1.1 reads 1e-5 as a string; nobody means that."""
    draft = load_spec(write(tmp_path, GOOD))
    assert draft.spec.search.learning_rate == Range(low=1e-5, high=2e-3)
    assert draft.spec.budget.seconds == 1500.0


def test_json_is_read_as_well(tmp_path):
    """JSON is YAML; the same reader takes it."""
    text = json.dumps({"task": "classification", "budget": {"trials": 3}})
    assert load_spec(write(tmp_path, text, "spec.json")).spec.budget.trials == 3


def test_early_stopping_can_be_forbidden(tmp_path):
    """Only a spec file says so; what it says is the user's."""
    draft = load_spec(write(tmp_path, "task: sft\nbudget: {early_stopping: false}"))
    assert draft.spec.budget.early_stopping is False
    assert "budget.early_stopping" in {quote.field for quote in draft.quotes}


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("tusk: sft", "tusk", "Did you mean task"),
        ("data: {trian: x.csv}", "data.trian", "Did you mean train"),
        ("data: {columns: {lable: y}}", "data.columns.lable", "Did you mean label"),
        ("search: {learning_rat: 1}", "search.learning_rat", "Did you mean learning_rate"),
        ("objective: {zzz: 1}", "objective.zzz", "Known here: metric, direction, target"),
        ("task: sfft", "task", "Did you mean sft"),
        ("loss: dpo2", "loss", "'sigmoid'"),
        ("budget: {trials: many}", "budget.trials", "valid integer"),
        ("search: {learning_rate: {low: 2, high: 1}}", "search.learning_rate", "low <= high"),
        ("search: {learning_rate: {low: 2}}", "search.learning_rate", "a range {low: 1, high: 2}"),
        ("a: &x [1]\nb: *x", "spec", "line 2: aliases"),
        ("task: sft\ntask: sft", "spec", "line 2: the key 'task' is given twice"),
        ("task: [", "spec", "valid YAML"),
        ("just words", "spec", "keys and values"),
        ("", "spec", "keys and values"),
        ("? [a]\n: b", "spec", "a key must be a name"),
        ("task: !!python/object/apply:os.getcwd []", "spec", "could not determine a constructor"),
        ("[" * 5000, "spec", "valid YAML"),
    ],
)
def test_a_bad_file_names_key_and_rule(tmp_path, text, field, message):
    """Unknown keys, wrong values and broken syntax say where and what, with near names."""
    with pytest.raises(InputError) as caught:
        load_spec(write(tmp_path, text))
    assert caught.value.param == field
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_missing_large_and_binary_files_are_refused(tmp_path):
    """Existence, size and encoding are checked before parsing."""
    with pytest.raises(InputError, match="must exist"):
        load_spec(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="KiB"):
        load_spec(write(tmp_path, "#" * 300_000))
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="UTF-8"):
        load_spec(tmp_path / "b.yaml")


@given(text=st.text(max_size=200))
def test_any_text_gives_a_draft_or_an_input_error(tmp_path_factory, text):
    """No content of a spec file leads to another exception."""
    path = tmp_path_factory.mktemp("s") / "x.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    with suppress(InputError):
        assert load_spec(path).spec.intent is Intent.TRAIN


def test_only_a_lone_file_name_is_a_spec_file():
    """A request that mentions a file is still a request."""
    assert is_spec_file("study.yaml")
    assert is_spec_file(" a/b.JSON ")
    assert not is_spec_file("train on rows.json")
    assert not is_spec_file("rows.csv")


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("[4, 8]", "Write lora_rank: {choices: [4, 8]}."),
        ("{low: 4}", "Correct"),
        ("{choices: []}", "Correct"),
        (".nan", "Correct"),
    ],
)
def test_hyperparameter_in_another_form_is_told_the_three_forms(tmp_path, value, hint):
    """A value, a range or a list; what was given is shown as it was written."""
    with pytest.raises(InputError, match=r"must be a value, a range .* or a list") as caught:
        load_spec(write(tmp_path, f"search: {{lora_rank: {value}}}"))
    assert (caught.value.param, caught.value.code) == ("search.lora_rank", "bad_value")
    assert hint in caught.value.hint
    assert f"got {value}" in caught.value.rule


def test_what_a_bad_value_was_is_in_the_message(tmp_path):
    """Nested values too."""
    with pytest.raises(InputError, match=r"must be a valid dictionary .* got 'tr.csv'"):
        load_spec(write(tmp_path, "data: tr.csv"))
    with pytest.raises(InputError, match=r"must be a valid string, got \{a: 1\}"):
        load_spec(write(tmp_path, "base_model: {a: 1}"))

"""Columns and tasks are taken from names and content, and asked about where neither tells."""

import pytest

from tools.data.columns import Detected, Undecided
from tools.data.data_profile import SourceProfile
from tools.data.detect import canonical_rows, detect_columns
from tools.data.table import Row, Table, columns_of
from trainers.errors import InputError
from trainers.spec import Columns, Task

SENTENCE = "the {} parcel never came to my door"


def table(rows: list[Row]) -> Table:
    columns = columns_of(rows)
    source = SourceProfile(name="a.csv", path="/a.csv", format="csv", sha256="", n_rows=len(rows), columns=columns)
    return Table(source=source, columns=columns, rows=rows)


def rows_of(*columns: str, **cells: object) -> list[Row]:
    """40 rows: free text in every column but those given, whose values alternate."""
    return [
        {c: cells[c][i % len(cells[c])] if c in cells else f"{c}: {SENTENCE.format(i)}" for c in columns}  # type: ignore[index,arg-type]
        for i in range(40)
    ]


def detected(rows: list[Row], task: Task | None = None, **given: str) -> Detected:
    return detect_columns(table(rows), task, Columns(**given))


CLASSIFICATION, SFT, PREFERENCE = Task.CLASSIFICATION, Task.SFT, Task.PREFERENCE
PAIRS = {"chosen": "sentence_good", "rejected": "sentence_bad"}
NUMBERED = {"label": [0, 1], "label_text": ["sad", "happy"]}


@pytest.mark.parametrize(
    ("columns", "cells", "task", "expected"),
    [
        ("text label", {"label": "ab"}, CLASSIFICATION, {"text": "text", "label": "label"}),
        ("id Review Sentiment", {"Sentiment": "ab"}, CLASSIFICATION, {"text": "Review", "label": "Sentiment"}),
        ("utterance intent", {"intent": "ab"}, CLASSIFICATION, {"text": "utterance", "label": "intent"}),
        ("text label label_text", NUMBERED, CLASSIFICATION, {"text": "text", "label": "label_text"}),
        ("foo bar", {"bar": "xy"}, None, None),
        ("question answer", {}, SFT, {"prompt": "question", "completion": "answer"}),
        ("instruction input output", {}, SFT, {"prompt": "instruction", "completion": "output"}),
        ("prompt chosen rejected", {}, PREFERENCE, {c: c for c in ("prompt", "chosen", "rejected")}),
        ("sentence_good sentence_bad UID", {"UID": "a"}, PREFERENCE, PAIRS),
        ("text", {}, SFT, {"text": "text"}),
    ],
)
def test_task_and_columns_follow_from_usual_names(
    columns: str, cells: dict[str, object], task: Task | None, expected: dict[str, str] | None
) -> None:
    """Usual names of every task are recognised; unusual ones leave the task open."""
    rows = rows_of(*columns.split(), **cells)
    if expected is None:
        with pytest.raises(Undecided):
            detected(rows)
        return
    found = detected(rows)
    assert (found.task, found.columns.model_dump(exclude_none=True)) == (task, expected)
    assert set(expected) <= set(found.evidence)


def test_content_tells_text_from_label_where_names_do_not() -> None:
    """With the task known, the one column of few values is the label and the one of free text the text."""
    found = detected(rows_of("foo", "bar", bar="xy"), Task.CLASSIFICATION)
    assert found.columns == Columns(text="foo", label="bar")
    assert "few, short values" in found.evidence["label"]


def test_two_equal_candidates_are_asked_about() -> None:
    """Neither of two label columns is taken by itself."""
    rows = rows_of("text", "category", "intent", category="abc", intent="xyzw")
    with pytest.raises(Undecided) as caught:
        detected(rows)
    assert caught.value.field == "data.columns.label"
    assert caught.value.suggestion in ("category", "intent")


def test_named_columns_are_taken_and_lead_to_the_task() -> None:
    """What the user names wins over usual names."""
    found = detected(rows_of("text", "note", "label", "team", label="ab", team="xyz"), label="team", text="note")
    assert (found.task, found.columns) == (Task.CLASSIFICATION, Columns(text="note", label="team"))
    assert found.evidence["label"] == "given by the user"


def test_unknown_column_is_refused_with_near_names() -> None:
    """A misspelt column is not replaced by the one it resembles."""
    with pytest.raises(InputError, match=r"no column 'catgory'.*Did you mean category\?") as caught:
        detected(rows_of("text", "category", category="ab"), label="catgory")
    assert (caught.value.param, caught.value.code) == ("data.columns.label", "unknown_column")


def test_classification_without_repeating_values_is_refused() -> None:
    """A column in which every value is different is no label."""
    with pytest.raises(InputError, match="whose values repeat"):
        detected(rows_of("text", "label"), Task.CLASSIFICATION)


def test_classification_without_text_is_refused() -> None:
    """A table of short codes has nothing to read."""
    with pytest.raises(InputError, match="a column of texts"):
        detected(rows_of("a", "label", a="xy", label="ab"), Task.CLASSIFICATION)


def test_alpaca_input_is_appended_to_the_prompt() -> None:
    """Rows with an input carry it below the instruction; rows without do not."""
    rows: list[Row] = [
        {"instruction": "Add the numbers.", "input": "2 and 3", "output": "5"},
        {"instruction": "Say hello.", "input": "", "output": "hello"},
    ]
    found = detected(rows)
    assert canonical_rows(rows, found, "data.train")[0] == [
        {"prompt": "Add the numbers.\n\n2 and 3", "completion": "5"},
        {"prompt": "Say hello.", "completion": "hello"},
    ]


def test_sharegpt_turns_become_messages() -> None:
    """from / value turns get OpenAI's names."""
    rows: list[Row] = [{"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]}] * 5
    found = detected(rows)
    assert canonical_rows(rows, found, "data.train")[0][0] == {
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    }


def test_votes_decide_and_ties_are_dropped_and_counted() -> None:
    """The majority of three annotators chooses; rows without one are left out, with a note."""
    votes = [(1, 1, 2), (2, 2, 2), (0, 0, 1), (1, 2, 0)]
    rows: list[Row] = [
        {"instruction": f"Do it {i}.", "response1": "one", "response2": "two"}
        | {f"annotator{n}": vote for n, vote in enumerate(vs, 1)}
        for i, vs in enumerate(votes)
    ]
    found = detected(rows)
    canonical, notes = canonical_rows(rows, found, "data.train")
    assert [(r["chosen"], r["rejected"]) for r in canonical] == [("one", "two"), ("two", "one")]
    assert notes == ("data.train: 2 of 4 rows dropped: the votes tie",)
    assert detected(rows, prompt="instruction").votes == found.votes


def test_pairs_of_equal_answers_are_dropped_and_counted() -> None:
    """A pair whose answers are the same states no preference; a file of nothing else is refused."""
    rows: list[Row] = [{"prompt": f"Do {i}.", "chosen": "one", "rejected": "two" if i else "one "} for i in range(4)]
    canonical, notes = canonical_rows(rows, detected(rows), "data.train")
    assert [r["prompt"] for r in canonical] == ["Do 1.", "Do 2.", "Do 3."]
    assert notes == ("data.train: 1 of 4 rows dropped: chosen and rejected are the same",)
    with pytest.raises(InputError, match="no row is left: 1 of 1 rows dropped: chosen and rejected are the same"):
        canonical_rows(rows[:1], detected(rows), "data.train")


def test_unpaired_answers_are_refused_with_what_is_needed() -> None:
    """KTO's one answer and verdict a row has no pairs to ask about."""
    rows = rows_of("prompt", "completion", "label", label=[True, False])
    with pytest.raises(InputError, match=r"a chosen and a rejected answer a row; a\.csv has completion and label"):
        detected(rows, Task.PREFERENCE)


def test_one_column_cannot_be_text_and_label() -> None:
    """Roles need columns of their own."""
    with pytest.raises(InputError, match="text and label must be different columns; both are 'text'"):
        detected(rows_of("text", "label", label="ab"), Task.CLASSIFICATION, text="text", label="text")


@pytest.mark.parametrize(
    ("cells", "why"),
    [([""], "column 'label' of a.csv is empty"), (list(range(40)), "'label' has 40 different values in 40 rows")],
)
def test_unusable_label_column_is_named(cells: list[object], why: str) -> None:
    """A column named like a label that cannot be one is said to be what it is."""
    with pytest.raises(InputError, match=why):
        detected(rows_of("text", "label", label=cells), Task.CLASSIFICATION)


def test_minimal_pairs_have_an_empty_prompt() -> None:
    """BLiMP rows have no prompt."""
    rows: list[Row] = [{"sentence_good": "It is.", "sentence_bad": "It are."}] * 3
    assert canonical_rows(rows, detected(rows), "data.train")[0][0] == {
        "prompt": "",
        "chosen": "It is.",
        "rejected": "It are.",
    }


def test_whole_dialogues_are_cut_before_the_last_answer() -> None:
    """Human / Assistant pairs without a prompt column get the shared part as the prompt."""
    head = "\n\nHuman: hi\n\nAssistant: yes?\n\nHuman: help\n\nAssistant:"
    rows: list[Row] = [{"chosen": head + " sure", "rejected": head + " no"}]
    assert canonical_rows(rows, detected(rows), "data.train")[0] == [
        {"prompt": head, "chosen": " sure", "rejected": " no"}
    ]


@pytest.mark.parametrize("empty", ["", "  ", None, float("nan")], ids=["empty", "blank", "null", "nan"])
def test_missing_labels_are_refused_with_count_and_row(empty: object) -> None:
    """Rows without a label are an error, not silently dropped."""
    rows = rows_of("text", "label", label="ab")
    rows[3]["label"] = rows[7]["label"] = empty
    with pytest.raises(InputError, match=r"column 'label' is empty in 2 of 40 rows, first in row 4") as caught:
        canonical_rows(rows, detected(rows), "data.train")
    assert caught.value.code == "missing_cells"


def test_null_text_is_refused_with_count_and_row() -> None:
    """Rows without a text are an error."""
    rows = rows_of("text", "label", label="ab")
    rows[0]["text"] = None
    with pytest.raises(InputError, match=r"column 'text' is empty in 1 of 40 rows, first in row 1"):
        canonical_rows(rows, detected(rows), "data.train")


def test_list_labels_are_refused() -> None:
    """Multi-label rows are named as what they are."""
    rows = rows_of("text", "label", label="ab")
    found = detected(rows)
    rows[5]["label"] = ["a", "b"]
    with pytest.raises(InputError, match="multi-label"):
        canonical_rows(rows, found, "data.train")


def test_equal_labels_of_different_types_are_one_class() -> None:
    """1, 1.0 and "1" from files of different formats name the same class."""
    rows: list[Row] = [{"text": "a b c", "label": label} for label in (1, 1.0, "1 ", True)]
    found = Detected(Task.CLASSIFICATION, Columns(text="text", label="label"))
    assert [r["label"] for r in canonical_rows(rows, found, "data.train")[0]] == ["1", "1", "1", "true"]


MESSAGES = Detected(Task.SFT, Columns(messages="m"))
PAIR = Detected(Task.PREFERENCE, Columns(prompt="p", chosen="c", rejected="r"))
COMPLETIONS = Detected(Task.SFT, Columns(prompt="p", completion="c"))
USER, GOOD, BAD = ({"role": r, "content": c} for r, c in (("user", "hi"), ("assistant", "yes"), ("assistant", "no")))


@pytest.mark.parametrize(
    ("detected_as", "row", "words"),
    [
        (MESSAGES, {"m": []}, "list of messages"),
        (MESSAGES, {"m": "hi"}, "list of messages"),
        (MESSAGES, {"m": ["hi"]}, "object with role and content"),
        (MESSAGES, {"m": [{"role": "wizard", "content": "hi"}]}, "it is 'wizard'"),
        (MESSAGES, {"m": [{"role": "user", "content": [1]}]}, "only text can be learnt"),
        (MESSAGES, {"m": [USER]}, "turn of the assistant"),
        (COMPLETIONS, {"p": " ", "c": "x"}, "column 'p' is empty"),
        (COMPLETIONS, {"p": "x", "c": None}, "column 'c' is empty"),
        (PAIR, {"p": "", "c": "x", "r": "y"}, "column 'p' is empty"),
        (PAIR, {"p": "x", "c": None, "r": "y"}, "'c' or 'r' is empty"),
        (PAIR, {"p": "x", "c": [USER, GOOD], "r": [GOOD, BAD]}, "differ before it"),
        (PAIR, {"p": "x", "c": [USER, GOOD, USER, GOOD], "r": [USER, GOOD, USER, BAD]}, "several answers"),
        (PAIR, {"p": "x", "c": [USER, GOOD], "r": []}, "list of messages"),
        (Detected(Task.SFT, Columns(text="t")), {"t": ""}, "column 't' is empty"),
    ],
)
def test_unusable_rows_are_refused_with_the_reason(detected_as: Detected, row: Row, words: str) -> None:
    """Each way in which a row can lack what its task needs has its message, with the row's number."""
    with pytest.raises(InputError) as caught:
        canonical_rows([row], detected_as, "data.test")
    assert words in caught.value.rule
    assert "first in row 1" in caught.value.rule
    assert caught.value.param == "data.test"


def test_pairs_of_conversations_give_prompt_and_answers() -> None:
    """UltraFeedback's form: the last answers differ, what comes before is the prompt."""
    rows: list[Row] = [{"p": "x", "c": [USER, GOOD], "r": [USER, BAD]}]
    assert canonical_rows(rows, PAIR, "data.train")[0] == [{"prompt": "hi", "chosen": "yes", "rejected": "no"}]


@pytest.mark.parametrize(
    ("columns", "cells", "task", "field", "suggestion"),
    [
        ("prompt answer response", {}, Task.SFT, "data.columns.completion", "response"),
        ("foo bar", {}, Task.SFT, "data.columns.prompt", "foo"),
        ("prompt foo", {}, Task.SFT, "data.columns.completion", "foo"),
        ("prompt chosen other", {}, Task.PREFERENCE, "data.columns.rejected", "other"),
        ("text sentence label", {"label": "ab"}, Task.CLASSIFICATION, "data.columns.text", None),
        ("foo bar label", {"label": "ab"}, Task.CLASSIFICATION, "data.columns.text", None),
        ("text foo bar", {"foo": "ab", "bar": "xyz"}, Task.CLASSIFICATION, "data.columns.label", "foo"),
    ],
)
def test_open_columns_become_questions(
    columns: str, cells: dict[str, object], task: Task, field: str, suggestion: str | None
) -> None:
    """The question names the field and, where one reading is likelier, suggests it."""
    with pytest.raises(Undecided) as caught:
        detected(rows_of(*columns.split(), **cells), task)
    assert caught.value.field == field
    assert "a.csv" in caught.value.question
    assert suggestion is None or caught.value.suggestion == suggestion


@pytest.mark.parametrize(
    ("given_columns", "task"),
    [
        ({"label": "label"}, Task.CLASSIFICATION),
        ({"completion": "reply"}, Task.SFT),
        ({"chosen": "reply", "rejected": "text"}, Task.PREFERENCE),
    ],
)
def test_named_roles_tell_the_task(given_columns: dict[str, str], task: Task) -> None:
    """Naming a role is saying what the data is for."""
    rows = rows_of("question", "reply", "text", "label", label="ab")
    assert detected(rows, **given_columns).task is task


def test_unknown_votes_are_refused() -> None:
    """A vote for neither side is not counted as a tie."""
    rows: list[Row] = [{"response1": "a", "response2": "b", "vote": 1 + i % 2} for i in range(4)]
    found = detected(rows)
    with pytest.raises(InputError, match="a vote must be"):
        canonical_rows([*rows, {**rows[0], "vote": 7}], found, "data.train")

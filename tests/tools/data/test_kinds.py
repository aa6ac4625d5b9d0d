"""What people bring: each kind of file or row is read as it was meant, or refused in words that say what to do."""

import json
from pathlib import Path

import pytest

from tools.data.load_csv import parse_csv
from tools.data.load_json import parse_json, parse_jsonl
from tools.data.profile_data import profile
from tools.data.tasks.classification import label_name
from tools.data.tasks.rows import Flaw, turns_of
from trainers.errors import InputError
from trainers.spec import Columns, Data, Task

ROWS = [{"text": f"the {word} number {n} came late", "label": word} for n in range(15) for word in ("box", "bill")]
PLAIN = [{"text": "a b c", "label": "x"}, {"text": "d e f", "label": "y"}]
USER, ANSWER = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}


def profiled(tmp_path: Path, rows: list[dict[str, object]], task: Task, columns: Columns | None = None):
    """The profile of rows written as JSON lines."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return profile(Data(train=str(path), columns=columns or Columns()), task, roots=(tmp_path,))


@pytest.mark.parametrize(
    "last", ["positive", "product", "good", "language", "toxic", "spam", "type", "label", "category", "text", "title"]
)
def test_a_missing_header_is_noticed_whatever_the_first_class_is_called(last: str) -> None:
    """A usual name in the first line is no header where it comes again below."""
    text = "".join(f"what a film it was number {n},{last if n % 2 == 0 else 'other'}\n" for n in range(20))
    with pytest.raises(InputError) as error:
        parse_csv(text, "reviews.csv", "data.train")
    assert error.value.code == "no_header"


@pytest.mark.parametrize(
    "text",
    [
        "text,label\na b c,x\nd e f,y\n",
        'text, label\n"a b c", "x"\n"d e f", "y"\n',
        "sep=;\ntext;label\na b c;x\nd e f;y\n",
        "sep=|\r\ntext|label\r\na b c|x\r\nd e f|y\r\n",
        "# made by hand\ntext,label\na b c,x\nd e f,y\n",
        "# one\n# two\ntext\tlabel\na b c\tx\nd e f\ty\n",
        "text,label,\na b c,x,\nd e f,y,\n",
        "text,label\na b c,x\n,\nd e f,y\n,\n",
        "text,label\n\na b c,x\n\nd e f,y\n\n",
        'text;label\n"a b c";x\n"d e f";y\n',
        "text,label\ra b c,x\rd e f,y\r",
        '"text","label"\r\n"a b c","x"\r\n"d e f","y"\r\n',
    ],
)
def test_csv_of_other_programs_gives_the_same_rows(text: str) -> None:
    """Excel's first line, comments, spaces before quotes, separators at the end, blank rows."""
    assert parse_csv(text, "a.csv", "data.train").rows == PLAIN


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(PLAIN),
        json.dumps(PLAIN, indent=2),
        json.dumps({"data": PLAIN}),
        json.dumps({"text": ["a b c", "d e f"], "label": ["x", "y"]}),
        json.dumps({"text": {"0": "a b c", "1": "d e f"}, "label": {"0": "x", "1": "y"}}),
        json.dumps({"0": PLAIN[0], "1": PLAIN[1]}),
        json.dumps({"columns": ["text", "label"], "index": [0, 1], "data": [["a b c", "x"], ["d e f", "y"]]}),
        "".join(json.dumps(row) for row in PLAIN),
        "\n".join(json.dumps(row, indent=1) for row in PLAIN),
        ",\n".join(json.dumps(row) for row in PLAIN) + ",\n",
        "\r".join(json.dumps(row) for row in PLAIN),
    ],
)
def test_json_of_other_programs_gives_the_same_rows(text: str) -> None:
    """pandas' four orients, objects over several lines or one after another, commas between them."""
    assert parse_json(text, "a.json", "data.train").rows == PLAIN


@pytest.mark.parametrize("name", ["validation", "valid", "val", "dev", "eval", "evaluation"])
def test_a_split_is_known_by_its_usual_names(name: str) -> None:
    """And the rows lie in it."""
    parsed = parse_json(json.dumps({"train": PLAIN, name: PLAIN[:1]}), "a.json", "data.train")
    assert parsed.splits == {"validation": PLAIN[:1]}


def test_python_text_is_told_from_json() -> None:
    """The hint says how to write it."""
    with pytest.raises(InputError, match=r"json\.dumps"):
        parse_jsonl(f"{PLAIN[0]}\n{PLAIN[1]}\n", "a.jsonl", "data.train")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "1"),
        (1.0, "1"),
        ("1", "1"),
        ("1.0", "1"),
        ("-2.00", "-2"),
        (0, "0"),
        ("0.0", "0"),
        (True, "true"),
        (1.5, "1.5"),
        ("1.50", "1.50"),
        ("v1.0", "v1.0"),
        (" 3.0 ", "3"),
        ("1.0.0", "1.0.0"),
        ("NA", "NA"),
        ("null", "null"),
    ],
)
def test_a_class_has_one_name_however_its_number_is_written(value: object, name: str) -> None:
    """pandas writes 1 as 1.0 beside an empty cell; words are words."""
    assert label_name(value) == name


@pytest.mark.parametrize(
    ("who", "role"),
    [
        ("user", "user"),
        ("human", "user"),
        ("Human", "user"),
        ("assistant", "assistant"),
        ("gpt", "assistant"),
        ("model", "assistant"),
        ("system", "system"),
        ("developer", "system"),
        ("tool", "tool"),
        ("function", "tool"),
        ("observation", "tool"),
        ("ipython", "tool"),
        ("function_response", "tool"),
    ],
)
def test_who_speaks_is_known_by_the_names_of_all_formats(who: str, role: str) -> None:
    """OpenAI's, ShareGPT's, Llama's and LLaMA-Factory's."""
    assert turns_of([{"from": who, "value": "x"}]) == [{"role": role, "content": "x"}]


TURNS = [USER, ANSWER]


@pytest.mark.parametrize(
    "cell",
    [
        TURNS,
        json.dumps(TURNS),
        str(TURNS),
        f"  {json.dumps(TURNS, indent=1)}",
        [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}],
        [{"role": None, "content": None, "from": "human", "value": "hi"}, {**ANSWER, "from": None, "value": None}],
        [{"role": "user", "content": [{"type": "text", "text": "hi"}]}, ANSWER],
        [{"role": "user", "content": [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]}, ANSWER],
        [USER, {**ANSWER, "tool_calls": None}],
        [USER, {**ANSWER, "tool_calls": [], "function_call": None, "weight": 1}],
        [{**USER, "weight": 0}, {**ANSWER, "name": "bot"}],
    ],
)
def test_turns_are_the_same_however_they_are_written(cell: object) -> None:
    """As lists, as JSON or Python text, with null for keys of other formats, in parts."""
    assert turns_of(cell) == TURNS


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ([USER, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}], "tool_calls"),
        ([USER, {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}], "tool_calls"),
        ([USER, {"role": "assistant", "tool_calls": [{"id": "1"}]}], "tool_calls"),
        ([USER, {"role": "assistant", "content": "", "function_call": {"name": "f"}}], "tool_calls"),
        ([{"role": "user", "content": [{"type": "image", "image": "a.png"}]}, ANSWER], "not_text"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}, ANSWER], "not_text"),
        ([{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url"}]}, ANSWER], "not_text"),
        ([{"role": "narrator", "content": "x"}], "bad_role"),
        ([USER, {**ANSWER, "weight": 0.5}], "bad_weight"),
        ([], "missing_cells"),
        ("hello", "missing_cells"),
        ("[1, 2", "missing_cells"),
        ([{"role": "user", "content": None}], "missing_cells"),
    ],
)
def test_turns_that_cannot_be_learnt_are_refused_by_name(cell: object, code: str) -> None:
    """Nothing of a turn is dropped without a word."""
    flaw = turns_of(cell)
    assert isinstance(flaw, Flaw)
    assert flaw.code == code


def _conversations(turns: object) -> list[dict[str, object]]:
    return [{"messages": [{**turn, "content": f"{turn['content']} {n}"} for turn in turns]} for n in range(30)]


def test_an_answer_of_weight_0_is_kept_and_not_learnt(tmp_path: Path) -> None:
    """It stays in the conversation; one without any other answer is refused."""
    turns = [USER, {**ANSWER, "weight": 0}, USER, ANSWER]
    rows = profiled(tmp_path, _conversations(turns), Task.SFT).rows["train"]
    assert [turn.get("weight") for turn in rows[0]["messages"]] == [None, 0, None, None]
    with pytest.raises(InputError, match="weight 0"):
        profiled(tmp_path, _conversations(turns[:2]), Task.SFT)


def test_prompt_and_completion_of_turns_are_one_conversation(tmp_path: Path) -> None:
    """Of which the completion alone is learnt."""
    rows = [
        {"prompt": [{**USER, "content": f"q{n}"}, ANSWER, USER], "completion": [{**ANSWER, "content": f"a{n}"}]}
        for n in range(30)
    ]
    first = profiled(tmp_path, rows, Task.SFT).rows["train"][0]["messages"]
    assert [(turn["role"], turn.get("weight")) for turn in first] == [
        ("user", None),
        ("assistant", 0),
        ("user", None),
        ("assistant", None),
    ]


def test_pairs_of_answers_in_turns_keep_their_prompt(tmp_path: Path) -> None:
    """The prompt beside them is text or turns."""
    for prompt in ("what is it", [{"role": "user", "content": "what is it"}]):
        rows = [
            {"prompt": prompt, "chosen": [{**ANSWER, "content": f"yes {n}"}], "rejected": [{**ANSWER, "content": "no"}]}
            for n in range(30)
        ]
        assert profiled(tmp_path, rows, Task.PREFERENCE).rows["train"][0]["prompt"] == "what is it"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda row: {**row, "label": [row["label"]]}, "bad_input"),
        (lambda row: {"text": row["text"], "labels": [row["label"], "urgent"]}, "bad_input"),
        (lambda row: {**row, "label": f"{row['label']}|urgent" if "1" in row["text"] else row["label"]}, "multi_label"),
        (lambda row: {**row, "label": f"{row['label']};late" if "2" in row["text"] else row["label"]}, "multi_label"),
        (
            lambda row: {"text": row["text"], "toxic": int("1" in row["text"]), "insult": int("2" in row["text"])},
            "multi_label",
        ),
        (lambda row: {**row, "text": [row["text"]]}, "not_text"),
        (lambda row: {**row, "text": {"subject": row["text"]}}, "not_text"),
        (lambda row: {"text": row["text"], "rating": len(row["text"]) + hash(row["text"]) % 997 / 997}, "bad_input"),
    ],
)
def test_several_labels_numbers_and_lists_are_refused_as_what_they_are(tmp_path: Path, change, code: str) -> None:
    """And not learnt as classes or as Python's text of them."""
    with pytest.raises(InputError) as error:
        profiled(tmp_path, [change(row) for row in ROWS], Task.CLASSIFICATION)
    assert error.value.code == code


@pytest.mark.parametrize("column", ["images", "videos", "audios", "image"])
def test_media_beside_a_conversation_are_not_dropped(tmp_path: Path, column: str) -> None:
    """An <image> mark is no text to learn."""
    rows = [{**row, column: ["a.png"]} for row in _conversations(TURNS)]
    with pytest.raises(InputError, match=column):
        profiled(tmp_path, rows, Task.SFT)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("a.csv.gz", "Unpack"),
        ("a.zip", "Unpack"),
        ("a.jsonl.zst", "Unpack"),
        ("a.xlsx", "csv"),
        ("a.arrow", "parquet"),
        ("a.feather", "parquet"),
        ("a.txt", "JSON lines"),
        ("a.pkl", "parquet"),
        ("a.ods", "csv"),
        ("a.xyz", "Rename"),
    ],
)
def test_a_container_that_is_not_read_is_refused_with_a_step_that_works(tmp_path: Path, name: str, step: str) -> None:
    """Renaming helps where only the name is odd."""
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError) as error:
        profile(Data(train=str(tmp_path / name)), Task.CLASSIFICATION, roots=(tmp_path,))
    assert step in error.value.hint

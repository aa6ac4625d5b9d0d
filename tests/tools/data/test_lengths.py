"""Token lengths and the sequence length they lead to."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from tests.trainers.conftest import MARKED, UNMARKED, byte_tokenizer
from tools.data.data_profile import LengthProfile
from tools.data.lengths import SAMPLE_ROWS, control_tokens, measure_lengths, percentile
from tools.data.profile_data import escape_control_tokens
from tools.data.table import Row
from tools.data.tasks import TASKS
from trainers.encode import encode_chat, encode_pair, escaped, special_strings
from trainers.errors import InputError
from trainers.spec import Task


@pytest.fixture
def tokenizer_file(tmp_path: Path) -> Path:
    """One token a word, [CLS] and [SEP] around, truncation and padding left on as in MiniLM's file."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # type: ignore[assignment]
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))  # type: ignore[assignment]
    tokenizer.add_special_tokens(["[CLS]", "[SEP]", "<|im_end|>"])
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def measured(
    rows: list[Row], task: Task, file: Path | None, positions: int | None = None, limit: int | None = None
) -> tuple[LengthProfile, tuple[str, ...]]:
    return measure_lengths(
        rows,
        TASKS[task].length,
        tokenizer_file=file,
        tokenizer_name="t",
        max_positions=positions,
        max_seq_length=limit,
        seed=0,
    )


def of_words(*counts: int) -> list[Row]:
    return [{"text": " ".join(["w"] * n), "label": "a"} for n in counts]


def test_lengths_are_of_whole_texts(tokenizer_file: Path) -> None:
    """The tokenizer file's own truncation and padding are off; special tokens count, the label does not."""
    lengths, notes = measured(of_words(*[5] * 99, 100), Task.CLASSIFICATION, tokenizer_file)
    assert (lengths.p50, lengths.p99, lengths.p995, lengths.max) == (7, 7, 102, 102)
    assert (lengths.max_seq_length, lengths.truncated_share, notes) == (104, 0.0, ())


@pytest.mark.parametrize(("positions", "limit", "expected"), [(64, None, 64), (512, 50, 50), (None, None, 104)])
def test_length_is_bounded_by_model_and_user(
    tokenizer_file: Path, positions: int | None, limit: int | None, expected: int
) -> None:
    """The hard limits hold, and the share of rows cut is said."""
    lengths, notes = measured(of_words(*[5] * 80, *[100] * 20), Task.CLASSIFICATION, tokenizer_file, positions, limit)
    assert lengths.max_seq_length == expected
    assert lengths.truncated_share == (0.2 if expected < 102 else 0.0)
    assert bool(notes) is (expected < 102)


def test_pairs_have_the_length_of_prompt_and_longer_answer(tokenizer_file: Path) -> None:
    """3 + max(1, 4) words, the line break, the end token, and two special ones."""
    lengths, _ = measured([{"prompt": "a b c", "chosen": "x", "rejected": "x y z z"}], Task.PREFERENCE, tokenizer_file)
    assert lengths.max == 11


TURNS = st.lists(st.sampled_from(["hi", "what is 1 plus 2?", "it is three, I think", "é"]), min_size=2, max_size=12)
SYSTEM = "{% if messages[0]['role'] != 'system' %}<|turn|>system\nYou are a helpful assistant.<|end|>\n{% endif %}"


@pytest.fixture(scope="module", params=[UNMARKED, MARKED, SYSTEM + UNMARKED], ids=["plain", "marked", "system"])
def chat_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A tokenizer with a chat template, and its file."""
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = request.param
    directory = tmp_path_factory.mktemp("chat")
    tokenizer.save_pretrained(directory)
    return tokenizer, directory / "tokenizer.json"


@given(contents=TURNS)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_answer_of_a_conversation_is_cut_by_the_length_of_the_plan(
    chat_model: tuple[Any, Path], contents: list[str]
) -> None:
    """Whatever the template writes around the turns, and before them."""
    tokenizer, file = chat_model
    turns = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(contents)]
    lengths, _ = measured([{"messages": turns}], Task.SFT, file)
    true = len(encode_chat(tokenizer, turns)[0])
    assert true <= lengths.max <= true + 2
    assert lengths.max_seq_length >= true


@given(prompt=st.text(max_size=12), answer=st.text(min_size=1, max_size=12))
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_end_of_an_answer_fits_into_the_length_of_the_plan(
    chat_model: tuple[Any, Path], prompt: str, answer: str
) -> None:
    """A pair's end-of-text token is what the model learns to stop by."""
    tokenizer, file = chat_model
    specials = special_strings(tokenizer)
    prompt, answer = escaped(prompt, specials), escaped(answer, specials)
    true = sum(map(len, encode_pair(tokenizer, prompt, answer)))
    for task, row in (
        (Task.SFT, {"prompt": prompt, "completion": answer}),
        (Task.PREFERENCE, {"prompt": prompt, "chosen": answer, "rejected": ""}),
    ):
        assert measured([row], task, file)[0].max >= true


def test_a_model_without_a_template_and_one_that_refuses_are_told_before_training(tmp_path: Path) -> None:
    """Not after five trials that fail."""
    tokenizer, rows = byte_tokenizer(), list[Row]([{"messages": [{"role": "user", "content": "hi"}]}])
    for template, code in (
        (None, "no_chat_template"),
        ("{{ raise_exception('roles must alternate') }}", "template_refuses"),
    ):
        tokenizer.chat_template = template
        tokenizer.save_pretrained(tmp_path / code)
        with pytest.raises(InputError) as error:
            measured(rows, Task.SFT, tmp_path / code / "tokenizer.json")
        assert error.value.code == code


def test_without_a_template_at_hand_turns_are_estimated() -> None:
    """Eight tokens a turn, the end token."""
    turns = [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "c"}]
    assert measured([{"messages": turns}], Task.SFT, None)[0].max == 3 + 2 + 16 + 1


def test_many_rows_are_sampled_and_it_is_said(tokenizer_file: Path) -> None:
    """The sample is drawn with the seed and named in a note."""
    rows = of_words(*range(1, SAMPLE_ROWS + 500))
    first, notes = measured(rows, Task.CLASSIFICATION, tokenizer_file)
    assert "2,000 of 2,499" in notes[0]
    assert first == measured(rows, Task.CLASSIFICATION, tokenizer_file)[0]


def test_without_a_tokenizer_lengths_are_estimated_and_it_is_said() -> None:
    """1.3 tokens a word."""
    lengths, notes = measured(of_words(10), Task.CLASSIFICATION, None)
    assert (lengths.max, lengths.tokenizer) == (13, "t (estimated)")
    assert "1.3 tokens a word" in notes[0]


def test_broken_tokenizer_file_is_an_input_error(tmp_path: Path) -> None:
    """The base model is named as what must be mended."""
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match="tokenizer must be readable") as caught:
        measured(of_words(3), Task.CLASSIFICATION, tmp_path / "tokenizer.json")
    assert caught.value.param == "base_model"


@given(st.lists(st.integers(0, 1000), min_size=1).map(sorted), st.floats(0.5, 100))
def test_percentile_is_the_nearest_rank(ordered: list[int], percent: float) -> None:
    """At least `percent` % of the values are at most the percentile, and fewer are below it."""
    value = percentile(ordered, percent)
    assert sum(v <= value for v in ordered) >= percent / 100 * len(ordered) - 1e-9
    assert sum(v < value for v in ordered) < percent / 100 * len(ordered)


def test_control_tokens_in_text_are_broken_up_and_counted(tokenizer_file: Path) -> None:
    """A text that holds a control token can no longer end a turn."""
    tokens = control_tokens(tokenizer_file)
    assert tokens == ("<|im_end|>", "[CLS]", "[SEP]")
    notes: list[str] = []
    turns = [{"role": "user", "content": "say [SEP] twice"}]
    rows: list[Row] = [{"text": "a <|im_end|> b"}, {"messages": turns}, *[{"text": "plain"}] * 5]
    splits, n_rows = escape_control_tokens({"train": rows, "test": [{"text": "[CLS]"}]}, tokens, notes)
    assert n_rows == 2
    assert splits["train"][0] == {"text": "a < |im_end|> b"}
    assert splits["train"][1] == {"messages": [{"role": "user", "content": "say [ SEP] twice"}]}
    assert splits["test"] == [{"text": "[ CLS]"}]
    assert notes == ["3 rows hold control tokens of the tokenizer as text; a space was put into each"]


def test_templates_written_by_the_user_are_kept(tokenizer_file: Path) -> None:
    """Where most rows hold control tokens they are meant."""
    notes: list[str] = []
    given_splits: dict[str, list[Row]] = {"train": [{"text": "hi <|im_end|>"}] * 3}
    assert escape_control_tokens(given_splits, control_tokens(tokenizer_file), notes) == (given_splits, 3)
    assert "chat template" in notes[0]


@pytest.mark.parametrize("task", [Task.SFT, Task.PREFERENCE])
def test_prompts_that_leave_no_answer_are_said_at_planning(task: Task) -> None:
    """Some: a share in the notes. All: bad input, and not a study in which every trial fails."""
    answer: Row = {"completion": "yes"} if task is Task.SFT else {"chosen": "yes", "rejected": "no"}
    rows: list[Row] = [{"prompt": "word " * (200 if i % 2 else 3), **answer} for i in range(40)]
    assert any("50.0% of the prompts fill 64 tokens" in note for note in measured(rows, task, None, 64)[1])
    with pytest.raises(InputError, match="leave room for an answer"):
        measured(rows[1::2], task, None, 64)

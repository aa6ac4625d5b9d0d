"""Rows to tokens: nothing is cut, dropped or changed without being counted."""

import pytest

from tests.trainers.conftest import byte_tokenizer, write
from trainers.data import IGNORED, TokenCache, tokenise
from trainers.errors import AttemptFailed
from trainers.spec import FailureReason, Task
from trainers.tasks import TASKS

TOKENIZER = byte_tokenizer()


def test_only_the_completion_is_trained():
    """Labels of the prompt are ignored; the last trained token is the stop token."""
    (row,) = tokenise([{"prompt": "ab", "completion": "cd"}], TASKS[Task.SFT], TOKENIZER, 64).rows
    trained = [label for label in row["labels"] if label != IGNORED]
    assert TOKENIZER.decode(trained) == "cd</s>"
    assert row["labels"][:3] == [IGNORED] * 3
    assert row["length"] == len(row["input_ids"]) == len(row["labels"])


@pytest.mark.parametrize(
    ("task", "row"),
    [
        (TASKS[Task.SFT], {"prompt": "ab", "completion": "cd"}),
        (TASKS[Task.SFT], {"text": "abcd"}),
        (TASKS[Task.SFT], {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}),
    ],
)
def test_last_trained_token_of_an_untruncated_row_stops(task, row):
    """Whatever the row's form, the model is trained to stop."""
    (tokens,) = tokenise([row], task, TOKENIZER, 64).rows
    last = [label for label in tokens["labels"] if label != IGNORED][-1]
    assert last in (TOKENIZER.eos_token_id, TOKENIZER.convert_tokens_to_ids("<|end|>"))


def test_pairs_share_their_prompt_and_stop():
    """Both answers of a pair end in the stop token; a prompt that fills the limit drops the pair."""
    rows = [{"prompt": "q", "chosen": "a", "rejected": "bb"}, {"prompt": "q" * 9, "chosen": "a", "rejected": "b"}]
    tokens = tokenise(rows, TASKS[Task.PREFERENCE], TOKENIZER, 8)
    (pair,) = tokens.rows
    assert pair["chosen_ids"][-1] == pair["rejected_ids"][-1] == TOKENIZER.eos_token_id
    assert (tokens.n_truncated, tokens.n_dropped) == (1, 1)


def test_long_classification_text_keeps_its_closing_token(bert):
    """Truncation leaves [SEP] at the end."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(bert)
    tokens = tokenise([{"text": "apple pear plum fig gear", "label": 1}], TASKS[Task.CLASSIFICATION], tokenizer, 4)
    assert tokens.rows[0]["input_ids"][-1] == tokenizer.sep_token_id
    assert len(tokens.rows[0]["input_ids"]) == 4
    assert tokens.n_truncated == 1


def test_control_tokens_in_the_data_are_counted():
    """Rows that hold control tokens are escaped and counted."""
    tokens = tokenise([{"text": "a</s>b"}, {"text": "ab"}], TASKS[Task.SFT], TOKENIZER, 64)
    assert tokens.n_escaped == 1
    assert tokens.rows[0]["input_ids"].count(TOKENIZER.eos_token_id) == 1


def test_no_trainable_token_at_all_fails(tmp_path):
    """If cutting leaves nothing to train on, the attempt fails with reason DATA and says what to change."""
    with pytest.raises(AttemptFailed, match="max_seq_length=4") as caught:
        tokenise([{"prompt": "a long prompt", "completion": "x"}], TASKS[Task.SFT], TOKENIZER, 4)
    assert caught.value.reason is FailureReason.DATA


def test_broken_line_is_named(tmp_path):
    """A line that is not JSON is named by number."""
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "a"}\n{"text": \n')
    with pytest.raises(AttemptFailed, match="line 2"):
        TokenCache().get(file, TASKS[Task.SFT], TOKENIZER, 16)


def test_row_of_another_task_is_refused():
    """A row without the task's fields fails with its number."""
    with pytest.raises(AttemptFailed, match="row 1"):
        tokenise([{"label": 0}], TASKS[Task.CLASSIFICATION], TOKENIZER, 16)


def test_tokens_are_kept_by_content(tmp_path):
    """The same bytes under another name are not tokenised again; another limit is."""
    cache = TokenCache()
    a, b = (write(tmp_path / name, [{"text": "abc"}]) for name in ("a", "b"))
    first = cache.get(a, TASKS[Task.SFT], TOKENIZER, 16)
    assert cache.get(b, TASKS[Task.SFT], TOKENIZER, 16) is first
    assert cache.get(a, TASKS[Task.SFT], TOKENIZER, 8) is not first
    assert first.dataset[0]["input_ids"] == first.rows[0]["input_ids"]

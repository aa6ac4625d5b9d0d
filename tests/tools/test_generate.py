"""What cannot be answered is said before a model is loaded."""

from pathlib import Path

import pytest

from tools.evaluate import evaluate_adapter
from tools.generate import MAX_NEW_TOKENS, generate
from trainers.errors import InputError


@pytest.mark.parametrize(
    ("prompt", "n_tokens", "param"),
    [
        ("", 8, "prompt"),
        (" \n", 8, "prompt"),
        ("caf\udce9", 8, "prompt"),
        ("hello", 0, "max_new_tokens"),
        ("hello", MAX_NEW_TOKENS + 1, "max_new_tokens"),
        ("hello", 8, "adapter"),
    ],
    ids=["empty", "blank", "not UTF-8", "no tokens", "too many tokens", "no adapter"],
)
def test_bad_prompts_lengths_and_directories_are_bad_input(
    tmp_path: Path, prompt: str, n_tokens: int, param: str
) -> None:
    """Each with the parameter it is about and a next step."""
    with pytest.raises(InputError) as caught:
        generate(tmp_path, prompt, n_tokens)
    assert caught.value.param == param
    assert caught.value.hint


def test_scoring_no_rows_is_bad_input(tmp_path: Path) -> None:
    """Of zero rows there is no score."""
    with pytest.raises(InputError, match=r"must be 1 or more, got 0\.") as caught:
        evaluate_adapter(tmp_path, "a.csv", None, 0, roots=(tmp_path,))
    assert caught.value.param == "max_rows"

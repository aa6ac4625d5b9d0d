"""Text to ids: masks, stop tokens, escaping."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainers.conftest import UNMARKED, byte_tokenizer
from trainers.encode import (
    encode_chat,
    encode_chat_prompt,
    encode_pair,
    encode_prompt,
    encode_text,
    escaped,
    special_strings,
    stop_ids,
)
from trainers.errors import InputError

TOKENIZER = byte_tokenizer()
CHAT = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "yes"},
    {"role": "user", "content": "more"},
    {"role": "assistant", "content": "no"},
]


def unmarked():
    """A tokenizer whose template has no generation markers."""
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = UNMARKED
    return tokenizer


def trained(tokenizer, ids, mask):
    """The text that is trained."""
    return tokenizer.decode([i for i, bit in zip(ids, mask, strict=True) if bit])


@given(prompt=st.text(max_size=20), completion=st.text(max_size=20))
@settings(deadline=None, max_examples=50)
def test_prompt_is_a_prefix_and_completion_stops(prompt, completion):
    """A pair's prompt ids are those of the prompt alone (docs/traps.md, 10); the completion ends in end-of-text."""
    specials = special_strings(TOKENIZER)
    prompt, completion = escaped(prompt, specials), escaped(completion, specials)
    head, rest = encode_pair(TOKENIZER, prompt, completion)
    assert head == encode_prompt(TOKENIZER, prompt)
    assert rest[-1] == TOKENIZER.eos_token_id
    assert TOKENIZER.decode(rest[:-1]) == completion


@given(parts=st.lists(st.sampled_from(["</s>", "<|end|>", "<s>", "a", " ", "<", "/"]), max_size=8))
@settings(deadline=None, max_examples=100)
def test_escaped_text_holds_no_control_token(parts):
    """Whatever the data says, its text never becomes a control token."""
    text = escaped("".join(parts), special_strings(TOKENIZER))
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    assert not set(ids) & set(TOKENIZER.all_special_ids)


@pytest.mark.parametrize("tokenizer", [byte_tokenizer(), unmarked()], ids=["markers", "no markers"])
def test_only_the_assistant_is_trained(tokenizer):
    """The mask covers both answers with the tokens that end them, with and without generation markers."""
    ids, mask = encode_chat(tokenizer, CHAT)
    assert trained(tokenizer, ids, mask) == "yes<|end|>no<|end|>"
    assert ids[-1 - mask[::-1].index(True)] == tokenizer.convert_tokens_to_ids("<|end|>")


@pytest.mark.parametrize("tokenizer", [byte_tokenizer(), unmarked()], ids=["markers", "no markers"])
@pytest.mark.parametrize(("weights", "learnt"), [((0, 1), "no<|end|>"), ((1, 0), "yes<|end|>"), ((0, 0), "")])
def test_an_answer_of_weight_0_is_read_and_not_trained(tokenizer, weights, learnt):
    """Token by token, the ids are those of the same conversation without weights."""
    first, second = weights
    chat = [CHAT[0], {**CHAT[1], "weight": first}, CHAT[2], {**CHAT[3], "weight": second}]
    ids, mask = encode_chat(tokenizer, chat)
    assert trained(tokenizer, ids, mask) == learnt
    assert ids == encode_chat(tokenizer, CHAT)[0]


def test_template_that_leaves_the_stop_token_outside_is_extended():
    """Trap 20: an end-of-turn token outside the markers is trained all the same."""
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "<|end|>{% endgeneration %}", "{% endgeneration %}<|end|>"
    )
    assert trained(tokenizer, *encode_chat(tokenizer, CHAT)) == "yes<|end|>no<|end|>"


def test_template_without_a_stop_token_gets_one():
    """A conversation that would just end gets the end-of-text token."""
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}{% endfor %}"
    ids, mask = encode_chat(tokenizer, CHAT[:2])
    assert ids[-1] == tokenizer.eos_token_id
    assert mask[-1]


def test_template_that_rewrites_earlier_turns_trains_the_last_one():
    """Where earlier turns render differently later, only the last answer is trained."""
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}<|turn|>{{ m['role'] }}\n"
        "{% if m['role'] == 'assistant' and not loop.last %}{{ m['content'] | upper }}<|end|>"
        "{% else %}{{ m['content'] }}<|end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
    )
    assert trained(tokenizer, *encode_chat(tokenizer, CHAT)) == "no<|end|>"


def test_conversation_prompt_is_a_prefix_of_the_conversation():
    """What generation starts from is what training put before the answer."""
    ids, _ = encode_chat(TOKENIZER, CHAT[:2])
    prompt = encode_chat_prompt(TOKENIZER, CHAT[:1])
    assert ids[: len(prompt)] == prompt


def test_conversations_need_a_template():
    """A tokenizer without a chat template is refused with a next step."""
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(InputError, match="chat template"):
        encode_chat(tokenizer, CHAT)


def test_text_ends_in_a_stop_token():
    """A plain text starts with the beginning and ends with the end of text."""
    ids = encode_text(TOKENIZER, "abc")
    assert ids[0] == TOKENIZER.bos_token_id
    assert ids[-1] in stop_ids(TOKENIZER)


def test_prompt_and_completion_are_kept_apart():
    """A question and its answer get a line break between them; a prompt that ends in white space keeps its own."""
    asked, answer = encode_pair(TOKENIZER, "why?", "because")
    assert TOKENIZER.decode(asked, skip_special_tokens=True) == "why?\n"
    assert TOKENIZER.decode(answer, skip_special_tokens=True) == "because"
    assert encode_prompt(TOKENIZER, "why? ") != encode_prompt(TOKENIZER, "why?")
    assert TOKENIZER.decode(encode_prompt(TOKENIZER, "why? "), skip_special_tokens=True) == "why? "

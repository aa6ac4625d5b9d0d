"""One row's text to token ids with a loss mask. The same functions serve training, evaluation and generation.

Importable without torch. Ids carry the tokenizer's own beginning-of-text token where it adds one; every completion
ends in the end-of-text token, so that a model learns to stop (docs/traps.md).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from trainers.errors import InputError

Messages = Sequence[dict[str, Any]]


def special_strings(tokenizer: Any) -> tuple[str, ...]:
    """The tokenizer's control tokens, longest first."""
    added = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    return tuple(sorted({*added, *map(str, tokenizer.all_special_tokens)}, key=lambda s: (-len(s), s)))


def escaped(text: str, specials: Iterable[str]) -> str:
    """`text` with control tokens written so that they stay text: "<|im_end|>" becomes "< |im_end|>"."""
    for special in specials:
        if len(special) > 1 and special in text:
            text = text.replace(special, f"{special[0]} {special[1:]}")
    return text


def stop_ids(tokenizer: Any, model: Any = None) -> frozenset[int]:
    """Tokens that end a generation: the tokenizer's end-of-text token and those of the model's generation config."""
    ids = {tokenizer.eos_token_id}
    configured = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    ids.update(configured if isinstance(configured, list) else [configured])
    return frozenset(i for i in ids if i is not None)


def start_ids(tokenizer: Any) -> list[int]:
    """What the tokenizer puts before any text: usually one beginning-of-text token, or nothing."""
    ids = list(tokenizer("")["input_ids"])
    while ids and ids[-1] == tokenizer.eos_token_id and ids[-1] != tokenizer.bos_token_id:
        ids.pop()
    return ids


def encode_prompt(tokenizer: Any, prompt: str) -> list[int]:
    """Ids of a prompt as the model sees it in training and in generation; never empty."""
    return _begun(tokenizer, separated(prompt))


def separated(prompt: str) -> str:
    """`prompt` with a line break after it, unless it is empty or ends in white space by itself.

    Columns of questions and answers hold neither, and "…altogether?The" is no text a model has seen.
    """
    return prompt if not prompt or prompt[-1].isspace() else f"{prompt}\n"


def _begun(tokenizer: Any, text: str) -> list[int]:
    """Ids of a text with the tokenizer's start.

    An empty text of a tokenizer without a beginning-of-text token starts with its end-of-text token, as
    GPT-2 does, since the first token of a completion needs something to be predicted from.
    """
    ids = start_ids(tokenizer) + _plain(tokenizer, text)
    return ids or [tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id]


def encode_pair(tokenizer: Any, prompt: str, completion: str) -> tuple[list[int], list[int]]:
    """Ids of the prompt, and of the completion with the end-of-text token.

    The prompt's ids are those of the prompt alone, as at inference. The completion is tokenised together with the
    prompt where that leaves the prompt's tokens unchanged, else by itself (docs/traps.md, 10).
    """
    alone = encode_prompt(tokenizer, prompt)
    joint = _begun(tokenizer, separated(prompt) + completion)
    rest = joint[len(alone) :] if joint[: len(alone)] == alone else _plain(tokenizer, completion)
    return alone, [*rest, tokenizer.eos_token_id]


def encode_text(tokenizer: Any, text: str) -> list[int]:
    """Ids of a whole text with the end-of-text token."""
    return [*_begun(tokenizer, text), tokenizer.eos_token_id]


def encode_chat(tokenizer: Any, messages: Messages) -> tuple[list[int], list[bool]]:
    """Ids of a conversation by the model's chat template, and which of them the assistant has to produce.

    Uses the template's {% generation %} markers, or finds the assistant's turns by rendering the conversation turn
    by turn; where earlier turns render differently later (templates that drop reasoning), only the last turn counts.
    A turn of weight 0 is never trained. The mask covers the token that ends the turn. Raises InputError if the
    tokenizer has no chat template.
    """
    if not tokenizer.chat_template:
        rule = f"needs a base model with a chat template, and {tokenizer.name_or_path} has none."
        hint = "Choose an instruction-tuned model, or give prompt and completion columns."
        raise InputError("data.columns.messages", rule, hint)
    if _has_markers(tokenizer.chat_template) and all(message.get("weight", 1) for message in messages):
        out = tokenizer.apply_chat_template(
            list(messages), tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        ids, mask = list(out["input_ids"]), [bool(bit) for bit in out["assistant_masks"]]
    else:
        ids, mask = _turn_by_turn(tokenizer, messages)
    return _with_stop(tokenizer, ids, mask)


def encode_chat_prompt(tokenizer: Any, messages: Messages) -> list[int]:
    """Ids of a conversation up to where the assistant's next turn begins."""
    text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
    return _plain(tokenizer, text)


def _plain(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _has_markers(template: str | dict[str, str]) -> bool:
    text = template["default"] if isinstance(template, dict) else template
    return re.search(r"\{%-?\s*generation\s*-?%\}", text) is not None


def _turn_by_turn(tokenizer: Any, messages: Messages) -> tuple[list[int], list[bool]]:
    def render(upto: int, prompt: bool) -> str:
        start = list(messages[:upto])
        return str(tokenizer.apply_chat_template(start, tokenize=False, add_generation_prompt=prompt)) if start else ""

    full = render(len(messages), prompt=False)
    answers = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    turns = [i for i in answers if messages[i].get("weight", 1)]
    spans = []
    for i in turns:
        before, after = render(i, prompt=True), render(i + 1, prompt=False)
        if full.startswith(after) and full.startswith(before):
            spans.append((len(before), len(after)))
    if turns and not spans and turns[-1] == answers[-1]:  # the last turn always ends where the whole text ends
        spans.append((_common_prefix(render(turns[-1], prompt=True), full), len(full)))
    encoded = tokenizer(full, add_special_tokens=False, return_offsets_mapping=True)
    mask = [any(low <= start < high for low, high in spans) for start, _ in encoded["offset_mapping"]]
    return list(encoded["input_ids"]), mask


def _with_stop(tokenizer: Any, ids: list[int], mask: list[bool]) -> tuple[list[int], list[bool]]:
    """Let each trained turn end in a control token: the next one of the template, or an added end-of-text token."""
    controls = set(tokenizer.all_special_ids) | {tokenizer.eos_token_id}
    ids, mask = list(ids), list(mask)
    for i in range(len(ids) - 1):
        if mask[i] and not mask[i + 1] and ids[i] not in controls:
            if ids[i + 1] in controls:
                mask[i + 1] = True
            elif not _trim_to_control(ids, mask, i, controls):
                continue
    if mask and mask[-1] and ids[-1] not in controls and not _trim_to_control(ids, mask, len(ids) - 1, controls):
        ids.append(tokenizer.eos_token_id)
        mask.append(True)
    return ids, mask


def _trim_to_control(ids: list[int], mask: list[bool], end: int, controls: set[int]) -> bool:
    """Unmask what a template writes after the control token that ends a turn (a line break, a few tokens at most)."""
    for back in range(end, max(end - 4, -1), -1):
        if not mask[back]:
            return False
        if ids[back] in controls:
            for i in range(back + 1, end + 1):
                mask[i] = False
            return True
    return False


def _common_prefix(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))

"""Asking a saved adapter: text from a language model, class probabilities from a classifier."""

from pathlib import Path

from pydantic import Field

from evals.generate import generate as write
from evals.generate import generate_texts
from trainers.encode import encode_chat_prompt, escaped, special_strings
from trainers.errors import InputError
from trainers.saved import Saved, load_saved
from trainers.spec import Closed

MAX_NEW_TOKENS = 32_768


class Answer(Closed):
    """What the model said."""

    text: str = Field(description="generated text, or the most probable class")
    probabilities: dict[str, float] = Field({}, description="class to probability; empty for language models")

    def shown(self) -> str:
        """The answer for a terminal: the text, or the five most probable classes."""
        if not self.probabilities:
            return self.text
        top = sorted(self.probabilities.items(), key=lambda item: -item[1])[:5]
        return "\n".join(f"{probability:6.1%}  {label}" for label, probability in top)


def generate(adapter: Path, prompt: str, max_new_tokens: int = 128) -> Answer:
    """Greedy answer of the adapter in `adapter` to `prompt`, rendered as in training. Loads the base model.

    Raises InputError where `adapter` is not a saved adapter, and for a prompt or a length that cannot be answered.
    """
    check_prompt(prompt, max_new_tokens)
    return answer(load_saved(adapter), prompt, max_new_tokens)


def answer(saved: Saved, prompt: str, max_new_tokens: int = 128) -> Answer:
    """`generate` of a model that is open already. Raises InputError as it does."""
    check_prompt(prompt, max_new_tokens)
    import torch

    facts, tokenizer, model = saved.facts, saved.tokenizer, saved.model
    model.eval()
    with torch.inference_mode():
        if facts.labels:
            batch = tokenizer(prompt, return_tensors="pt", truncation=True, max_length=facts.max_seq_length)
            shares = model(**batch.to(model.device)).logits[0].float().softmax(-1).tolist()
            probabilities = dict(zip(facts.labels, shares, strict=True))
            return Answer(text=max(probabilities, key=lambda label: probabilities[label]), probabilities=probabilities)
        return Answer(text=_continued(saved, prompt, max_new_tokens))


def check_prompt(prompt: str, max_new_tokens: int) -> None:
    """Raises InputError for a prompt or a length that cannot be answered."""
    if not prompt.strip():
        raise InputError("prompt", f"must hold text, got {prompt!r}.", "Give the text to answer or to classify.")
    if any("\ud800" <= character <= "\udfff" for character in prompt):
        raise InputError("prompt", "must be UTF-8 text; it holds other bytes.", "Save or paste it as UTF-8.")
    if not 1 <= max_new_tokens <= MAX_NEW_TOKENS:
        rule = f"must be between 1 and {MAX_NEW_TOKENS:,}, got {max_new_tokens:,}."
        raise InputError("max_new_tokens", rule, "Give a number such as 128.")


def _continued(saved: Saved, prompt: str, max_new_tokens: int) -> str:
    """What a language model writes after a plain prompt, or after a user's turn if it was trained on conversations."""
    model, tokenizer = saved.model, saved.tokenizer
    if not saved.facts.chat:
        return generate_texts(model, tokenizer, [prompt], max_new_tokens=max_new_tokens)[0]
    turn = {"role": "user", "content": escaped(prompt, special_strings(tokenizer))}
    return write(model, tokenizer, [encode_chat_prompt(tokenizer, [turn])], max_new_tokens, batch_size=1)[0]

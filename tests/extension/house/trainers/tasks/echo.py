"""Echo: a language model learns to repeat a text."""

from dataclasses import replace

from trainers.spec import Task
from trainers.tasks.sft import SFT
from trainers.tasks.trainer import choices


def space(facts):
    """That of SFT, and a hyperparameter of its own."""
    return {**SFT.space(facts), "repeats": choices(1, 1, 2, 3)}


def encode(row, tokenizer):
    """The text after itself."""
    return SFT.encode({"prompt": row["text"], "completion": row["text"]}, tokenizer)


ECHO = replace(SFT, task=Task.ECHO, space=space, encode=encode)
"""Trained as SFT is, on each text as the completion of itself."""

"""Echo: a language model learns to repeat a text."""

from trainers.spec import Task
from trainers.tasks.ranges import choices
from trainers.tasks.sft import Sft


class Echo(Sft):
    """Trained as SFT is, on each text as the completion of itself."""

    task = Task.ECHO

    def space(self, facts):
        """That of SFT, and a hyperparameter of its own."""
        return {**super().space(facts), "repeats": choices(1, 1, 2, 3)}

    def encode(self, row, tokenizer):
        """The text after itself."""
        return super().encode({"prompt": row["text"], "completion": row["text"]}, tokenizer)
